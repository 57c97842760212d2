"""Which file systems change without telling anyone who watches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

SILENT = frozenset({
    *("proc", "sysfs", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "pstore"),
    *("securityfs", "tracefs"),
    *("9p", "afs", "ceph", "cifs", "fuse", "fuseblk", "lustre", "nfs", "nfs4", "smb3", "virtiofs"),
})  # fmt: skip
"""Made by the kernel or by another machine: inotify(7), "Limitations and caveats"."""


def silent_devices(mountinfo: Iterable[str]) -> Iterator[int]:
    """The device numbers of silent file systems among the lines of ``/proc/self/mountinfo``."""
    for line in mountinfo:
        fields, _, tail = line.partition(" - ")
        kind = tail.partition(" ")[0]
        if kind in SILENT or kind.startswith("fuse."):
            major, _, minor = fields.split(" ")[2].partition(":")
            yield os.makedev(int(major), int(minor))
