"""What `cosi apply` and fixtures refuse: types that are defined nowhere, and misspelt fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosi import AnySpec, Resource, Spec
from cosi.errors import InvalidResource
from cosi.resource._yaml_form import spec_from_yaml
from cosi.state import ResourceDefinition, TypeRegistry, to_yaml
from cosi.testing import load_fixtures
from tests.cosi.cli.conftest import Served
from tests.cosi.cli.program import Machine
from tests.cosi.cli.things import Lamp, lamp

LAMP = "metadata: {type: %s, namespace: house, id: desk%s}\nspec: %s\n"
TYPE = "Lamps.house.example.dev"
WAY_OUT = " (--allow-unknown accepts unknown types and fields)"

MISTAKES = [
    (
        LAMP % ("Lamp.house.example.dev", "", "{}"),
        f'1:18: type "Lamp.house.example.dev" is not defined; did you mean "{TYPE}"?{WAY_OUT}',
    ),
    (
        LAMP % (TYPE.lower(), "", "{}"),
        f'1:18: type "{TYPE.lower()}" is not defined; did you mean "{TYPE}"?{WAY_OUT}',
    ),
    (
        LAMP % ("lamp", "", "{}"),
        f'1:18: type "lamp" is not defined; did you mean "{TYPE}"?{WAY_OUT}',
    ),
    (
        LAMP % ("Zzz.house.example.dev", "", "{}"),
        '1:18: type "Zzz.house.example.dev" is not defined; `cosi get rd` lists the types'
        + WAY_OUT,
    ),
    (
        LAMP % (TYPE, "", "{colours: [red]}"),
        '2:8: spec.colours: no such field; did you mean "colors"?' + WAY_OUT,
    ),
    (
        LAMP % (TYPE, "", "{zzz: 1}"),
        "2:8: spec.zzz: no such field; there is on, colors, room" + WAY_OUT,
    ),
    (
        LAMP % (TYPE, ", lables: {a: b}", "{}"),
        f'1:79: metadata.lables: no such field; did you mean "labels"?{WAY_OUT}',
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_apply_refuses_what_nothing_defines_and_says_what_was_meant(
    served: Served, text: str, problem: str
) -> None:
    result = served.cosi("apply", "-f", "-", input=text)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"cosi: stdin:{problem}\n")


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_fixture_refuses_what_nothing_defines_and_says_what_was_meant(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)

    with pytest.raises(InvalidResource) as caught:
        load_fixtures(file)
    assert str(caught.value) == f"{file}:{problem}"


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_with_allow_unknown_they_are_taken(
    served: Served, tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)

    (resource,) = load_fixtures(file, allow_unknown=True)
    result = served.cosi("apply", "-f", str(file), "--allow-unknown")

    assert resource.id == "desk"
    assert result.stdout == f"{resource.pointer} created\n", result.stderr
    # A field that is not known cannot be kept; the others are.
    assert resource.spec in (Lamp(), AnySpec("{}\n"))


def test_a_field_is_suggested_from_where_it_stands() -> None:
    class Part(Spec, type="Parts.house.example.dev"):
        wide_angle: int = 0

    class Whole(Spec, type="Wholes.house.example.dev"):
        width: int = 0
        parts: tuple[Part, ...] = ()
        named: Part | None = None

    for text in ("parts: [{}, {wideAngel: 1}]", "named: {wideAngel: 1}"):
        with pytest.raises(InvalidResource, match='no such field; did you mean "wideAngle"'):
            spec_from_yaml(Whole, text)


def test_a_type_that_only_the_server_knows_can_be_applied(served: Served) -> None:
    """Its package need not be installed where `cosi apply` runs."""
    text = LAMP % ("Foreign.house.example.dev", "", "{a: 1}")
    refused = served.cosi("apply", "-f", "-", input=text)
    foreign = ResourceDefinition(
        type="Foreign.house.example.dev",
        display_type="Foreign",
        default_namespace="house",
    )
    served.given(Resource.new("foreign.house.example.dev", foreign))
    taken = served.cosi("apply", "-f", "-", input=text)

    assert refused.exit_code == 1
    assert taken.stdout == "Foreign.house.example.dev(house/desk) created\n", taken.stderr


def test_run_refuses_them_in_its_fixtures_unless_they_are_allowed(tmp_path: Path) -> None:
    """What is given with its owner stays its owner's."""
    machine, file = Machine(tmp_path), tmp_path / "f.yaml"
    file.write_text(TALOS + "---\n" + LAMP % (TYPE, ", owner: LampController", "{on: true}"))
    once = ("run", "--once", "--root", str(tmp_path), "--fixtures", str(file))

    refused = machine.cosi(*once, "tests.cosi.cli.house:application")
    taken = machine.cosi(*once, "--allow-unknown", "tests.cosi.cli.house:application")

    assert refused.returncode == 1
    problem = f'cosi: {file}:4:11: type "LinkStatuses.net.talos.dev" is not defined'
    assert problem in refused.stderr
    assert (taken.returncode, "Traceback" in taken.stderr) == (0, False), taken.stderr


# -- what get shows ---------------------------------------------------------------------------


def test_what_get_shows_is_a_fixture(served: Served, tmp_path: Path) -> None:
    """Its ``node:`` says nothing; its owner, its labels and its finalizers are kept."""
    shown = lamp("desk", on=True).evolve(
        owner="LampController", labels={"a": "b"}, finalizers=("Reader",)
    )
    served.given(shown)
    file = tmp_path / "f.yaml"
    file.write_text(served.cosi("get", "lamps", "-o", "yaml").stdout)

    (resource,) = load_fixtures(file)

    assert (resource.spec, resource.owner) == (shown.spec, "LampController")
    assert (resource.metadata.labels, resource.metadata.finalizers) == ({"a": "b"}, ("Reader",))


TALOS = """\
node: fd00::5
metadata:
    namespace: network
    type: LinkStatuses.net.talos.dev
    id: eth0
    version: 3
    owner: network.LinkStatusController
    phase: running
    created: 2026-08-20T10:00:00Z
    updated: 2026-08-20T10:00:05Z
spec:
    index: 1
"""


def test_what_talosctl_shows_is_a_fixture(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"{TALOS}---\n{TALOS.replace('eth0', 'eth1')}")

    resources = load_fixtures(file, allow_unknown=True)

    assert [resource.id for resource in resources] == ["eth0", "eth1"]


def test_of_a_watch_that_was_written_down_there_is_what_was_there_in_the_end(
    served: Served, tmp_path: Path
) -> None:
    events = [
        ("created", lamp("desk")),
        ("created", lamp("hall")),
        ("updated", lamp("desk", on=True)),
        ("destroyed", lamp("hall")),
        ("created", lamp("attic")),
    ]
    text = "---\n".join(f"node: n\nevent: {event}\n{to_yaml(one)}" for event, one in events)
    # Of what is gone talosctl shows the metadata alone, sometimes.
    text += f"---\nnode: n\nevent: destroyed\n{to_yaml(lamp('attic')).partition('spec:')[0]}"
    file = tmp_path / "f.yaml"
    file.write_text(text)

    found = [(resource.id, resource.spec) for resource in load_fixtures(file)]
    applied = served.cosi("apply", "-f", str(file))

    assert found == [("desk", Lamp(on=True))]
    assert applied.stdout == f"{TYPE}(house/desk) created\n"


def test_an_event_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("event: gone\n" + LAMP % (TYPE, "", "{}"))

    with pytest.raises(InvalidResource, match=r"1:8: expected created, updated or destroyed"):
        load_fixtures(file)


def test_the_types_that_a_machine_shows_are_no_conflict_with_those_of_the_next(
    served: Served, tmp_path: Path
) -> None:
    """`cosi get rd -o yaml` is a fixture too, though the types are there already."""
    file = tmp_path / "f.yaml"
    file.write_text(served.cosi("get", "rd", "-o", "yaml").stdout)
    assert TYPE in file.read_text()
    once = ("run", "--once", "--root", str(tmp_path), "--fixtures", str(file))

    result = Machine(tmp_path).cosi(*once, "tests.cosi.cli.house:application")

    assert result.returncode == 0, result.stderr


def test_types_that_are_not_among_the_given_ones_are_not_defined(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(LAMP % (TYPE, "", "{}"))

    with pytest.raises(InvalidResource, match="is not defined"):
        load_fixtures(file, types=TypeRegistry(ResourceDefinition))
