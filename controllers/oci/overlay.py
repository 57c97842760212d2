"""The writable layer over a service's root filesystem, and the mounts of a previous supervisor.

Talos mounts it so that a runtime can create mount points in a read-only image. For a tree on a disk
it has the same effect: the tree itself is never written. Fixed here (differences: Talos 7): the
layer is wiped at each start unless the service may write to it, and mounts never stack.

No two mounts have the same directories. An unmounted layer may still exist in another mount
namespace, as in a service that binds ``/``. A second mount of its directories has undefined results
according to the kernel, which refuses it if overlayfs keeps an index (kernel documentation,
overlayfs, "Sharing and copying layers"). So the directories are created anew each time, and kept
changes are moved over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controllers.files.beneath import (
    Beneath,
)
from controllers.processes import syscalls

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")

# Errors of filesystems that cannot be a layer (mostly overlayfs on overlayfs), and of supervisors
# that may not mount: the service then starts without a layer.
_NOT_HERE: Final = frozenset({errno.EINVAL, errno.EPERM, errno.ENODEV, errno.EOPNOTSUPP})


@dataclass(frozen=True)
class Overlay:
    """The layers of one service."""

    rootfs: Path
    """The lower layer, and also the mount point."""
    upper: Path
    work: Path

    def mount(self, *, keep_changes: bool) -> str:
        """Mount the layer; return why this machine does not support it, or "".

        Raises ``OSError`` if the mount failed for another reason; then nothing is mounted.
        """
        self.unmount()
        self._renew(keep_changes=keep_changes)
        layers = {"lowerdir": self.rootfs, "upperdir": self.upper, "workdir": self.work}
        data = ",".join(f"{key}={_escaped(path)}" for key, path in layers.items())
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        try:
            syscalls.mount("overlay", self.rootfs, "overlay", flags, data)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            if not keep_changes:  # kept changes may be used again, once a layer can be mounted
                self.wipe()
            return f"No overlay over {self.rootfs}: {error.strerror}"
        return ""

    def unmount(self) -> None:
        """Unmount all our layers there; idempotent. Raises ``OSError``."""
        for _ in range(mounted_times(self.rootfs)):
            try:
                syscalls.unmount(self.rootfs, syscalls.UMOUNT_NOFOLLOW)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                # Another process uses it: detach it now; it disappears when that process leaves.
                flags = syscalls.UMOUNT_NOFOLLOW | syscalls.MNT_DETACH
                syscalls.unmount(self.rootfs, flags)

    def wipe(self) -> None:
        """Remove the changes in the layer, which must not be mounted."""
        for directory in (self.upper, self.work, self._before):
            _remove(directory)

    @property
    def _before(self) -> Path:
        """The place of the previous mount's layer while its files are moved."""
        return self.upper.with_name(f"{self.upper.name}.before")

    def _renew(self, *, keep_changes: bool) -> None:
        """Create both directories, not yet used by any mount; kept changes go to the upper one."""
        if keep_changes:
            # If it exists already, a supervisor was killed while it moved files: finish that move.
            if self.upper.exists() and not self._before.exists():
                self.upper.rename(self._before)
            _remove(self.work)
        else:
            self.wipe()
        self.upper.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.work.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self._before.exists():
            self._move_over()

    def _move_over(self) -> None:
        """Move the changed files, and the attributes of the root directory itself."""
        for entry in sorted(self._before.iterdir()):
            entry.rename(self.upper / entry.name)
        owner = self._before.stat()
        os.chown(self.upper, owner.st_uid, owner.st_gid)
        # Includes the attributes that overlayfs stores there.
        shutil.copystat(self._before, self.upper)
        self._before.rmdir()


def _remove(directory: Path) -> None:
    """Remove a layer of any depth, or the link in its place; mounts in it are left alone."""
    if directory.parent.is_dir():
        Beneath(directory.parent).remove(directory)


def mounted_times(rootfs: Path) -> int:
    """How many overlays are mounted on top of each other at ``rootfs``."""
    # Each has its own device number, so the long list is read only if there is one.
    with contextlib.suppress(OSError):
        if rootfs.stat().st_dev == rootfs.parent.stat().st_dev:
            return 0
    return list(mounted_overlays()).count(rootfs)


def mounted_overlays() -> Iterator[Path]:
    """The mount points of all overlays, once for each mount (proc_pid_mountinfo(5))."""
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("overlay "):
            yield Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), before.split()[4]))


def _escaped(path: Path) -> str:
    # These are special in the options of overlayfs, which accepts this escape.
    return re.sub(r"([\\:,])", r"\\\1", str(path))
