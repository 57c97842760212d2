"""What signals ask of `cosi run`; issue 14, item 16."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cosi.cli.program import ROOT, Machine

HOUSE = "tests.cosi.cli.house:application"
LAMP = "metadata: {type: Lamps.house.example.dev, namespace: house, id: desk}\nspec: {on: true}\n"
# `cosi` in the terminal that is file argv[1], with this SIGHUP: the suite may run under nohup.
IN_A_TERMINAL = """
import os, signal, sys
os.login_tty(int(sys.argv.pop(1)))
signal.signal(signal.SIGHUP, signal.Handlers[sys.argv.pop(1)])
from cosi.cli import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_ends_everything_in_order(tmp_path: Path, number: signal.Signals) -> None:
    machine = Machine(tmp_path)
    with machine.running(HOUSE):
        assert machine.process
        machine.process.send_signal(number)
        assert machine.process.wait() == 0
    assert not machine.socket.exists()


def test_sighup_ends_nothing_and_has_everything_read_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with machine.running(HOUSE):
        assert machine.process
        for _ in range(2):
            machine.process.send_signal(signal.SIGHUP)
            machine.until("SIGHUP: everything is read again")
        applied = machine.cosi("apply", "-f", "-", input=LAMP)
        assert applied.stdout == "Lamps.house.example.dev(house/desk) created\n"


def test_sigusr1_logs_how_controllers_and_services_are(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    definitions = tmp_path / "usr/local/etc/containers"
    definitions.mkdir(parents=True)
    text = "name: a\ncontainer: {entrypoint: ./a}\ndepends: [{path: /nowhere}]\nrestart: always\n"
    (definitions / "a.yaml").write_text(text)
    with machine.running("--runtime", "process", HOUSE, "extension-services"):
        machine.until("Waiting for file")
        assert machine.process
        machine.process.send_signal(signal.SIGUSR1)
        machine.until("status: that is all")
        machine.process.send_signal(signal.SIGUSR1)  # it may be asked as often as one likes
        machine.until("status: that is all")
    said = "".join(machine.log)
    assert '"status: runtime"' in said
    assert '"status: controller cast"' in said
    assert '"status: controller RunnerController"' in said
    assert "status: service[ext-a](Waiting): Waiting for file" in said


@contextmanager
def in_a_terminal(machine: Machine, sighup: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that serves, and the other end of its terminal."""
    terminal, mine = pty.openpty()
    program = (sys.executable, "-c", IN_A_TERMINAL, str(mine), sighup)
    command = (*program, "run", "--root", str(machine.root), HOUSE)
    with subprocess.Popen(command, cwd=ROOT, pass_fds=(mine,), text=True) as process:
        os.close(mine)
        try:
            read_until(terminal, b"serving on")
            yield process, terminal
        finally:
            process.kill()  # if it has not ended as it should


def read_until(terminal: int, words: bytes) -> None:
    read = b""
    while words not in read:
        read += os.read(terminal, 4096)


def test_the_end_of_its_terminal_ends_it_in_order(tmp_path: Path) -> None:
    """It is SIGHUP that says so: whoever closes a window does not want to reload."""
    machine = Machine(tmp_path)
    with in_a_terminal(machine, "SIG_DFL") as (process, terminal):
        process.send_signal(signal.SIGHUP)  # another program's: the terminal is there
        read_until(terminal, b"everything is read again")
        os.close(terminal)
        assert process.wait() == 0
    assert not machine.socket.exists()


def test_under_nohup_the_end_of_its_terminal_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with in_a_terminal(machine, "SIG_IGN") as (process, terminal):
        os.close(terminal)
        applied = machine.cosi("apply", "-f", "-", input=LAMP)
        assert applied.stdout == "Lamps.house.example.dev(house/desk) created\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
