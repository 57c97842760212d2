"""The end of a run's output, as its failure quotes it (Talos: `TestLastLog`)."""

import pytest

from controllers.output.last_log import LAST_LOG, last_log
from resources.go_format import (
    quote,
)


def tail(text: bytes) -> bytes:
    return text[-LAST_LOG - 1 :]


def test_a_short_output_is_quoted_whole() -> None:
    assert last_log(b"one\ntwo\n") == "one\ntwo"


def test_whole_lines_are_dropped_from_the_front() -> None:
    output = b"".join(b"%0199d\n" % number for number in range(10))
    assert last_log(tail(output)) == f"{8:0199}\n{9:0199}"


def test_a_line_that_just_fits_is_kept() -> None:
    assert last_log(tail(b"first\n" + b"x" * 511 + b"\n")) == "x" * 511


def test_a_line_too_long_is_cut_at_its_beginning() -> None:
    assert last_log(tail(b"x" * 1000)) == "x" * 512
    assert last_log(tail(b"x" * 1000 + b"\n")) == "x" * 511


def test_bytes_that_are_no_text_are_quoted_as_go_does() -> None:
    assert quote(last_log(b"\xff\x00\x1b[31mred\n")) == r'"\xff\x00\x1b[31mred"'


@pytest.mark.parametrize("output", [b"", b"\n", b"\n\n\n"])
def test_nothing_is_nothing(output: bytes) -> None:
    assert last_log(output) == ""
