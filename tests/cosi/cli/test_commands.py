"""How commands are found, and what they say of what cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cosi import InMemoryState, Runtime
from cosi.cli._listeners import Listening, serving
from cosi.cli.application import Application, CannotStart
from cosi.cli.program import Commands, program


def _cosi(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


def test_help_has_a_line_for_every_command() -> None:
    commands = _cosi("--help").stdout.partition("Commands:")[2].split()
    assert {"apply", "delete", "explain", "gen", "get", "run", "schema", "validate"} < set(commands)


@pytest.mark.parametrize("name", sorted(Commands.installed()))
def test_every_command_has_help_of_its_own(name: str) -> None:
    result = _cosi(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    assert "cannot be loaded" not in result.stdout


def test_get_is_known_as_g() -> None:
    assert "g [OPTIONS] TYPE [ID]" in _cosi("g", "--help").stdout


def test_a_command_that_cannot_be_loaded_says_why_and_disturbs_no_other() -> None:
    class Entry:
        name = value = "broken"

        def load(self) -> object:
            raise ImportError("no module")

    group = Commands("cosi")
    group.installed = lambda: {"broken": Entry()}  # type: ignore[assignment,dict-item,return-value]
    assert "(cannot be loaded: no module)" in CliRunner().invoke(group, ["--help"]).stdout
    result = CliRunner().invoke(group, ["broken", "--any", "thing"])
    assert (result.exit_code, result.stderr) == (
        1,
        "cosi: command 'broken' cannot be loaded: no module\n",
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script(shell: str) -> None:
    assert "_COSI_COMPLETE" in _cosi("completion", shell).stdout


@pytest.mark.parametrize("options", [("--listen", "127.0.0.1:0"), ("--client-ca", __file__)])
def test_tls_options_that_do_not_go_together_are_usage(options: tuple[str, ...]) -> None:
    result = _cosi("run", *options, "tests.cosi.cli.house:application")
    assert result.exit_code == 2
    assert "--listen" in result.stderr


def test_certificates_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()
    result = _cosi("gen", "config", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == f"cosi: {tmp_path}/ca.crt already exists; choose an empty directory\n"


# -- serving ----------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # gRPC


async def test_without_grpc_everything_runs_but_nothing_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "cosi.api.server", None)  # as if it were not installed
    runtime, usual = Runtime(InMemoryState()), Listening(tmp_path / "run/s")

    async with serving(runtime, [Application([])], usual):
        assert not (tmp_path / "run").exists()
    assert caplog.text.count("nothing is served") == 1

    with pytest.raises(CannotStart, match=r"cosi\[grpc\]"):
        async with serving(runtime, [], Listening(tmp_path / "s", socket_asked_for=True)):
            pass


async def test_a_usual_place_that_cannot_be_written_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime, file = Runtime(InMemoryState()), tmp_path / "file"
    file.touch()

    async with serving(runtime, [], Listening(file / "run/s")):
        assert "use --socket PATH" in caplog.text

    with pytest.raises(CannotStart):
        async with serving(runtime, [], Listening(file / "run/s", socket_asked_for=True)):
            pass


async def test_services_of_applications_are_made_from_the_runtime(tmp_path: Path) -> None:
    runtime, seen = Runtime(InMemoryState()), list[Runtime]()

    def services(runtime: Runtime) -> list[object]:
        seen.append(runtime)
        return []

    application = Application([], services=services)  # type: ignore[arg-type]
    async with serving(runtime, [application], Listening(tmp_path / "s")):
        assert seen == [runtime]
