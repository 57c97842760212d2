"""The writable layer over a service's root filesystem, and the mounts that an earlier life left.

Talos mounts it so that a runtime can make mount points in a read-only image; it does the same for
a tree on a disk, which is then never written to. Fixed here (differences: Talos 7): the layer is
wiped at each start unless the service may write to it, and mounts never stack.

No two mounts have the same directories. An unmounted layer may live on in another mount namespace,
as in a service that binds `/`; the kernel calls what follows from a second mount of its directories
undefined, and refuses it where overlayfs keeps an index (kernel documentation, overlayfs, "Sharing
and copying layers"). So the directories are made anew each time, and what is kept is moved over.
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

# Filesystems that cannot be a layer (overlayfs on overlayfs, mostly), and supervisors that may not
# mount: a service is better off without a layer than not at all.
_NOT_HERE: Final = frozenset({errno.EINVAL, errno.EPERM, errno.ENODEV, errno.EOPNOTSUPP})


@dataclass(frozen=True)
class Overlay:
    """Where the layers of one service are."""

    rootfs: Path
    """Both the lower layer and the mount point."""
    upper: Path
    work: Path

    def mount(self, *, keep_changes: bool) -> str:
        """Mount the layer; return why that is not possible on this machine, or "".

        Raises:
            OSError: it should be possible, but failed; nothing is mounted then.
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
            if not keep_changes:  # what was written may be wanted again, where there is a layer
                self.wipe()
            return f"No overlay over {self.rootfs}: {error.strerror}"
        return ""

    def unmount(self) -> None:
        """Take away every layer of ours that is mounted there; idempotent.

        Raises:
            OSError: one of them cannot be taken away.
        """
        for _ in range(mounted_times(self.rootfs)):
            try:
                syscalls.unmount(self.rootfs, syscalls.UMOUNT_NOFOLLOW)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                # Somebody looks into it. It is out of the way at once, and gone when they leave.
                flags = syscalls.UMOUNT_NOFOLLOW | syscalls.MNT_DETACH
                syscalls.unmount(self.rootfs, flags)

    def wipe(self) -> None:
        """Forget what was written to the layer, which must not be mounted."""
        for directory in (self.upper, self.work, self._before):
            _remove(directory)

    @property
    def _before(self) -> Path:
        """Where the layer of the mount before is while what it holds is moved."""
        return self.upper.with_name(f"{self.upper.name}.before")

    def _renew(self, *, keep_changes: bool) -> None:
        """Make both directories, which no mount can have yet; what is kept is in the upper one."""
        if keep_changes:
            # Where there is one already, a supervisor was killed while it moved: go on with that.
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
        """Move what was written, and what the root directory itself has become."""
        for entry in sorted(self._before.iterdir()):
            entry.rename(self.upper / entry.name)
        owner = self._before.stat()
        os.chown(self.upper, owner.st_uid, owner.st_gid)
        # With the attributes that overlayfs keeps there itself.
        shutil.copystat(self._before, self.upper)
        self._before.rmdir()


def _remove(directory: Path) -> None:
    """Take away a layer of any depth, itself if it is a link, and nothing that is mounted in it."""
    if directory.parent.is_dir():
        Beneath(directory.parent).remove(directory)


def mounted_times(rootfs: Path) -> int:
    """How many overlays lie on top of each other on `rootfs`."""
    # Each has a device number of its own: only where there is one has the long list to be read.
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
    # Both stand for something in the options of overlayfs, which knows this way out.
    return re.sub(r"([\\:,])", r"\\\1", str(path))
