import pytest

from cosi.resource._field_numbers import checked


def test_numbers_are_kept_as_declared() -> None:
    assert checked("Thing", {"a": 1, "b": (2, bool)}) == {"a": 1, "b": (2, bool)}


@pytest.mark.parametrize("number", [0, -1, 2**29, 19_000])
def test_a_number_that_protobuf_does_not_have_is_refused(number: int) -> None:
    with pytest.raises(TypeError, match=f"Thing: a cannot have the protobuf field number {number}"):
        checked("Thing", {"a": number})


def test_a_number_is_used_once() -> None:
    with pytest.raises(TypeError, match="Thing: b and a both have the number 1"):
        checked("Thing", {"a": 1, "b": (1, str)})
