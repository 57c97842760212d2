"""Why a program that is there cannot be executed is found out, and said in words."""

import os
import platform
import shutil
import struct
import sys
from pathlib import Path

import pytest

from controllers.files.inside import (
    ContainerView,
)
from controllers.oci.executable import IN_ROOTFS, obstacle


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/sh", elf())
    return tmp_path


def program(path: Path, content: bytes, mode: int = 0o755) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def elf(machine: int = 0, loader: bytes = b"", *, wide: bool = True, order: str = "<") -> bytes:
    """The headers of a program; `machine` 0 is this one."""
    own = {"x86_64": 62, "aarch64": 183}.get(platform.machine(), 0)
    ident = bytes((0x7F, *b"ELF", 2 if wide else 1, 1 if order == "<" else 2, 1)).ljust(16, b"\0")
    size, header, table = (64, 56, "QQQ") if wide else (52, 32, "III")
    offset = size + header
    head = ident + struct.pack(f"{order}HHI{table}I", 2, machine or own, 1, 0, size, 0, 0)
    head += struct.pack(f"{order}HHHHHH", size, header, 1 if loader else 0, 0, 0, 0)
    wide_fields = (3, 4, offset, 0, 0, len(loader) + 1, 0, 1)
    narrow_fields = (3, offset, 0, 0, len(loader) + 1, 0, 4, 1)
    fields = struct.pack(f"{order}IIQQQQQQ", *wide_fields)
    if not wide:
        fields = struct.pack(f"{order}IIIIIIII", *narrow_fields)
    return head + fields + loader + b"\0"


def why(rootfs: Path, name: str = "/run.sh") -> str:
    view = ContainerView(rootfs)
    return obstacle(name, view.find(name), view, IN_ROOTFS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#!/bin/bash\n", 'interpreter "/bin/bash" of "/run.sh" is not in the root filesystem'),
        (b"#! \t/bin/bash -e\n", 'interpreter "/bin/bash" of "/run.sh" is not in the root file'),
        (b"#!bin/bash", 'interpreter "bin/bash" of "/run.sh" is not in the root filesystem'),
        (b"#!/bin/sh\r\n", r'interpreter "/bin/sh\r" of "/run.sh" is not in the root filesystem'),
        (b"#!/bin/sh\r\n", "the first line ends in a carriage return"),
        (b"#!\n/bin/sh", 'the first line of "/run.sh" names no interpreter'),
        (b"", '"/run.sh" is empty'),
        (b"echo\n", '"/run.sh" is neither a program nor a script that begins with #!'),
        (elf(loader=b"/lib/ld"), 'loader "/lib/ld" of "/run.sh" is not in the root filesystem'),
        (elf(8, order=">"), '"/run.sh" is a program for mips, and this machine is '),
        (elf(loader=b"/lib/ld", wide=False), 'loader "/lib/ld" of "/run.sh" is not in the root'),
    ],
)
def test_what_is_missing_is_named(rootfs: Path, content: bytes, reason: str) -> None:
    program(rootfs / "run.sh", content)
    assert reason in why(rootfs)


@pytest.mark.parametrize(
    "content", [b"#!/bin/sh\n", b"#!/bin/sh -e\r\n", b"#!/link/sh\n", elf(), b"\x7fELF", elf()[:60]]
)
def test_of_what_may_work_nothing_is_said(rootfs: Path, content: bytes) -> None:
    (rootfs / "link").symlink_to("/bin")
    program(rootfs / "run.sh", content)
    assert why(rootfs) == ""


def test_an_interpreter_is_a_program_that_must_be_executable_too(rootfs: Path) -> None:
    program(rootfs / "run.sh", b"#!/bin/bash\n")
    program(rootfs / "bin/bash", b"#!/bin/perl\n")
    assert why(rootfs) == 'interpreter "/bin/perl" of "/bin/bash" is not in the root filesystem'
    program(rootfs / "bin/bash", elf(loader=b"/lib/ld"))
    assert why(rootfs) == 'loader "/lib/ld" of "/bin/bash" is not in the root filesystem'
    program(rootfs / "bin/bash", b"#!/bin/bash\n")
    assert why(rootfs) == ""  # the kernel gives up, and says so


def test_what_is_no_program_at_all_is_said_to_be_none(rootfs: Path) -> None:
    program(rootfs / "run.sh", b"#!/bin/sh\n", 0o644)
    assert why(rootfs) == '"/run.sh" is not executable (mode 0644): chmod +x'
    assert why(rootfs, "/bin") == '"/bin" is a directory'
    os.mkfifo(rootfs / "fifo", 0o755)
    assert why(rootfs, "/fifo") == '"/fifo" is not a regular file'


def test_the_programs_of_this_machine_can_be_executed() -> None:
    host = ContainerView(Path("/"))
    for path in filter(None, (sys.executable, shutil.which("sh"), shutil.which("ls"))):
        assert obstacle(path, host.find(path), host, "") == ""
