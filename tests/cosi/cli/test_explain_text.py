"""`cosi explain` and `cosi schema`, which need no server for what is installed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cosi import FrozenMap, Spec, Value
from cosi.cli._explain_text import NoSuchField, explain
from cosi.cli.json_schema import document_schema, value_schema
from cosi.cli.program import program
from cosi.state._meta import resource_definition
from tests.cosi.cli.things import Lamp


class Bulb(Value):
    """What shines."""

    watts: int
    """How much it takes."""
    sockets: FrozenMap[str, int] = FrozenMap()


class Chandelier(Spec, type="Chandeliers.house.example.dev", sensitive=True):
    """Many bulbs."""

    bulbs: tuple[Bulb, ...] = ()
    """One for each arm."""
    spare: Bulb | None = None


def test_a_type_is_explained_by_its_docstrings() -> None:
    assert (
        explain(Lamp)
        == """\
TYPE        Lamps.house.example.dev
NAMESPACE   house
ALIASES     lmp, lamp

A lamp that somebody may see by.

It shines in colors, see Spec.

FIELDS
  on <true | false> = false
      Whether it shines.
  colors <list of text>
  room <text or null>"""
    )


def test_a_field_is_explained_with_the_fields_inside_of_it() -> None:
    assert (
        explain(Chandelier, ("bulbs",))
        == """\
TYPE          Chandeliers.house.example.dev
NAMESPACE     house
ALIASES       chandelier
READABLE BY   administrators only
FIELD         bulbs <list of mapping>

One for each arm.

What shines.

FIELDS
  watts <integer> (required)
      How much it takes.
  sockets <map of integer>"""
    )


def test_fields_are_found_through_lists_and_what_may_be_null_in_any_case() -> None:
    assert "How much it takes." in explain(Chandelier, ("BULBS", "Watts"))
    assert "How much it takes." in explain(Chandelier, ("spare", "watts"))


def test_a_field_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(NoSuchField, match='bulbs has no field "volts"; it has watts, sockets'):
        explain(Chandelier, ("bulbs", "volts"))
    with pytest.raises(NoSuchField, match="watts has no fields"):
        explain(Chandelier, ("bulbs", "watts", "max"))


def test_the_schema_of_a_type_describes_the_whole_document() -> None:
    schema = document_schema(resource_definition(Chandelier).spec, value_schema(Chandelier))

    assert schema["properties"]["metadata"]["properties"]["type"] == {
        "const": "Chandeliers.house.example.dev"
    }
    bulb = schema["$defs"]["Bulb"]
    assert bulb["required"] == ["watts"]
    assert bulb["properties"]["watts"] == {"type": "integer", "description": "How much it takes."}


def _cosi(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(program, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_explain_takes_types_and_fields_in_one_name() -> None:
    code, out, _ = _cosi("explain", "resourcedefinitions.meta.printColumns.jsonPath")
    assert code == 0
    assert "FIELD       printColumns.jsonPath <text> (required)" in out


def test_explain_says_what_is_not_installed() -> None:
    code, out, err = _cosi("explain", "unicorns")
    assert (code, out) == (1, "")
    assert err.startswith('cosi: resource "unicorns" is not registered')


@pytest.mark.parametrize("name", ["rd", "definition", "configuration"])
def test_schemas_are_json(name: str) -> None:
    code, out, _ = _cosi("schema", name)
    assert code == 0
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_an_unknown_schema_names_those_that_packages_have_added() -> None:
    code, _, err = _cosi("schema", "unicorns")
    assert code == 1
    assert "other schemas: configuration, definition" in err
