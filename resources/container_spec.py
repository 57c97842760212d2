"""The container of a service, made from its definition and its config."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Final

from cosi import Spec, Value
from resources.extension_service import Mount, Restart, Security


class MountedConfigFile(Value, proto={"mountPath": 1, "fileName": 2, "sha256": 3}):
    """One file of the service's config, mounted into the container."""

    mount_path: str
    """Its path in the container."""
    file_name: str
    """Its name in the service's directory of config files on the host."""
    sha256: str = ""
    """The hash of its content, so that changed content changes the container."""


class ContainerSpec(
    Spec,
    type="ContainerSpecs.runtime.talos.dev",
    columns={"Entrypoint": "{.entrypoint}", "Restart": "{.restart}"},
    sensitive=True,  # the environment may come from an ExtensionServiceConfig, which is sensitive
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
    """Everything that a driver needs. The places of the root filesystem and of the config files on
    the host follow from ``name`` and the driver's root directory.
    """

    name: str
    """The name of the service, as in its file."""
    entrypoint: str
    args: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    """``container.environment``, then the config's, in order. An item without ``=`` removes its
    key from the machine's environment, which comes before. The content of ``environment_file``
    comes between the two (Talos 1.14, "Environment")."""
    machine_environment: tuple[str, ...] = ()
    """The part of the machine's environment for this container: without the keys that
    ``environment`` sets or removes, so that their changes do not change the container."""
    environment_file: str = ""
    """A file on the host, read at every start; "" if there is none."""
    mounts: tuple[Mount, ...] = ()
    config_files: tuple[MountedConfigFile, ...] = ()
    """Config files, bind-mounted read-only after all ``mounts``."""
    security: Security = Security()
    restart: Restart = Restart.ALWAYS
    log_to_console: bool = False
    config_version: str = ""
    """The version of the ExtensionServiceConfig that it includes; "" if there is none. Its files
    must be written (``ServiceGate.config_version``) before the container may start."""
    needs_config: bool = False
    """Whether the service runs only with an ExtensionServiceConfig (``configuration: true``)."""
    depends_digest: str = ""
    """The digest of the service's dependencies (``ExtensionServiceSpec.depends_digest``). A
    ServiceGate with another digest was made from another definition, and does not apply to this
    container."""

    @property
    def awaits_config(self) -> bool:
        """Whether it cannot run yet, because the config that it needs is missing."""
        return self.needs_config and not self.config_version

    @cached_property
    def digest(self) -> str:
        """A digest that is equal for two specs of the same container, also across restarts of the
        program: a driver keeps it with a container to recognize it.

        It leaves out ``config_version``, which counts from 1 again when the state is lost, and an
        empty ``machine_environment``, so that digests from before that field existed stay valid. A
        container without the config that it needs differs from one with it, even if that config is
        empty.
        """
        left_out = {*_NOT_OF_THE_CONTAINER}
        if not self.machine_environment:
            left_out.add("machine_environment")
        fields = self.model_dump_json(by_alias=True, exclude=left_out)
        if self.awaits_config:
            fields += "without the config that it needs"
        return hashlib.sha256(fields.encode()).hexdigest()


_NOT_OF_THE_CONTAINER: Final = frozenset({"config_version", "needs_config", "depends_digest"})
"""Fields that decide when a container may run, but are no part of it."""


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
"""The mounts of every container, before its own."""
