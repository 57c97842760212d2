"""Applications: how they are found, and the options that their parameters stand for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner

from cosi.cli.application import Application, CannotStart, build, find, installed_names, options_of
from cosi.cli.run import run


def house(
    *,
    rooms: Annotated[int, "How many."] = 3,
    doors: tuple[Path, ...] = (),
    style: Literal["old", "new"] = "old",
    owner: str | None = None,
    lit: bool = False,
) -> Application:
    return Application([rooms, doors, style, owner, lit])


def _parsed(*arguments: str) -> dict[str, object]:
    seen: dict[str, object] = {}
    command = click.Command("house", params=list(options_of(house)), callback=seen.update)
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return seen


def test_parameters_become_options_with_their_defaults_and_types() -> None:
    assert _parsed() == {"rooms": 3, "doors": (), "style": "old", "owner": None, "lit": False}
    given = _parsed("--rooms=4", "--doors=a", "--doors=b", "--style=new", "--owner=me", "--lit")
    assert given == {
        "rooms": 4,
        "doors": (Path("a"), Path("b")),
        "style": "new",
        "owner": "me",
        "lit": True,
    }


def test_an_application_gets_those_options_that_it_takes() -> None:
    built = build(house, {"rooms": 1, "unknown": 2})
    assert built.controllers[0] == 1


def test_controllers_alone_are_an_application_too() -> None:
    controllers: tuple[object, ...] = (object(),)
    assert build(lambda: controllers, {}).controllers == controllers


def test_what_is_installed_is_found_by_name_and_the_rest_by_module() -> None:
    assert "extension-services" in installed_names()
    assert find("tests.cosi.cli.test_application:house") is house


NO_FUNCTION = 5


def without_a_type(rooms) -> list[object]:  # type: ignore[no-untyped-def]  # this is the mistake
    return []


def of_an_unknown_type(*, rooms: Unknown = 1) -> list[object]:  # type: ignore[name-defined]  # noqa: F821
    return []


def alone() -> object:
    return Lonely()


class Lonely:
    def __repr__(self) -> str:
        return "<a controller>"


def asking(*, rooms: int) -> list[int]:
    return [rooms]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NO_FUNCTION", "cannot load application .*: 5 is not a function"),
        ("without_a_type", "without_a_type: its parameter 'rooms' .* needs an annotation"),
        ("of_an_unknown_type", "of_an_unknown_type: name 'Unknown' is not defined"),
        ("alone", "alone returned <a controller>; return a list of controllers"),
    ],
)
def test_what_is_no_application_is_told_in_one_line(name: str, text: str) -> None:
    """It was a KeyError, a TypeError or a NameError, with forty lines of where."""
    from cosi.cli.program import program

    result = CliRunner().invoke(program, ["run", f"tests.cosi.cli.test_application:{name}"])
    assert result.exit_code == 2
    assert re.fullmatch(f"cosi: .*{text}", result.stderr.strip())


def test_a_parameter_without_a_default_must_be_given() -> None:
    """It was a TypeError of click's, about ``_empty``."""
    result = CliRunner().invoke(run, ["tests.cosi.cli.test_application:asking"])
    assert result.exit_code == 2
    assert "Missing option '--rooms'" in result.stderr


@pytest.mark.parametrize("name", ["nothing", "no.such.module:name", "cosi.errors:nothing"])
def test_what_cannot_be_found_is_named(name: str) -> None:
    with pytest.raises(CannotStart, match=name.partition(":")[2] or name):
        find(name)


def test_only_the_options_of_named_applications_are_there() -> None:
    help_text = CliRunner().invoke(run, ["tests.cosi.cli.test_application:house", "--help"]).stdout
    assert "--rooms" in help_text
    assert "--time-sync" not in help_text
    assert "--time-sync" in CliRunner().invoke(run, ["--help"]).stdout


def test_an_application_that_is_not_there_is_exit_2() -> None:
    from cosi.cli.program import program

    result = CliRunner().invoke(program, ["run", "cosi.errors:nothing"])
    assert result.exit_code == 2
    assert result.stderr.startswith("cosi: cannot load application 'cosi.errors:nothing'")
