"""The status of a service's config files: which version is on disk."""

from __future__ import annotations

from cosi import Spec


class ExtensionServiceConfigStatus(
    Spec,
    type="ExtensionServiceConfigStatuses.runtime.talos.dev",
    proto={"specVersion": 1},
):
    """The files of one config are written; the resource id is the service's name.

    ``spec_version`` is the version of the written ``ExtensionServiceConfig`` resource, as text
    (``"1"``). The files are written before this is published.
    """

    spec_version: str
