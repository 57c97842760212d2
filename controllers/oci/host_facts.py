"""Facts about the host and its OCI runtime that a container's specification depends on."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controllers.oci import capabilities
from cosi.api.open_files import limit_before

IN_CONTAINER: Final = Path("/usr/etc/in-container")
"""Exists if the machine itself is a container (Talos 1.14:
``constants.ContainerMarkerFilePath``)."""

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_OCI_VERSION: Final = "1.3.0"
_VERSION_LINE: Final = re.compile(r"^spec: (\d+)\.(\d+)\.(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class HostFacts:
    """Facts about the host, the supervisor and the OCI runtime; by default of a full Talos node."""

    architecture: str = "amd64"
    """The architecture by Go's name."""
    oci_version: str = _OCI_VERSION
    """The version of the specification, at most the one that the runtime supports."""
    capabilities: frozenset[str] = capabilities.ALL
    """The bounding set of the supervisor."""
    seccomp: bool = True
    """Whether the runtime was built with seccomp."""
    in_container: bool = False
    """Whether :data:`IN_CONTAINER` exists."""
    cgroup_root: str = ""
    """The parent of all cgroup paths: the supervisor's cgroup if the machine is a container, and
    below it a separate one for a tree that is not the machine's."""
    open_files: tuple[int, int] | None = None
    """Soft and hard limit of open files for services, if the supervisor has raised its own."""
    selinux_label: str = ""
    """Talos's label for extension services, if SELinux is enabled."""


def read_host_facts(runtime_version: str, tree: str = "") -> HostFacts:
    """Read the facts of this host; ``runtime_version`` is the output of ``runc --version``.

    ``tree`` names the tree of the services if it is not the machine's own: two trees may have
    services with the same name, which must not share a cgroup.
    """
    in_container = IN_CONTAINER.exists()
    root = _unified_cgroup(Path("/proc/self/cgroup").read_text()) if in_container else ""
    return HostFacts(
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        oci_version=_oci_version(runtime_version),
        capabilities=capabilities.named(_bounding_set(Path("/proc/self/status").read_text())),
        seccomp=bool(re.search(r"libseccomp|\+SECCOMP", runtime_version)),
        in_container=in_container,
        cgroup_root=f"{root}/{tree}" if tree else root,
        open_files=limit_before(),
        selinux_label=_selinux_label(),
    )


def _bounding_set(status: str) -> int:
    line = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return int(line.split()[1], base=16)


def _oci_version(runtime_version: str) -> str:
    """The version to write: crun refuses a newer one; our specification is valid in all of them."""
    if not (found := _VERSION_LINE.search(runtime_version)):
        return _OCI_VERSION
    known = tuple(map(int, found.groups()))
    wanted = tuple(map(int, _OCI_VERSION.split(".")))
    return ".".join(map(str, min(known, wanted)))


def _unified_cgroup(lines: str) -> str:
    """The path of the supervisor's cgroup on a machine with only cgroup v2; else empty."""
    match lines.splitlines():
        case [line] if line.startswith("0::"):
            return line.removeprefix("0::").rstrip("/")
        case _:
            return ""


def _selinux_label() -> str:
    # Mounted only if SELinux is enabled (libselinux: `is_selinux_enabled`).
    if not Path("/sys/fs/selinux/enforce").exists():
        return ""
    return "system_u:system_r:unconfined_container_t:s0"
