"""Metadata, versions, phases and frozen maps are values."""

import copy
import pickle
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, TypeAdapter

from cosi import FrozenMap, Metadata, Phase, format_version
from cosi.errors import InvalidResource
from cosi.resource._frozen import EMPTY
from cosi.resource._metadata import MAX_VERSION, parse_phase, parse_version

ONE = Metadata("ns", "Things.a.b", "id", 1, finalizers=("A", "B"))


@pytest.mark.parametrize("text", ["undefined", "0", "1", str(MAX_VERSION)])
def test_versions_read_as_they_are_written(text: str) -> None:
    assert format_version(parse_version(text)) == text


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "x", str(MAX_VERSION + 1), "١"])
def test_what_cannot_be_a_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidResource, match="error parsing version"):
        parse_version(text)


def test_undefined_is_not_zero() -> None:
    assert ONE.evolve(version=None) != ONE.evolve(version=0)


def test_phases_have_exactly_two_spellings() -> None:
    assert parse_phase("running") is Phase.RUNNING
    assert parse_phase("tearingDown") is Phase.TEARING_DOWN
    with pytest.raises(InvalidResource, match="unknown phase: Running"):
        parse_phase("Running")


def test_equality_ignores_times_and_the_order_of_finalizers() -> None:
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    other = ONE.evolve(created=long_ago, updated=long_ago, finalizers=("B", "A"))
    assert other == ONE
    assert hash(other) == hash(ONE)
    assert ONE.evolve(finalizers=("A",)) != ONE
    assert ONE != "Things"


def test_metadata_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="evolve"):
        ONE.owner = "me"  # type: ignore[misc,unused-ignore]
    with pytest.raises(AttributeError):
        del ONE.owner


def test_metadata_shows_its_address_and_version() -> None:
    assert str(ONE) == "Things.a.b(ns/id@1)"
    assert repr(ONE.evolve(version=None)) == "<Metadata Things.a.b(ns/id@undefined)>"


def test_metadata_is_copied_by_nobody_and_pickles() -> None:
    assert copy.copy(ONE) is ONE
    assert copy.deepcopy(ONE) is ONE
    again = pickle.loads(pickle.dumps(ONE))
    assert (again, again.uid, again.created) == (ONE, ONE.uid, ONE.created)


def test_frozen_maps_are_hashable_mappings() -> None:
    one = FrozenMap({"a": 1, "b": 2})
    assert one == {"b": 2, "a": 1} == one
    assert one == FrozenMap({"b": 2, "a": 1})
    assert one != FrozenMap({"a": 1})
    assert one != 3
    assert hash(one) == hash(FrozenMap({"b": 2, "a": 1})) == hash(one)
    assert (len(one), list(one), "a" in one, one["a"]) == (2, ["a", "b"], True, 1)
    assert copy.copy(one) is copy.deepcopy(one) is one
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(EMPTY) == "FrozenMap({})"


def test_frozen_maps_change_into_others() -> None:
    one = FrozenMap({"a": 1})
    assert one.with_item("b", 2) == {"a": 1, "b": 2}
    assert one.with_item("a", 1) is one
    assert one.without("a") == {}
    assert one.without("b") is one
    assert one == {"a": 1}


def test_frozen_maps_are_fields_of_models() -> None:
    class Model(BaseModel):
        ports: FrozenMap[str, int] = FrozenMap()

    model = Model.model_validate({"ports": {"http": 80}})
    assert model.ports == {"http": 80}
    assert model.model_dump_json() == '{"ports":{"http":80}}'
    assert TypeAdapter(FrozenMap).validate_python({"a": []}) == {"a": []}  # type: ignore[type-arg]
