"""Go's notation of durations, there and back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from resources.duration import Duration, format_duration, parse_duration

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("1s", 1),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("100us", 0.0001),
        ("1m30s", 90),
        ("1h0m0s", 3600),
        ("-3s", -3),
        ("+3s", 3),
        ("2562047h", 2562047 * 3600),
    ],
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "1", "s", "1 s", "1d", "1s ", "- 1s", "1m-30s", "99999999999h"]
)
def test_what_go_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (10, "10s"),
        (1.5, "1.5s"),
        (0.25, "250ms"),
        (0.0015, "1.5ms"),
        (0.0001, "100µs"),
        (60, "1m0s"),
        (3723.25, "1h2m3.25s"),
        (-90, "-1m30s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@given(st.timedeltas(min_value=timedelta(days=-9999), max_value=timedelta(days=9999)))
def test_what_is_written_is_read_back(span: timedelta) -> None:
    assert abs(parse_duration(format_duration(span)) - span) < timedelta(milliseconds=1)


def test_in_a_payload_a_bare_number_is_nanoseconds_as_in_go() -> None:
    assert DURATION.validate_python(1_500_000_000) == timedelta(seconds=1.5)
    assert DURATION.dump_python(timedelta(minutes=1), mode="json") == "1m0s"
    with pytest.raises(ValidationError, match="write it like 1m30s"):
        DURATION.validate_python("soon")
