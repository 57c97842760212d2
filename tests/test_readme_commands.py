"""What README.md prints is what is printed: its commands and its program really run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from tests.cosi.cli.program import ROOT, Machine

README = (ROOT / "README.md").read_text()
LEFT_BY_OTHERS = shutil.ignore_patterns("run", "var", "system")
UP = {"ext-hello-world": "Running", "ext-greeter": "Running", "ext-prepare": "Finished"}

pytestmark = [pytest.mark.lengthy, pytest.mark.timeout(180)]


class Shown(NamedTuple):
    """A command of a console block, and what stands below it."""

    command: str
    output: str


def shown(heading: str) -> list[Shown]:
    """The commands below a heading; ``# why`` behind one is not part of it."""
    text = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: list[Shown] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Shown(re.sub(r" {2,}#.*", "", line), output.rstrip("\n")))
    return found


AT_3_AM = shown("At 3 a.m.")


def alike(text: str) -> str:
    """Without what differs from run to run, and from host to host."""
    text = re.sub(rf"(?m)^({re.escape(socket.gethostname())}|vm)\b", "HOST", text)
    text = re.sub(r"PID \d+", "PID N", re.sub(r"\d+[smh] ago", "AGO", text))
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """As `make run` starts it, on a copy of its tree."""
    root = tmp_path_factory.mktemp("machine") / "rootfs"
    shutil.copytree(ROOT / "examples/rootfs", root, symlinks=True, ignore=LEFT_BY_OTHERS)
    machine = Machine(root)
    with machine.running("--fixtures", "examples/online.yaml", "--log-format", "console"):
        missing = {f"service[{id}]({phase})" for id, phase in UP.items()}
        while missing:
            line = machine.until("service[")
            missing -= {text for text in missing if text in line}
        yield machine


def test_what_is_typed_first_leads_to_the_machine_of_make_run() -> None:
    """The socket that the commands ask is the one that `make run` serves on."""
    recipe = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.run", "run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    export = AT_3_AM[0].command
    assert export in recipe
    root = re.search(r"cosi run --root (\S+)", recipe)
    assert root is not None
    assert f"COSI_SOCKET=$PWD/{root[1]}/run/cosi/cosi.sock" in export
    assert "PATH=$PWD/.venv/bin:$PATH" in export


def test_what_make_run_installs_can_serve_and_ask() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^\.venv/\.run:.*\n(\t.*\n)*\t.*-e '\.\[grpc\]'", makefile, re.MULTILINE)


def test_every_command_of_the_night_works_as_it_is_printed(machine: Machine) -> None:
    assert len(AT_3_AM) > 8
    for command, output in AT_3_AM[1:]:
        program, *arguments = command.split()
        assert program == "cosi"
        if "-f" in arguments:
            printed, code = followed(machine, arguments)
        else:
            done = machine.cosi(*arguments)
            printed, code = done.stdout + done.stderr, done.returncode
        assert code == int("validate" in arguments), f"{command}: {printed}"
        assert printed.strip(), command
        assert "Traceback" not in printed
        if output:
            assert alike(printed) == alike(output), command


def followed(machine: Machine, arguments: list[str]) -> tuple[str, int]:
    """The first line of what goes on, while a service is restarted; then Ctrl-C."""
    program = machine.begin(*arguments)
    assert program.stdout is not None
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(program.stdout.readline)
        while not first.done():
            machine.cosi("service", "ext-prepare", "restart")
        program.send_signal(signal.SIGINT)
        out, err = program.communicate()
        return first.result() + out + err, program.wait()


def lives(lines: Iterable[str]) -> dict[str, list[str]]:
    """What is logged of each service, in its order."""
    found: dict[str, list[str]] = {}
    for line in map(alike, lines):
        if service := re.match(r"service\[(\S+)\]", line):
            found.setdefault(service[1], []).append(line)
    return found


def is_in_order(part: list[str], whole: list[str]) -> bool:
    remaining = iter(whole)
    return all(line in remaining for line in part)


def until_all_are_up(output: IO[str]) -> Iterator[str]:
    missing = {f"service[{id}]({phase})" for id, phase in UP.items()}
    for line in output:
        yield line
        missing -= {text for text in missing if text in line}
        if not missing:
            return


def test_the_embedding_example_runs_all_three_services_and_shows_their_lives(
    tmp_path: Path,
) -> None:
    block = re.search(
        r"<!-- printed by: examples/embedding.py -->\n```text\n(.*?)```", README, re.S
    )
    assert block is not None
    shutil.copytree(ROOT / "examples", tmp_path / "examples", symlinks=True, ignore=LEFT_BY_OTHERS)
    with subprocess.Popen(
        [sys.executable, "examples/embedding.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        assert program.stdout is not None
        lines = list(until_all_are_up(program.stdout))
        program.send_signal(signal.SIGINT)
        lines += program.stdout
    assert program.returncode == 0, "".join(lines)
    printed, promised = lives(lines), lives(block[1].splitlines())
    assert promised.keys() == UP.keys()
    for id, part in promised.items():
        assert is_in_order(part, printed[id]), (part, printed[id])
