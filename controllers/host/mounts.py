"""The mount table: mount points, and the file systems whose changes inotify does not report."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")

SILENT = frozenset({
    *("proc", "sysfs", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "pstore"),
    *("securityfs", "tracefs"),
    *("9p", "afs", "ceph", "cifs", "fuse", "fuseblk", "lustre", "nfs", "nfs4", "smb3", "virtiofs"),
})  # fmt: skip
"""Their content is made by the kernel or another machine: inotify(7), "Limitations and caveats"."""


def silent_devices(mountinfo: Iterable[str]) -> Iterator[int]:
    """The device numbers of silent file systems among the lines of ``/proc/self/mountinfo``."""
    for line in mountinfo:
        fields, _, tail = line.partition(" - ")
        kind = tail.partition(" ")[0]
        if kind in SILENT or kind.startswith("fuse."):
            major, _, minor = fields.split(" ")[2].partition(":")
            yield os.makedev(int(major), int(minor))


def mount_points() -> Iterator[Path]:
    """The mount points, one for each mount (proc_pid_mountinfo(5))."""
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        yield Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), line.split(" ")[4]))
