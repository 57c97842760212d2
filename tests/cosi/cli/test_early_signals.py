"""Signals that come before the event loop listens are remembered, and nothing is begun then."""

import signal
from collections.abc import Iterator, Sequence

import pytest
from click.testing import CliRunner

from cosi.cli.application import Application
from cosi.cli.early_signals import STOPPING, early_signals
from cosi.cli.program import program
from cosi.cli.run import run


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in STOPPING]
    yield
    assert [signal.getsignal(number) for number in STOPPING] == before


finished: list[str] = []


def told_early() -> Application:
    """SIGTERM comes while the application is built."""

    async def finish() -> Sequence[str]:
        finished.append("finished")
        return ()

    async def begin(_: object) -> None:
        finished.append("begun")

    signal.raise_signal(signal.SIGTERM)
    return Application([], finish=finish, background=[begin])


def not_stopped() -> Application:
    """Something of it cannot be stopped."""

    async def finish() -> Sequence[str]:
        return ("ext-a: it hangs", "ext-b: it hangs too")

    return Application([], finish=finish)


def test_a_signal_while_the_program_begins_ends_it_in_order(tmp_path: object) -> None:
    finished.clear()
    result = CliRunner().invoke(run, [f"{__name__}:told_early", "--root", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert finished == ["finished"]


def test_what_could_not_be_stopped_is_named_and_the_exit_code_is_1(tmp_path: object) -> None:
    arguments = ["run", f"{__name__}:not_stopped", "--root", str(tmp_path), "--once"]
    result = CliRunner().invoke(program, arguments)
    assert result.exit_code == 1
    assert "not everything is stopped: ext-a: it hangs; ext-b: it hangs too" in result.output


@pytest.mark.parametrize("arguments", [["--help"], ["--no-such-option"]])
def test_a_command_that_does_not_run_leaves_the_signals_as_they_were(arguments: list[str]) -> None:
    CliRunner().invoke(run, arguments)


def test_only_the_first_signal_is_remembered_and_none_of_a_life_before() -> None:
    early_signals.begin()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    early_signals.begin()
    assert early_signals.first is signal.SIGTERM
    early_signals.end()
    early_signals.end()
    early_signals.begin()
    assert early_signals.first is None
    early_signals.end()
