"""Output on the console: whole lines, with the name of the service."""

from pathlib import Path

import pytest

from controllers.files.beneath import (
    Beneath,
)
from controllers.output.console import LINE_LIMIT, Console, ConsoleLines
from controllers.output.log_file import LogFile
from controllers.output.logs import ServiceLog


def test_a_line_is_shown_when_it_is_whole() -> None:
    lines = ConsoleLines()
    assert list(lines.feed(b"one\ntw")) == ["one"]
    assert list(lines.feed(b"o\n\nthree")) == ["two", ""]
    assert list(lines.flush()) == ["three"]
    assert list(lines.flush()) == []


def test_a_line_that_is_too_long_is_shown_in_pieces() -> None:
    lines = ConsoleLines()
    assert list(lines.feed(b"x" * (2 * LINE_LIMIT + 1))) == ["x" * LINE_LIMIT] * 2
    assert list(lines.feed(b"y\nz\n")) == ["xy", "z"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert list(ConsoleLines().feed(b"a\xffb\n")) == ["a\N{REPLACEMENT CHARACTER}b"]


async def test_output_is_copied_from_its_begin_to_its_end(tmp_path: Path) -> None:
    log = ServiceLog(LogFile(tmp_path / "a.log", lambda _: None, Beneath(tmp_path)))
    shown: list[tuple[str, str]] = []
    log.remember(b"of an earlier run\n")

    def show(id: str, line: str) -> None:
        shown.append((id, line))

    async with Console(show) as console:
        console.begin("ext-a", log)
        log.remember(b"one\ntwo\nthr")
        log.remember(b"ee")
        await console.end("ext-a")
        await console.end("ext-a")
    assert shown == [("ext-a", "one"), ("ext-a", "two"), ("ext-a", "three")]


async def test_what_the_console_was_too_slow_for_is_counted_and_said(tmp_path: Path) -> None:
    log = ServiceLog(LogFile(tmp_path / "a.log", lambda _: None, Beneath(tmp_path)))
    shown: list[str] = []
    async with Console(lambda _, line: shown.append(line)) as console:
        console.begin("ext-a", log)
        for _ in range(20):
            log.remember(b"x" * 65535 + b"\n")
        await console.end("ext-a")
    assert shown[0] == "... 262144 bytes of output are not shown here"
    assert sum(map(len, shown[1:])) == 16 * 65535


async def test_a_console_that_fails_fails_nobody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ServiceLog(LogFile(tmp_path / "a.log", lambda _: None, Beneath(tmp_path)))

    def fail(id: str, line: str) -> None:
        raise BrokenPipeError(id, line)

    async with Console(fail) as console:
        console.begin("ext-a", log)
        log.remember(b"one\n")
        await console.end("ext-a")
    assert "output of ext-a is not shown any more" in caplog.text


async def test_copying_ends_with_the_console(tmp_path: Path) -> None:
    log = ServiceLog(LogFile(tmp_path / "a.log", lambda _: None, Beneath(tmp_path)))
    shown: list[str] = []
    async with Console(lambda _, line: shown.append(line)) as console:
        console.begin("ext-a", log)
    log.remember(b"nobody sees this\n")
    assert shown == []
