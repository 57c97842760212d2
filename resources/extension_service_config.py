"""What a person adds to a service: files and environment, from the machine's configuration."""

from __future__ import annotations

from cosi.resource import Spec, Value


class ConfigFile(Value):
    """One file, bound read-only over ``mount_path`` in the container."""

    content: str
    mount_path: str


class ExtensionServiceConfig(
    Spec,
    type="ExtensionServiceConfigs.runtime.talos.dev",
    sensitive=True,
):
    """Extra files and environment of one service; the resource id is the service's name.

    Applied whenever it is there, not only to services with ``configuration: true`` (Talos 1.14).
    """

    files: tuple[ConfigFile, ...] = ()
    environment: tuple[str, ...] = ()
