"""The ring in which the output of a service is kept."""

from hypothesis import given
from hypothesis import strategies as st

from controllers.output.ring import Ring

CHUNK = 64 * 1024


def test_an_empty_ring_has_nothing() -> None:
    ring = Ring(1024)
    assert (ring.start, ring.end, ring.read(0), ring.tail(10)) == (0, 0, b"", b"")
    assert ring.line_start(3) == 0


def test_what_was_appended_is_read_from_any_position() -> None:
    ring = Ring(1024)
    ring.append(b"hello ")
    ring.append(b"world")
    assert ring.read(0) == b"hello world"
    assert ring.read(6) == b"world"
    assert ring.read(11) == b""


def test_the_oldest_chunk_is_dropped_whole() -> None:
    ring = Ring(16 * CHUNK)
    for number in range(20):
        ring.append(bytes([number]) * CHUNK)
    assert ring.end == 20 * CHUNK
    assert ring.start == 4 * CHUNK
    assert ring.read(ring.start)[:1] == bytes([4])


def test_small_writes_share_a_chunk() -> None:
    ring = Ring(16 * CHUNK)
    for _ in range(100_000):
        ring.append(b"line\n")
    assert ring.end - ring.start == 500_000


def test_lines_are_counted_from_the_end() -> None:
    ring = Ring(1024)
    ring.append(b"one\ntwo\nthree\n")
    assert ring.read(ring.line_start(1)) == b"three\n"
    assert ring.read(ring.line_start(2)) == b"two\nthree\n"
    assert ring.line_start(3) == 0
    assert ring.line_start(99) == 0
    assert ring.line_start(0) == ring.end


def test_a_last_line_without_an_end_counts_as_one() -> None:
    ring = Ring(1024)
    ring.append(b"one\ntwo")
    assert ring.read(ring.line_start(1)) == b"two"


@given(
    st.lists(st.binary(min_size=1, max_size=CHUNK).map(lambda b: b.replace(b"\x00", b"\n"))),
    st.integers(min_value=1, max_value=50),
)
def test_lines_are_those_of_the_whole_text(pieces: list[bytes], count: int) -> None:
    ring = Ring(1 << 30)
    for piece in pieces:
        ring.append(piece)
    text = b"".join(pieces)
    lines = text.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    position, read = ring.line_start(count), b""
    while piece := ring.read(position + len(read)):
        read += piece
    assert read == b"".join(lines[-count:])


def naive_line_start(text: bytes, lines: int) -> int:
    """Where the last ``lines`` lines begin, by looking at every one."""
    kept = text.splitlines(keepends=True)
    return len(b"".join(kept[: max(0, len(kept) - lines)]))


@given(
    st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"\n" * 40_000, b"d" * 50_000]), max_size=8),
    st.integers(0, 130_000),
)
def test_lines_are_counted_as_one_by_one(pieces: list[bytes], lines: int) -> None:
    """Any number of lines may be asked for, of a log of nothing but line ends: it must be cheap."""
    ring = Ring(16 * CHUNK)
    for piece in pieces:
        ring.append(piece)

    assert ring.line_start(lines) == naive_line_start(b"".join(pieces), lines)
