"""ContainerSpec and HostFacts → the OCI specification of a container (``config.json``), purely.

Order and values are those of Talos 1.14 (``services/extension.go`` over containerd 2.3's default
Linux specification), so that a definition for Talos finds the same environment here: all grantable
capabilities, the network and IPC of the host, its own PIDs, mounts and host name. Three things
differ:

* Capabilities that the supervisor lacks are left out, and listed in ``notes``: runc refuses to
  start a container with a capability or an OOM score that it cannot grant.
* The cgroup path is absolute on cgroup v1 too. Talos makes it relative there, which is the same
  for a supervisor in the root cgroup, and scatters the container over the hierarchies for others.
* A supervisor that has raised its own limit of open files gives services the original one. Talos
  sets no limits, because its containers inherit those of containerd.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from controllers.oci import capabilities
from controllers.oci.host_facts import IN_CONTAINER, HostFacts
from controllers.oci.seccomp import seccomp_profile
from resources.container_spec import DEFAULT_MOUNTS, ContainerSpec
from resources.extension_service import IDMapping, Mount

OOM_SCORE: Final = -600

MASKED_PATHS: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/proc/scsi",
)
READONLY_PATHS: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True)
class Bundle:
    """The inputs of a container's specification that are not in its resource."""

    rootfs: Path
    """The root filesystem on the host."""
    config_files: Path
    """The directory of the service's config files on the host."""
    environment: tuple[str, ...] = ()
    """The merged environment of the process."""


def oci_spec(container: ContainerSpec, facts: HostFacts, bundle: Bundle) -> dict[str, Any]:
    """The ``config.json`` of the container (OCI runtime-spec 1.3)."""
    return {
        "ociVersion": facts.oci_version,
        "process": _process(container, facts, bundle.environment),
        "root": {
            "path": str(bundle.rootfs),
            "readonly": not container.security.writeable_rootfs,
        },
        "mounts": list(_mounts(container, facts, bundle.config_files)),
        "linux": _linux(container, facts),
    }


def notes(facts: HostFacts) -> tuple[str, ...]:
    """The parts that :func:`oci_spec` omits because the host or the supervisor lacks them."""
    found: list[str] = []
    if missing := capabilities.withheld(facts.capabilities):
        text = f"The supervisor lacks and cannot grant {', '.join(missing)}"
        lowered = "CAP_SYS_RESOURCE" in facts.capabilities
        found.append(text if lowered else f"{text}; the OOM score is not lowered to {OOM_SCORE}")
    if not facts.seccomp:
        found.append("No seccomp profile: the container runtime was built without seccomp")
    elif seccomp_profile(facts.architecture, ()) is None:
        found.append(f"No seccomp profile: there is none for {facts.architecture}")
    return tuple(found)


def _process(
    container: ContainerSpec, facts: HostFacts, environment: tuple[str, ...]
) -> dict[str, Any]:
    granted = list(capabilities.grantable(facts.capabilities))
    process: dict[str, Any] = {
        "user": {"uid": 0, "gid": 0},
        "args": [container.entrypoint, *container.args],
        "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), granted),
        "noNewPrivileges": True,
    }
    if environment:
        process["env"] = list(environment)
    if "CAP_SYS_RESOURCE" in facts.capabilities:
        process["oomScoreAdj"] = OOM_SCORE
    if facts.open_files is not None:
        soft, hard = facts.open_files
        process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}]
    if facts.selinux_label:
        process["selinuxLabel"] = facts.selinux_label
    return process


def _linux(container: ContainerSpec, facts: HostFacts) -> dict[str, Any]:
    security = container.security
    masked, readonly = security.masked_paths, security.readonly_paths
    linux: dict[str, Any] = {
        "resources": {"devices": [{"allow": True, "access": "rwm"}]},
        "cgroupsPath": cgroup_path(container.name, facts),
        "namespaces": [{"type": kind} for kind in ("pid", "uts", "mount")],
    }
    if paths := MASKED_PATHS if masked is None else masked:
        linux["maskedPaths"] = list(paths)
    if paths := READONLY_PATHS if readonly is None else readonly:
        linux["readonlyPaths"] = list(paths)
    if security.rootfs_propagation:
        linux["rootfsPropagation"] = security.rootfs_propagation
    if facts.seccomp:
        granted = capabilities.grantable(facts.capabilities)
        if profile := seccomp_profile(facts.architecture, granted):
            linux["seccomp"] = profile
    return linux


def cgroup_path(name: str, facts: HostFacts) -> str:
    """The cgroup of the service's container, from the root of each hierarchy."""
    return f"{facts.cgroup_root}/system/extensions/{name}"


def _mounts(
    container: ContainerSpec, facts: HostFacts, config_files: Path
) -> Iterable[dict[str, Any]]:
    for mount in (*DEFAULT_MOUNTS, *container.mounts):
        writeable = container.security.writeable_sysfs and mount.type == "sysfs"
        yield _mount(mount, ("ro", "rw") if writeable else None)
    if facts.in_container:
        yield _bind(IN_CONTAINER, str(IN_CONTAINER), "bind", "ro")
    for file in container.config_files:
        yield _bind(config_files / file.file_name, file.mount_path, "ro", "bind")


def _mount(mount: Mount, replace: tuple[str, str] | None) -> dict[str, Any]:
    """One mount, without empty fields, as Go writes it."""
    options = [
        replace[1] if replace and option == replace[0] else option for option in mount.options
    ]
    fields: dict[str, Any] = {
        "destination": mount.destination,
        "type": mount.type,
        "source": mount.source,
        "options": options,
        "uidMappings": list(map(_mapping, mount.uid_mappings)),
        "gidMappings": list(map(_mapping, mount.gid_mappings)),
    }
    return {key: value for key, value in fields.items() if value}


def _mapping(mapping: IDMapping) -> dict[str, int]:
    return {
        "containerID": mapping.container_id,
        "hostID": mapping.host_id,
        "size": mapping.size,
    }


def _bind(source: Path, destination: str, *options: str) -> dict[str, Any]:
    return _mount(
        Mount(destination=destination, type="bind", source=str(source), options=options), None
    )
