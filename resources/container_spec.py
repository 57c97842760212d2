"""The container that gives a service what its definition and its config ask for."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Final

from cosi import Spec, Value
from resources.extension_service import Mount, Restart, Security


class MountedConfigFile(Value, proto={"mountPath": 1, "fileName": 2, "sha256": 3}):
    """One file of the service's config, as the container sees it."""

    mount_path: str
    """Where in the container."""
    file_name: str
    """Its name in the service's directory of config files on the host."""
    sha256: str = ""
    """Of the content, so that a changed content is a changed container."""


class ContainerSpec(
    Spec,
    type="ContainerSpecs.runtime.talos.dev",
    columns={"Entrypoint": "{.entrypoint}", "Restart": "{.restart}"},
    sensitive=True,  # the environment may come from an ExtensionServiceConfig, which is
    proto={
        "name": 1,
        "entrypoint": 2,
        "args": 3,
        "environment": 4,
        "environmentFile": 5,
        "mounts": 6,
        "configFiles": 7,
        "security": 8,
        "restart": 9,
        "logToConsole": 10,
        "configVersion": 11,
        "machineEnvironment": 12,
        "needsConfig": 13,
        "dependsDigest": 14,
    },
):
    """Everything that a driver needs, and nothing of the host: where the root filesystem and the
    config files lie follows from ``name`` and the driver's root directory.
    """

    name: str
    """Of the service, as its file says it."""
    entrypoint: str
    args: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    """``container.environment``, then the config's, in order; an item without ``=`` removes its
    key from what comes before: the machine's environment. The content of ``environment_file``
    goes between the two (Talos 1.14, "Environment")."""
    machine_environment: tuple[str, ...] = ()
    """What of the machine's environment the container begins with: nothing whose key
    ``environment`` sets or removes, so that a change there is none here."""
    environment_file: str = ""
    """A file on the host, read at every start; "" if there is none."""
    mounts: tuple[Mount, ...] = ()
    config_files: tuple[MountedConfigFile, ...] = ()
    """Bind-mounted read-only after all ``mounts``."""
    security: Security = Security()
    restart: Restart = Restart.ALWAYS
    log_to_console: bool = False
    config_version: str = ""
    """Of the ExtensionServiceConfig that is in here; "" if there is none. Its files must be
    written (``ServiceGate.config_version``) before the container may start."""
    needs_config: bool = False
    """Whether the service runs only with an ExtensionServiceConfig (``configuration: true``)."""
    depends_digest: str = ""
    """Of what the service depends on (``ExtensionServiceSpec.depends_digest``): a ServiceGate with
    another one was made from another definition, and says nothing about this container."""

    @property
    def awaits_config(self) -> bool:
        """Whether it cannot run as it is, because the config that it needs is not there."""
        return self.needs_config and not self.config_version

    @cached_property
    def digest(self) -> str:
        """Equal for two specs that give the same container, in this life of the program and the
        next: what a driver keeps with a container to know it again. ``config_version`` is left
        out; it counts from 1 again when the machine forgets. An empty ``machine_environment`` is,
        too: what was kept before there was one stays right. Without the config that it needs it is
        another container than with it, also where that config is empty.
        """
        left_out = {*_NOT_OF_THE_CONTAINER}
        if not self.machine_environment:
            left_out.add("machine_environment")
        fields = self.model_dump_json(by_alias=True, exclude=left_out)
        if self.awaits_config:
            fields += "without the config that it needs"
        return hashlib.sha256(fields.encode()).hexdigest()


_NOT_OF_THE_CONTAINER: Final = frozenset({"config_version", "needs_config", "depends_digest"})
"""Fields that say when a container may run, and not what it is."""


_TMPFS: Final = ("nosuid", "strictatime", "mode=755", "size=65536k")
_DEFAULTS: Final = (
    # destination, type, source, options
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", _TMPFS),
    (
        "/dev/pts",
        "devpts",
        "devpts",
        ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),  # noqa: S108 the container's
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/run", "tmpfs", "tmpfs", _TMPFS),
    ("/etc/hosts", "bind", "/etc/hosts", ("rbind", "ro")),
    ("/etc/resolv.conf", "bind", "/etc/resolv.conf", ("rbind", "ro")),
)

DEFAULT_MOUNTS: Final = tuple(
    Mount(destination=destination, type=type, source=source, options=options)
    for destination, type, source, options in _DEFAULTS
)
"""What is mounted in every container, before its own mounts."""
