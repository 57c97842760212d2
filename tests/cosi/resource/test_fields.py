"""What metadata and resources keep their fields in: compiled and plain promise the same."""

import gc
import importlib
import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from cosi import Metadata, Resource
from cosi.resource import _fields as _values
from tests.switches import on

NAMES = (
    *("namespace", "type", "id", "version", "owner", "phase", "created", "updated"),
    *("labels", "annotations", "finalizers", "uid"),
)
VALUES = tuple(range(len(NAMES)))


@pytest.fixture(params=["compiled", "plain"])
def values(request: pytest.FixtureRequest) -> ModuleType:
    """One of the two modules."""
    try:
        return importlib.import_module(f"cosi.resource._fields.{request.param}")
    except ImportError:
        if on("COSI_REQUIRE_COMPONENTS"):
            raise
        pytest.skip("nothing was compiled here: no C compiler, or no headers of this Python")


@pytest.fixture
def metadata(values: ModuleType) -> Any:
    """A class such as ``Metadata`` is."""

    class Derived(values.MetadataFields):  # type: ignore[misc, name-defined]
        __slots__ = ()

    return Derived


@pytest.fixture
def envelope(values: ModuleType) -> Any:
    """A class such as ``Resource`` is."""

    class Derived(values.Envelope):  # type: ignore[misc, name-defined]
        __slots__ = ()

    return Derived


def test_fields_are_in_their_order(metadata: Any) -> None:
    made = metadata.of(*VALUES)
    assert type(made) is metadata
    assert tuple(getattr(made, name) for name in NAMES) == VALUES


def test_all_fields_are_given(metadata: Any) -> None:
    with pytest.raises(TypeError):
        metadata.of(*VALUES[1:])
    with pytest.raises(TypeError):
        metadata.of(*VALUES, "more")


def test_there_is_room_for_nothing_else(metadata: Any, envelope: Any) -> None:
    for made in (metadata.of(*VALUES), envelope(1, 2)):
        with pytest.raises(AttributeError):
            made.other = 1
        assert not hasattr(made, "__dict__")


@pytest.mark.parametrize("name", NAMES)
def test_one_field_changes_and_the_others_stay(metadata: Any, name: str) -> None:
    one = metadata.of(*VALUES)
    other = one.evolve(**{name: "changed"})
    assert type(other) is metadata
    assert {each: getattr(other, each) for each in NAMES} == {
        each: "changed" if each == name else getattr(one, each) for each in NAMES
    }


def test_a_change_of_nothing_is_a_copy(metadata: Any) -> None:
    one = metadata.of(*VALUES)
    assert [getattr(one.evolve(), name) for name in NAMES] == list(VALUES)


def test_what_is_no_field_cannot_change(metadata: Any) -> None:
    one = metadata.of(*VALUES)
    with pytest.raises(AttributeError, match="colour"):
        one.evolve(colour="red")
    with pytest.raises(TypeError):
        one.evolve("red")


def test_an_envelope_has_two_parts(envelope: Any) -> None:
    assert (envelope(1, 2).metadata, envelope(1, spec=2).spec) == (1, 2)
    for given in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError):
            envelope(*given)


def test_an_envelope_keeps_what_the_api_made_of_it(envelope: Any) -> None:
    made = envelope(1, 2)
    assert not hasattr(made, "_encoded")
    object.__setattr__(made, "_encoded", b"bytes")
    assert made._encoded == b"bytes"


def test_nothing_is_kept_alive(metadata: Any, envelope: Any) -> None:
    value = object()
    before = sys.getrefcount(value)
    for _ in range(10):
        one = metadata.of(*[value] * len(NAMES))
        two = one.evolve(uid=1, id=value)
        three = envelope(one, value)
        object.__setattr__(three, "_encoded", value)
        with pytest.raises(AttributeError):
            two.evolve(colour=value)
    del one, two, three
    assert sys.getrefcount(value) == before


def test_what_is_compiled_is_nothing_to_the_collector() -> None:
    """Guards the pause of 10 to 28 ms that came with every 50,000 creations."""
    if not _values.COMPILED:
        pytest.skip("nothing was compiled here")
    made = Metadata("ns", "Things.a.b", "id", 1)
    for each in (made, made.evolve(version=2), Resource(made, None)):  # type: ignore[type-var]
        assert not gc.is_tracked(each)


def test_the_plain_one_is_taken_where_somebody_says_so() -> None:
    environment = os.environ | {"COSI_PURE_PYTHON": "1"}
    command = [
        sys.executable,
        "-c",
        "import cosi.resource._fields as v; print(v.COMPILED, v.Envelope)",
    ]
    said = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, timeout=30
    )
    assert said.stdout == "False <class 'cosi.resource._fields.plain.Envelope'>\n"
