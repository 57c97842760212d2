"""Finds out why an existing program cannot be executed, if the reason is certain (execve(2)).

For a missing interpreter the kernel reports "no such file or directory" about the script, which
does exist; this module names the missing file.
"""

from __future__ import annotations

import os
import platform
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from controllers.files.inside import (
    ContainerView,
    Missing,
)
from resources.go_format import (
    quote,
)

IN_ROOTFS: Final = "in the root filesystem"
ON_HOST: Final = "on this host"

_LINE: Final = 256
"""The first bytes of a script, which must have its interpreter (binfmts.h: ``BINPRM_BUF_SIZE``)."""
_DEPTH: Final = 5
"""The depth of nested interpreters that the kernel follows."""
_PROGRAM_HEADERS: Final = 128
_PT_INTERP: Final = 3
_PATH: Final = 4096

_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")

# elf.h: `e_machine`
_MACHINES: Final = {
    3: "i386",
    8: "mips",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
_RUNS: Final = {"x86_64": {"x86_64", "i386"}, "aarch64": {"aarch64", "arm"}}


def obstacle(program: str, file: Path | None, view: ContainerView, where: str) -> str:
    """The reason why ``file`` cannot be executed; "" if none is known.

    Messages call the file ``program``. ``view`` is the filesystem of its interpreter, which
    messages call ``where``.
    """
    if file is None:
        return ""
    return _Search(view, where).obstacle(program, file, _DEPTH)


class _Search:
    """One check of a program and of the files that are needed to execute it."""

    def __init__(self, view: ContainerView, where: str) -> None:
        self._view = view
        self._where = where

    def obstacle(self, program: str, file: Path, depth: int) -> str:
        try:
            # A pipe or device may not answer, so the open must not wait.
            fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            return ""
        try:
            mode = os.fstat(fd).st_mode
            return _wrong_kind(program, mode) or self._of_content(program, fd, depth)
        except (OSError, struct.error, IndexError):  # unreadable, or not a valid program
            return ""
        finally:
            os.close(fd)

    def _of_content(self, program: str, fd: int, depth: int) -> str:
        head = os.pread(fd, _LINE, 0)
        if head.startswith(b"#!"):
            return self._of_script(program, head, depth)
        if _others_may_run_it():
            return ""
        if not head:
            return f"{quote(program)} is empty"
        if not head.startswith(b"\x7fELF"):
            return f"{quote(program)} is neither a program nor a script that begins with #!"
        return _wrong_machine(program, head) or self._of_loader(program, fd, head, depth)

    def _of_script(self, program: str, head: bytes, depth: int) -> str:
        words = head[2:].split(b"\n")[0].strip(b" \t").replace(b"\t", b" ").split(b" ")
        interpreter = os.fsdecode(words[0])
        if not interpreter:
            return f"the first line of {quote(program)} names no interpreter"
        found = self._of_needed("interpreter", interpreter, program, depth)
        if found and interpreter.endswith("\r"):
            return f"{found}: the first line ends in a carriage return"
        return found

    def _of_loader(self, program: str, fd: int, head: bytes, depth: int) -> str:
        loader = _loader(fd, head)
        return self._of_needed("loader", loader, program, depth) if loader else ""

    def _of_needed(self, kind: str, path: str, program: str, depth: int) -> str:
        try:
            file = self._view.find(path)
        except Missing:
            return f"{kind} {quote(path)} of {quote(program)} is not {self._where}"
        return self.obstacle(path, file, depth - 1) if file and depth else ""


def _wrong_kind(program: str, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return f"{quote(program)} is a directory"
    if not stat.S_ISREG(mode):
        return f"{quote(program)} is not a regular file"
    if not mode & 0o111:
        permissions = f"{stat.S_IMODE(mode):04o}"
        return f"{quote(program)} is not executable (mode {permissions}): chmod +x"
    return ""


def _wrong_machine(program: str, head: bytes) -> str:
    wanted = _MACHINES.get(struct.unpack_from(f"{_order(head)}H", head, 18)[0])
    here = platform.machine()
    if not wanted or wanted in _RUNS.get(here, {wanted}):
        return ""
    return f"{quote(program)} is a program for {wanted}, and this machine is {here}"


def _order(head: bytes) -> str:
    return ">" if head[5] == 2 else "<"  # elf.h: ELFDATA2MSB


def _loader(fd: int, head: bytes) -> str:
    """The path in a program's ``PT_INTERP``; "" if it needs no loader."""
    for offset, size in _interpreters(fd, head):
        return os.fsdecode(os.pread(fd, min(size, _PATH), offset).split(b"\0")[0])
    return ""


def _interpreters(fd: int, head: bytes) -> Iterator[tuple[int, int]]:
    """Offset and size of each ``PT_INTERP`` in the program headers (elf(5))."""
    order, wide = _order(head), head[4] == 2  # elf.h: ELFCLASS64
    (table,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 32 if wide else 28)
    size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
    for number in range(min(count, _PROGRAM_HEADERS)):
        header = os.pread(fd, 64, table + number * size)
        if wide:
            kind, _, offset, _, _, length = struct.unpack_from(f"{order}IIQQQQ", header)
        else:
            kind, offset, _, _, length = struct.unpack_from(f"{order}IIIII", header)
        if kind == _PT_INTERP:
            yield offset, length


def _others_may_run_it() -> bool:
    """Whether the kernel is configured to execute more kinds of files (``binfmt_misc``)."""
    try:
        return any(entry.name not in {"register", "status"} for entry in _BINFMT.iterdir())
    except OSError:
        return False
