"""Whoever reads what the program writes cannot stop it: blocked, closed and full outputs.

Issue 14, item 13: a blocked stdout or stderr stopped everything, SIGTERM too.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cosi.cli.program import Machine
from tests.cosi.cli.talker import LINE, LINES
from tests.program.process import ROOT, Program

TALKER = "tests.cosi.cli.talker:application"
PROGRAM = (sys.executable, "-c", "from cosi.cli import main; main()")


@pytest.fixture
def done(tmp_path: Path) -> Path:
    path = tmp_path / "done"
    os.mkfifo(path)
    return path


@contextmanager
def talking(machine: Machine, done: Path, *more: str) -> Iterator[Program]:
    """A machine that has talked, from when it is done with that; nobody has read a word."""
    where = ("--root", str(machine.root), "--done", str(done))
    program = machine.begin("run", *where, "--log-format", "console", *more, TALKER)
    try:
        with done.open() as heard:
            assert heard.readline() == "done\n"
        yield program
    finally:
        program.send_signal(signal.SIGKILL)
        program.communicate()


def test_a_machine_whose_output_nobody_reads_answers_and_ends_in_order(
    tmp_path: Path, done: Path
) -> None:
    machine = Machine(tmp_path)
    with talking(machine, done) as program:
        assert "lamps.house.example.dev" in machine.cosi("get", "rd").stdout
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 0
    assert not machine.socket.exists()


def test_what_was_dropped_is_counted_and_logged_when_somebody_reads(
    tmp_path: Path, done: Path
) -> None:
    machine = Machine(tmp_path)
    counted = r"(\d+) lines of {} were dropped: they were not read in time"
    with talking(machine, done) as program, ThreadPoolExecutor(2) as threads:
        assert program.stdout is not None
        assert program.stderr is not None
        log: list[str] = []
        out = threads.submit(program.stdout.read)
        while sum("were dropped" in line for line in log) < 2:
            log.append(program.stderr.readline())
            assert log[-1], "".join(log)[-1000:]
        program.send_signal(signal.SIGTERM)
        log += program.stderr.readlines()
        assert program.wait() == 0
        printed = out.result().splitlines()
    dropped = {
        name: int(found[1])
        for name in ("stdout", "stderr")
        if (found := re.search(counted.format(name), "".join(log)))
    }
    assert len(printed) + dropped["stdout"] == LINES
    logged = [line for line in log if LINE in line and "Warning" not in line]
    assert LINES / 2 < len(logged) + dropped["stderr"] <= LINES + 10


def test_the_table_of_once_is_read_whole_by_a_reader_who_is_slow(tmp_path: Path) -> None:
    program = Machine(tmp_path).begin("run", "--root", str(tmp_path), "--once", TALKER)
    assert program.stderr is not None
    with program, ThreadPoolExecutor(1) as threads:
        log = threads.submit(program.stderr.read)
        assert program.stdout is not None
        said = program.stdout.read()
        assert program.wait() == 0, log.result()
    assert said.endswith("\nthe report\n")


def test_once_ends_at_a_signal_though_nobody_reads_its_table(tmp_path: Path, done: Path) -> None:
    with talking(Machine(tmp_path), done, "--once") as program:
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_machine_runs_with_standard_files_that_are_closed(tmp_path: Path, closed: str) -> None:
    """What is opened next got their numbers, and what C libraries write to stderr."""
    command = (*PROGRAM, "run", "--root", str(tmp_path), "--once", TALKER)
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh", *command)
    ended = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-1000:]
    assert ended.stdout.endswith("the report\n") is (">&-" not in closed.split())
    assert bool(ended.stderr) is ("2>&-" not in closed.split())


def test_the_standard_files_are_never_what_the_program_opens(tmp_path: Path) -> None:
    code = (
        "from cosi.cli.standard_files import open_closed_ones; open_closed_ones()\n"
        "import os, sys\n"
        "opened = os.open('/', 0)\n"
        "print('out'); print('err', file=sys.stderr); sys.stdin.read()\n"
        "sys.exit(0 if opened > 2 and os.get_inheritable(1) else 1)\n"
    )
    shell = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code)
    assert subprocess.run(shell, cwd=ROOT, check=False).returncode == 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("house"))
    applications = ("tests.cosi.cli.house:application", "extension-services")
    with machine.running("--runtime", "process", *applications):
        yield machine


ASKING = (
    ("get", "rd"),
    ("get", "rd", "-o", "yaml"),
    ("get", "rd", "-o", "json"),
    ("get", "rd", "-o", "jsonpath={.metadata.id}"),
    ("get", "rd", "-w"),
    ("get", "rd", "-w", "-o", "yaml"),
    ("explain", "servicegates"),
    ("schema", "definition"),
    ("completion", "bash"),
    ("services",),
    ("service",),
    ("events",),
    ("events", "-f"),
    ("inspect", "dependencies"),
    ("version",),
    ("--help",),
    ("get", "--help"),
)


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_a_command_whose_reader_has_gone_ends_without_a_word(
    house: Machine, command: tuple[str, ...]
) -> None:
    with house.begin(*command) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said
    assert "Broken pipe" not in said


# One that follows events has nothing to write before there is one.
WRITING = tuple(command for command in ASKING if command != ("events", "-f"))


@pytest.mark.parametrize("command", WRITING[::3], ids=" ".join)
def test_a_command_that_cannot_write_says_so_in_a_line(
    house: Machine, command: tuple[str, ...]
) -> None:
    shell = ("sh", "-c", 'exec "$@" >/dev/full', "sh", *PROGRAM, *command)
    ended = subprocess.run(
        shell, cwd=ROOT, capture_output=True, text=True, check=False, env=house.environment
    )
    said = "cosi: the output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, said)
