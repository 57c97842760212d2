"""Processes: which one it is, when it ends, and how it ended."""

# ruff: noqa: ASYNC220, ASYNC222 nobody else is kept waiting here

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controllers.processes import syscalls
from controllers.processes.processes import Process, all_processes, boot_id, read_stat
from controllers.processes.reaper import Reaper

SLEEP = ("sleep", "1000")


@contextmanager
def child(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command)
    yield process
    process.returncode = 0  # waited for by the test


def held(pid: int) -> Process:
    process = Process.find(pid)
    assert process
    return process


@pytest.mark.parametrize("code", [0, 1, 3, 255])
async def test_an_exit_code_is_the_programs(code: int) -> None:
    with child("sh", "-c", f"exit {code}") as started:
        process = held(started.pid)
        assert await process.wait() == code
        assert await process.wait() == code
        process.close()
        process.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
async def test_death_by_a_signal_is_128_and_its_number(number: int) -> None:
    with child(*SLEEP) as started:
        process = held(started.pid)
        process.signal(number)
        assert await process.wait() == 128 + number
        process.signal(number)  # nobody is there any more
        process.close()


async def test_the_child_of_somebody_else_can_be_waited_for_while_it_is_a_zombie() -> None:
    """As one that was taken over: the shell never waits for the first sleep."""
    script = "sleep 0.05 & echo $!; exec sleep 1000"
    parent = subprocess.Popen(("sh", "-c", script), stdout=subprocess.PIPE)
    assert parent.stdout
    process = held(int(parent.stdout.readline()))
    assert await process.wait() == 0
    process.close()
    parent.kill()
    parent.communicate()


async def test_the_child_of_somebody_who_waits_for_it_is_told_by_new_kernels_only() -> None:
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '1000'])\n"
    script += "print(p.pid, flush=True); p.wait(); print('waited', flush=True); sys.stdin.read()"
    parent = subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout
    process = held(int(parent.stdout.readline()))
    process.signal(signal.SIGTERM)
    parent.stdout.readline()
    assert await process.wait() in {143, None}
    process.close()
    parent.communicate()


def test_nobody_is_nobody() -> None:
    with child("true") as started:
        os.waitpid(started.pid, 0)
        assert Process.find(started.pid) is None
        assert read_stat(started.pid) is None


def test_an_id_that_another_process_has_got_since_is_refused() -> None:
    me = read_stat(os.getpid())
    assert me
    assert Process.find(me.pid, me.start_time + 1) is None
    known = Process.find(me.pid, me.start_time)
    assert known
    known.close()


def test_a_name_with_blanks_and_parentheses_is_no_riddle() -> None:
    script = "import ctypes; ctypes.CDLL(None).prctl(15, b'a) Z (b'); print(flush=True); input()"
    process = subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    stat = read_stat(process.pid)
    assert stat
    assert stat.parent == os.getpid()
    assert not stat.dead
    process.communicate(b"\n")


def test_every_process_is_seen() -> None:
    assert os.getpid() in {stat.pid for stat in all_processes()}


def test_a_boot_has_an_id() -> None:
    assert len(boot_id()) == 36


def test_being_a_subreaper_can_be_said_and_asked() -> None:
    before = syscalls.is_child_subreaper()
    syscalls.set_child_subreaper(True)
    assert syscalls.is_child_subreaper()
    syscalls.set_child_subreaper(before)
    assert syscalls.is_child_subreaper() is before


def test_an_error_of_a_system_call_names_the_path() -> None:
    with pytest.raises(OSError, match="'/no/where'"):
        syscalls.unmount(Path("/no/where"))


# Orphans


def orphan(session: bool) -> tuple[subprocess.Popen[bytes], int]:
    """A leader that has ended, not yet waited for, and its orphan, which has not."""
    script = "sleep 1000 & echo $!"
    leader = subprocess.Popen(
        ("sh", "-c", script), stdout=subprocess.PIPE, start_new_session=session
    )
    assert leader.stdout
    pid = int(leader.stdout.readline())
    leader.stdout.close()
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    return leader, pid


async def test_orphans_of_a_service_are_waited_for() -> None:
    reaper = Reaper()
    with reaper.working():
        leader, pid = orphan(session=True)
        reaper.sessions.add(leader.pid)
        process = held(pid)
        os.kill(pid, signal.SIGKILL)
        await process.wait()
        process.close()
        reaper.reap()
        assert read_stat(pid) is None
        assert leader.wait() == 0  # left to whoever started it


async def test_an_orphan_of_a_session_that_nobody_knows_is_waited_for() -> None:
    """crun makes a container in such a process, and leaves it to whoever is there."""
    reaper = Reaper()
    with reaper.working():
        leader, pid = orphan(session=True)
        process = held(pid)
        os.kill(pid, signal.SIGKILL)
        await process.wait()
        process.close()
        reaper.reap()
        assert read_stat(pid) is None
        assert leader.wait() == 0


async def test_children_of_other_code_are_left_to_it() -> None:
    reaper = Reaper()
    with reaper.working():
        other = subprocess.Popen(("sh", "-c", "exit 7"), start_new_session=True)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        reaper.reap()
        assert other.wait() == 7


DEAD_BEFORE_ITS_PROGRAM = (
    "import ctypes, os; os.setsid(); ctypes.CDLL(None).prctl(15, b'runc:[2:INIT]'); os._exit(1)"
)


def dead_container() -> int:
    """What runc leaves of a program that cannot be executed: a child of ours that has ended."""
    pid = os.posix_spawn(sys.executable, (sys.executable, "-c", DEAD_BEFORE_ITS_PROGRAM), {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


async def test_a_container_that_ends_before_the_command_that_made_it_keeps_how_it_ended() -> None:
    """Its name is still runc's own, and nobody has said yet that it is a service's."""
    reaper = Reaper()
    with reaper.working():
        with reaper.expecting():
            pid = dead_container()
            reaper.reap()
            process = held(pid)
            reaper.sessions.add(pid)
        reaper.reap()
        assert await process.wait() == 1
        process.close()


async def test_what_runc_gave_up_is_waited_for_when_no_container_can_come_of_it() -> None:
    reaper = Reaper()
    with reaper.working(), reaper.expecting():
        with reaper.expecting():
            pid = dead_container()
            reaper.reap()
        reaper.reap()
        assert read_stat(pid) is not None  # it may still be what the first one expects
        with reaper.expecting():
            reaper.reap()
            assert read_stat(pid) is not None
    assert read_stat(pid) is None


async def test_a_start_that_lasts_keeps_no_zombie_that_was_there_before_it() -> None:
    reaper = Reaper()
    with reaper.working():
        with reaper.expecting():
            pid = dead_container()
            reaper.reap()
            later = reaper.expecting()
            later.__enter__()
        assert read_stat(pid) is None
        later.__exit__(None, None, None)
