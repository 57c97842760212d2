"""`cosi run --reload`: real processes, whose source changes, breaks and is mended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from cosi.cli.run import run
from tests.cosi.cli.program import Machine
from tests.program.reloading import reloading

pytestmark = [pytest.mark.lengthy, pytest.mark.timeout(300)]

SOURCE = """\
from cosi import Controller, Input, Output, Spec

FACTOR = 2


class Wish(Spec, type="Wishes.mine.example.dev", default_namespace="mine"):
    value: int = 0


class Answer(Spec, type="Answers.mine.example.dev", default_namespace="mine"):
    value: int = 0


class Multiplier(Controller):
    wishes = Input(Wish)
    answers = Output(Answer)

    async def reconcile(self) -> None:
        async with self.answers.track() as answers:
            for wish in await self.wishes.list():
                await answers.apply(wish.id, Answer(value=FACTOR * wish.spec.value))


def application():
    return [Multiplier()]
"""
WISH = "metadata: {{type: Wishes.mine.example.dev, namespace: mine, id: {}}}\nspec: {{value: {}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with one module; what is written there is not on any path."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "mine.py").write_text(SOURCE)
    return directory


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "root")


def answers(machine: Machine) -> dict[str, str]:
    shown = machine.cosi("get", "answers", "-o", "jsonpath={.metadata.id}{.spec.value}")
    lines = shown.stdout.splitlines()  # each result is on one
    return dict(zip(lines[::2], lines[1::2], strict=True))


def test_a_change_starts_the_same_process_again_and_keeps_what_was_put_in(
    project: Path, machine: Machine
) -> None:
    fixture = project / "wishes.yaml"
    fixture.write_text("---\n".join(WISH.format(id, 1) for id in ("changed", "edited")))
    with reloading(project, machine.root, "--fixtures", str(fixture)) as program:
        program.until("serving on")
        for id, value in {"mine": 21, "edited": 5}.items():
            applied = machine.cosi("apply", "-f", "-", input=WISH.format(id, value))
            assert applied.returncode == 0, applied.stderr
        assert answers(machine) == {"changed": "2", "edited": "10", "mine": "42"}
        assert inherited(program.process.pid) == []
        fixture.write_text("---\n".join(WISH.format(id, 7) for id in ("changed", "edited")))
        program.change("FACTOR = 2", "FACTOR = 3")
        assert program.until("restarting").endswith(str(project / "mine.py"))
        program.until("serving on")
        assert answers(machine) == {"changed": "21", "edited": "15", "mine": "63"}
        assert inherited(program.process.pid) == []
        assert program.end(signal.SIGTERM) == 0
    assert not machine.socket.exists()


def inherited(pid: int) -> list[str]:
    """What the next program in this process would find open, but for the standard files."""
    found: list[str] = []
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed by now
            flags = int(info.read_text().partition("flags:")[2].split()[0], 8)
            if int(info.name) > 2 and not flags & os.O_CLOEXEC:
                found.append(str(Path(f"/proc/{pid}/fd", info.name).readlink()))
    return found


def test_what_runs_goes_on_until_the_source_can_be_loaded(project: Path, machine: Machine) -> None:
    source = project / "mine.py"
    with reloading(project, machine.root) as program:
        program.until("serving on")
        machine.cosi("apply", "-f", "-", input=WISH.format("mine", 1))
        broken = {
            "FACTOR = = 2": f"{source}:3:10: SyntaxError: invalid syntax; what runs goes on",
            "FACTOR = nothing": f"{source}:3: NameError: name 'nothing' is not defined; what",
        }
        before = "FACTOR = 2"
        for text, problem in broken.items():
            program.change(before, text)
            assert problem in program.until("cannot be loaded")
            before = text
        assert answers(machine) == {"mine": "2"}
        program.change(before, "FACTOR = 4")
        program.until("restarting")
        program.until("serving on")
        assert answers(machine) == {"mine": "4"}
        assert program.end(signal.SIGINT) == 0


def test_a_source_that_is_broken_from_the_beginning_is_waited_for(
    project: Path, machine: Machine
) -> None:
    source = project / "mine.py"
    source.write_text(SOURCE.replace("FACTOR = 2", "FACTOR = = 2"))
    with reloading(project, machine.root) as program:
        assert program.until("SyntaxError") == f"cosi: {source}:3:10: SyntaxError: invalid syntax"
        program.until("waiting for the source to change")
        program.change("= = 2", "= 2")
        program.until("serving on")
        assert program.end(signal.SIGTERM) == 0


def test_a_signal_ends_the_wait(project: Path, machine: Machine) -> None:
    (project / "mine.py").write_text("import missing\n")
    with reloading(project, machine.root) as program:
        program.until("waiting for the source to change")
        assert program.end(signal.SIGTERM) == 2
        assert "No module named 'missing'" in program.log[-1]


def test_one_that_cannot_be_built_again_is_waited_for_and_the_end_says_what_is_left(
    project: Path, machine: Machine
) -> None:
    with reloading(project, machine.root) as program:
        program.until("serving on")
        program.change("return [Multiplier()]", "return [Multiplier(), nothing]")
        assert "mine.py:25: NameError" in program.until("NameError")
        program.until("waiting for the source to change")
        program.change("Multiplier(), nothing", "Multiplier(), Multiplier()")
        assert 'controller "Multiplier" already registered' in program.until("already registered")
        program.until("waiting for the source to change")
        assert program.end(signal.SIGTERM) == 1
        assert "what the previous run has started" in program.log[-1]


def test_it_is_not_for_a_run_that_ends_by_itself() -> None:
    result = CliRunner().invoke(run, ["tests.cosi.cli.house:application", "--reload", "--once"])
    assert result.exit_code == 2
    assert "--reload goes on, and --once does not" in result.output
