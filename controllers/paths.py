"""Where everything lies, relative to one root directory.

The names below the root are Talos's (Talos 1.14: `pkg/machinery/constants`), so that a tree made
for a Talos image can be used as it is; only `run` is ours. What a definition calls by an absolute
path (a mount source, an environment file) is the host's and is not moved below the root.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from controllers.files.beneath import (
    Beneath,
)


@dataclass(frozen=True)
class Paths:
    """The directories and files of one machine tree; nothing is created here.

    *Names* are service names (`hello-world`), *ids* are service ids (`ext-hello-world`).
    """

    root: Path

    def __init__(self, root: str | Path = "/") -> None:
        # Resolved once: runc and /proc/self/mountinfo want absolute paths without symlinks.
        object.__setattr__(self, "root", Path(root).resolve())

    @property
    def tree(self) -> str:
        """What tells this tree from others on the same machine; "" for the machine's own, `/`."""
        if self.root == Path("/"):
            return ""
        return f"cosi-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"

    @property
    def beneath(self) -> Beneath:
        """The way to what is written, mounted over or removed below the root: no link is one."""
        return Beneath(self.root)

    @property
    def definitions(self) -> Path:
        """The directory of service definitions (`*.yaml`)."""
        return self.root / "usr/local/etc/containers"

    def rootfs(self, name: str) -> Path:
        """The root file system of the service's container."""
        return self.root / "usr/local/lib/containers" / name

    @property
    def overlays(self) -> Path:
        """What is laid over read-only trees; a tmpfs on a real machine."""
        return self.root / "system/overlays"

    def overlay_upper(self, name: str) -> Path:
        """The writable layer over the service's root file system."""
        return self.overlays / f"usr-local-lib-containers-{name}-diff"

    def overlay_work(self, name: str) -> Path:
        """The scratch directory that overlayfs wants beside the writable layer."""
        return self.overlays / f"usr-local-lib-containers-{name}-workdir"

    @property
    def config_files(self) -> Path:
        """The directory of all services' config files."""
        return self.overlays / "extensions"

    def config_files_of(self, name: str) -> Path:
        """The directory of one service's config files."""
        return self.config_files / name

    @property
    def config(self) -> Path:
        """The machine configuration documents that are read unless others are named; ours."""
        return self.root / "etc/cosi/config.yaml"

    @property
    def logs(self) -> Path:
        """The directory of persistent logs."""
        return self.root / "var/log"

    def log(self, id: str) -> Path:
        """The persistent log of one service; its predecessor has `.1` appended."""
        return self.logs / f"{id}.log"

    @property
    def run(self) -> Path:
        """What lives as long as the machine is up: bundles, FIFOs, runtime state, sockets."""
        return self.root / "run/cosi"

    @property
    def services(self) -> Path:
        """Checkpoints of services; see `controllers/lifecycle/checkpoint.py`."""
        return self.run / "services"

    @property
    def requests(self) -> Path:
        """The stops that people asked for, one file for each; see `controllers/requests.py`."""
        return self.run / "requests"

    @property
    def containers(self) -> Path:
        """One directory per running container, named by its service id."""
        return self.run / "containers"

    def container(self, id: str) -> Path:
        """The bundle, the state file and the FIFOs of one running container."""
        return self.containers / id

    @property
    def runtime(self) -> Path:
        """The state directory of the OCI runtime (`runc --root`)."""
        return self.run / "runtime"
