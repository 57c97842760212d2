"""Output that never makes the program wait for its reader; issue 14, item 13."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cosi.cli.outlet import Outlet, OutletStream, never_blocking

LINE = b"x" * 99 + b"\n"


class Reader:
    """The other end of a pipe."""

    def __init__(self) -> None:
        self.end, self.descriptor = os.pipe()

    def rest(self) -> bytes:
        """All that comes until the writing end is closed."""
        with os.fdopen(self.end, "rb") as file:
            return file.read()

    def leave(self) -> None:
        os.close(self.end)

    @contextmanager
    def reading(self, read: list[bytes]) -> Iterator[None]:
        """Read all the time, in a thread."""
        thread = threading.Thread(target=lambda: read.append(self.rest()))
        thread.start()
        yield
        os.close(self.descriptor)
        thread.join()


class Told(logging.Handler):
    """What an outlet logs, from whichever thread."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.said = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.said.set()


@pytest.fixture
def told() -> Iterator[Told]:
    handler = Told()
    log = logging.getLogger("cosi.cli.outlet")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def test_lines_that_are_not_read_are_dropped_counted_and_told_of_later(told: Told) -> None:
    reader = Reader()
    outlet = Outlet("stdout", reader.descriptor, room_bytes=10_000)
    for _ in range(5_000):  # a pipe takes 64 KiB, the outlet a sixth of that
        outlet.put(LINE)
    read: list[bytes] = []
    with reader.reading(read):
        assert told.said.wait(30)
        outlet.drain()
        outlet.put(LINE)
        outlet.close()
    # More than one line, if the writer had room once while the lines came.
    assert told.lines
    dropped = 0
    for line in told.lines:
        count, rest = line.split(" ", 1)
        assert rest == "lines of stdout were dropped: they were not read in time"
        dropped += int(count)
    (whole,) = read
    assert whole == LINE * (5_001 - dropped)


def test_what_must_be_written_is_not_dropped() -> None:
    reader = Reader()
    outlet = Outlet("stdout", reader.descriptor, room_bytes=1_000)
    for _ in range(5_000):
        outlet.put(LINE)
    outlet.put(b"the table\n", must=True)
    read: list[bytes] = []
    with reader.reading(read):
        outlet.drain()
        outlet.close()
    assert read[0].endswith(b"\nthe table\n")


def test_the_end_does_not_wait_for_a_reader_who_does_not_read() -> None:
    reader = Reader()
    outlet = Outlet("stdout", reader.descriptor)
    for _ in range(5_000):
        outlet.put(LINE)
    outlet.close(0.01)
    outlet.drain()
    reader.leave()
    outlet.close(30)  # its thread would log into the next test


def test_that_nobody_reads_any_more_is_told_once(told: Told) -> None:
    reader = Reader()
    reader.leave()
    outlet = Outlet("stdout", reader.descriptor)
    for _ in range(10):
        outlet.put(LINE)
    outlet.drain()
    outlet.close()
    assert told.lines == ["stdout cannot be written, its lines are dropped: Broken pipe"]
    os.close(reader.descriptor)


def test_a_descriptor_that_another_program_has_made_non_blocking_is_waited_for() -> None:
    reader = Reader()
    os.set_blocking(reader.descriptor, False)
    outlet = Outlet("stdout", reader.descriptor)
    for _ in range(5_000):
        outlet.put(LINE)
    read: list[bytes] = []
    with reader.reading(read):
        outlet.drain()
        outlet.close()
    assert read == [LINE * 5_000]


def test_a_stream_passes_whole_lines_and_what_is_flushed() -> None:
    reader = Reader()
    outlet = Outlet("stdout", reader.descriptor)
    stream = OutletStream(outlet)
    print("a", 1, file=stream)
    print("b", end="", file=stream)
    print("\N{SNOWMAN}\udc80", file=stream)
    print("c", end="", flush=True, file=stream)
    outlet.drain()
    outlet.close()
    os.close(reader.descriptor)
    assert reader.rest() == "a 1\nb\N{SNOWMAN}\\udc80\nc".encode()
    assert not stream.isatty()
    assert stream.fileno() == reader.descriptor


def test_streams_without_a_descriptor_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with never_blocking():
        print("as ever")
    assert capsys.readouterr().out == "as ever\n"
