"""The paths of all files of a machine tree, relative to its root directory.

The names below the root are Talos's (Talos 1.14: ``pkg/machinery/constants``), so that a tree made
for a Talos image can be used unchanged; only ``run`` is ours. Absolute paths in definitions (a
mount source, an environment file) are paths of the host, and are not moved below the root.
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

    *Names* are service names (``hello-world``), *ids* are service ids (``ext-hello-world``).
    """

    root: Path

    def __init__(self, root: str | Path = "/") -> None:
        # Resolved once: runc and /proc/self/mountinfo use absolute paths without symlinks.
        object.__setattr__(self, "root", Path(root).resolve())

    @property
    def tree(self) -> str:
        """The name that identifies this tree on the machine; "" for the machine's own, ``/``."""
        if self.root == Path("/"):
            return ""
        return f"cosi-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"

    @property
    def beneath(self) -> Beneath:
        """Access to files below the root that does not follow links."""
        return Beneath(self.root)

    @property
    def definitions(self) -> Path:
        """The directory of service definitions (``*.yaml``)."""
        return self.root / "usr/local/etc/containers"

    def rootfs(self, name: str) -> Path:
        """The root file system of the service's container."""
        return self.root / "usr/local/lib/containers" / name

    @property
    def overlays(self) -> Path:
        """The directory of the layers over read-only trees; a tmpfs on a real machine."""
        return self.root / "system/overlays"

    def overlay_upper(self, name: str) -> Path:
        """The writable layer over the service's root file system."""
        return self.overlays / f"usr-local-lib-containers-{name}-diff"

    def overlay_work(self, name: str) -> Path:
        """The work directory that overlayfs needs beside the writable layer."""
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
        """The default file of machine configuration documents; ours."""
        return self.root / "etc/cosi/config.yaml"

    @property
    def logs(self) -> Path:
        """The directory of persistent logs."""
        return self.root / "var/log"

    def log(self, id: str) -> Path:
        """The persistent log of one service; the older generation has ``.1`` appended."""
        return self.logs / f"{id}.log"

    @property
    def run(self) -> Path:
        """The directory for files until the next boot: bundles, FIFOs, runtime state, sockets."""
        return self.root / "run/cosi"

    @property
    def services(self) -> Path:
        """Checkpoints of services; see ``controllers/lifecycle/checkpoint.py``."""
        return self.run / "services"

    @property
    def requests(self) -> Path:
        """The requested stops, one file for each; see ``controllers/requests.py``."""
        return self.run / "requests"

    @property
    def containers(self) -> Path:
        """The directories of running containers, named by service id."""
        return self.run / "containers"

    def container(self, id: str) -> Path:
        """The bundle, the state file and the FIFOs of one running container."""
        return self.containers / id

    @property
    def runtime(self) -> Path:
        """The state directory of the OCI runtime (``runc --root``)."""
        return self.run / "runtime"
