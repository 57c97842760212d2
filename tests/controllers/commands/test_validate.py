"""`cosi validate`: one line for each problem, and exit codes for scripts."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cosi.cli.program import program
from tests.cosi.cli.program import ROOT, Machine

GOOD = "name: good\ncontainer:\n  entrypoint: ./good\nrestart: always\n"
BAD = "name: bad\ncontainer:\n  entrypiont: ./bad\nrestart: always\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path


def _validate(*arguments: object) -> Result:
    return CliRunner().invoke(program, ["validate", *map(str, arguments)])


def test_what_is_right_is_passed_over_in_silence(directory: Path) -> None:
    result = _validate(directory)
    assert (result.exit_code, result.output) == (0, "")


def test_a_problem_is_a_line_with_its_place(directory: Path) -> None:
    (directory / "bad.yaml").write_text(BAD)

    result = _validate(directory)

    assert result.exit_code == 1
    assert f"{directory}/bad.yaml:3:3: " in result.stdout
    assert "entrypiont" in result.stdout


def test_a_warning_is_an_error_only_if_one_is_strict(directory: Path) -> None:
    (directory / "old.yaml").write_text(
        GOOD.replace("good", "old").replace("  entry", "  environmentFile: /etc/env\n  entry")
    )
    lax, strict = _validate(directory), _validate(directory, "--strict")

    assert ": warning: " in lax.stdout
    assert (lax.exit_code, strict.exit_code) == (0, 1)


def test_what_is_not_there_is_usage(directory: Path) -> None:
    assert _validate(directory / "none.yaml").exit_code == 2


def test_the_real_program_takes_the_example_machine() -> None:
    definitions = ROOT / "examples/rootfs/usr/local/etc/containers"
    done = Machine(ROOT).cosi("validate", str(definitions))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
