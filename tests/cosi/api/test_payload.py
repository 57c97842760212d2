from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi import AnySpec, FrozenMap, Spec, Value
from cosi.api.payload import payload_codec
from cosi.errors import InvalidResource
from resources.network_status import NetworkStatus
from tests.cosi.api.things import FULL, Colour, Part, Plain, Thing


def codec(payload: type[Spec]) -> Any:
    found = payload_codec(payload)
    assert found is not None
    return found


@pytest.mark.parametrize("thing", [Thing(), FULL], ids=["defaults", "full"])
def test_every_shape_of_field_comes_back_as_it_was(thing: Thing) -> None:
    assert codec(Thing).decode(codec(Thing).encode(thing)) == thing


@given(
    st.builds(
        Thing,
        parts=st.lists(st.builds(Part, name=st.text(), count=st.integers(-(2**63), 2**63 - 1))),
        number=st.none() | st.integers(-(2**63), 2**63 - 1),
        colour=st.sampled_from(Colour),
        counts=st.dictionaries(st.text(), st.integers(-100, 100)),
        names=st.none() | st.lists(st.text()),
        raw=st.binary(),
        moment=st.datetimes().map(lambda moment: moment.replace(tzinfo=FULL.moment.tzinfo)),
        span=st.timedeltas(),
        ratio=st.floats(allow_nan=False),
    )
)
def test_whatever_the_values(thing: Thing) -> None:
    assert codec(Thing).decode(codec(Thing).encode(thing)) == thing


def test_talos_field_numbers_are_on_the_wire() -> None:
    status = NetworkStatus(address_ready=True, etc_files_ready=True)

    assert codec(NetworkStatus).encode(status) == bytes([1 << 3, 1, 4 << 3, 1])


def test_equal_payloads_are_equal_bytes() -> None:
    one = Thing(counts=FrozenMap({"a": 1, "b": 2}), tags=frozenset("xyz"))
    other = Thing(counts=FrozenMap({"b": 2, "a": 1}), tags=frozenset("zyx"))

    assert codec(Thing).encode(one) == codec(Thing).encode(other)


def test_fields_from_the_future_are_skipped() -> None:
    assert codec(NetworkStatus).decode(bytes([1 << 3, 1, 15 << 3, 1])).address_ready


def test_a_payload_that_declares_nothing_has_no_codec() -> None:
    assert payload_codec(Plain) is None
    assert payload_codec(AnySpec) is None


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"\x3a\x01x"])
def test_bytes_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidResource, match="not a Thing"):
        codec(Thing).decode(data)


def test_a_number_that_has_no_place_is_refused() -> None:
    with pytest.raises(InvalidResource, match="Thing as protobuf"):
        codec(Thing).encode(Thing(number=2**70))


class Level(Spec, type="Levels.test.cosi.dev", proto={"level": (7, ("", "sensitive"))}):
    level: str = ""


def test_an_enumeration_of_names_travels_as_numbers() -> None:
    assert codec(Level).encode(Level(level="sensitive")) == bytes([7 << 3, 1])
    assert codec(Level).decode(bytes([7 << 3, 1])) == Level(level="sensitive")
    assert codec(Level).decode(b"") == Level()
    with pytest.raises(InvalidResource, match="'high' is not one of '', 'sensitive'"):
        codec(Level).encode(Level(level="high"))
    with pytest.raises(InvalidResource, match="9 is not the number of a name"):
        codec(Level).decode(bytes([7 << 3, 9]))


def test_fields_without_a_number_make_the_bytes_incomplete() -> None:
    class Half(Spec, type="Halves.test.cosi.dev", proto={"left": 1}):
        left: int = 0
        right: int = 0

    assert not codec(Half).complete
    assert codec(Thing).complete


def test_mistakes_in_a_declaration_are_named() -> None:
    class Unknown(Spec, type="Unknowns.test.cosi.dev", proto={"lefft": 1}):
        left: int = 0

    class Odd(Spec, type="Odds.test.cosi.dev", proto={"left": 1}):
        left: int | str = 0

    class Silent(Value):
        x: int = 0

    class Outer(Spec, type="Outers.test.cosi.dev", proto={"silent": 1}):
        silent: Silent = Silent()

    with pytest.raises(TypeError, match="Unknown has no field 'lefft'"):
        payload_codec(Unknown)
    with pytest.raises(TypeError, match=r"Odd.left: no protobuf mapping for int \| str"):
        payload_codec(Odd)
    with pytest.raises(TypeError, match="Silent declares no protobuf field numbers"):
        payload_codec(Outer)
