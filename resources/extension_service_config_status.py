"""Which version of a service's config is on disk."""

from __future__ import annotations

from cosi import Spec


class ExtensionServiceConfigStatus(
    Spec,
    type="ExtensionServiceConfigStatuses.runtime.talos.dev",
    proto={"specVersion": 1},
):
    """The files of one config are written; the resource id is the service's name.

    ``spec_version`` is the version of the ``ExtensionServiceConfig`` resource that they hold, as
    text (``"1"``). Files are there before this says so.
    """

    spec_version: str
