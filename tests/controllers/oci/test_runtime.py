"""What a runtime's command leaves behind, with commands that do as crun's, more slowly."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.oci import runtime as oci_runtime
from controllers.oci.runtime import OCIRuntime, RuntimeFailure
from controllers.processes import syscalls
from controllers.processes.processes import Process, all_processes, read_stat
from controllers.processes.run_directory import (
    RunDirectory,
)

# As crun does: what makes the container is a process of its own, and never waits for it.
SLOW_TO_GO = """
import os, time
begin, made = os.pipe()
if os.fork():
    os.read(begin, 1)
else:
    pid = os.fork() or os._exit(3)
    with open({pid_file!r}, "w") as file:
        file.write(str(pid))
    os.write(made, b"!")
    time.sleep(0.1)
"""
NEVER_DONE = """
import os, time
if os.fork():
    os.wait()
else:
    time.sleep(1000)
"""
CONTAINER = """
import ctypes, os, time
CLONE_NEWPID = 0x20000000
assert ctypes.CDLL(None).unshare(CLONE_NEWPID) == 0
if not os.fork():
    time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def parent_of_orphans() -> Iterator[None]:
    """As whoever has opened a driver."""
    before = syscalls.is_child_subreaper()
    syscalls.set_child_subreaper(True)
    yield
    syscalls.set_child_subreaper(before)


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "ext-a")
    directory.make()
    return directory


def runtime(directory: RunDirectory, script: str) -> OCIRuntime:
    program = directory.path / "runtime"
    program.write_text(f"#!{sys.executable}\n" + script.format(pid_file=str(directory.pid_file)))
    program.chmod(0o755)
    return OCIRuntime(str(program), directory.path / "state")


def children() -> set[int]:
    return {stat.pid for stat in all_processes() if stat.parent == os.getpid()}


async def test_a_container_is_our_child_when_the_command_has_ended(directory: RunDirectory) -> None:
    before = children()
    pid = await runtime(directory, SLOW_TO_GO).run(directory, 1)
    stat = read_stat(pid)
    assert stat
    assert stat.parent == os.getpid()
    process = Process.find(pid)
    assert process
    assert await process.wait() == 3
    process.close()
    assert children() <= before


async def test_a_command_that_takes_too_long_is_killed_with_all_that_it_has_forked(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    monkeypatch.setattr(oci_runtime, "COMMAND_SECONDS", 0.3)
    with pytest.raises(RuntimeFailure, match=r"run did not end within 0\.3 seconds"):
        await runtime(directory, NEVER_DONE).run(directory, 1)
    living = {stat.pid for stat in all_processes() if not stat.dead}
    assert children() & living <= before


@pytest.mark.root
async def test_a_container_is_not_waited_for_as_the_command_that_it_was_forked_from(
    directory: RunDirectory,
) -> None:
    """Which would take as long as the service lives: crun's is a copy of its command at first."""
    before = children()
    slow = runtime(directory, CONTAINER)
    with pytest.raises(FileNotFoundError):  # nobody has written who it is
        await slow.run(directory, 1)
    [pid] = children() - before
    process = Process.find(pid)
    assert process
    async with asyncio.timeout(5):
        await slow.finish_commands()
    process.signal(signal.SIGKILL)
    assert await process.wait() == 128 + signal.SIGKILL
    process.close()
