"""Output is taken without loss, kept, and given to readers; nobody disturbs anybody else."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controllers.files.beneath import (
    Beneath,
)
from controllers.output.log_file import ROTATE_AT, LogFile
from controllers.output.logs import CAPACITY, LogReader, ServiceLog, ServiceLogs
from controllers.paths import Paths
from cosi import NotFound
from tests.soak import quantity


@contextmanager
def fifo(directory: Path) -> Iterator[int]:
    path = directory / "fifo"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    yield fd
    os.close(fd)
    path.unlink()


class Reports(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def service_log(path: Path) -> ServiceLog:
    return ServiceLog(LogFile(path, Reports(), Beneath(path.parent)))


def spill(directory: Path, data: bytes, times: int = 1) -> None:
    """Write as a service does: it waits while the FIFO is full."""
    fd = os.open(directory / "fifo", os.O_WRONLY)
    for _ in range(times):
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    os.close(fd)


async def everything(reader: LogReader) -> bytes:
    return b"".join([piece async for piece in reader])


async def until(log: ServiceLog, count: int) -> None:
    with log.reader(follow=True) as reader:
        while log.end < count:
            await anext(reader)


async def test_every_byte_is_in_the_file_and_in_memory(tmp_path: Path) -> None:
    log = service_log(tmp_path / "log" / "ext-a.log")
    with fifo(tmp_path) as fd:
        os.write(fd, b"one\n\xff\x00two")
        assert log.take(fd) == 9
        assert log.take(fd) == 0
    assert (tmp_path / "log" / "ext-a.log").read_bytes() == b"one\n\xff\x00two"
    with log.reader() as reader:
        assert await everything(reader) == b"one\n\xff\x00two"
    log.forget_file()


def test_a_log_is_for_its_owner_and_group(tmp_path: Path) -> None:
    log = service_log(tmp_path / "a.log")
    with fifo(tmp_path) as fd:
        os.write(fd, b"x")
        log.take(fd)
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o640
    log.forget_file()


def test_a_log_goes_on_where_the_last_life_ended(tmp_path: Path) -> None:
    for text in (b"first\n", b"second\n"):
        log = service_log(tmp_path / "a.log")
        with fifo(tmp_path) as fd:
            os.write(fd, text)
            log.take(fd)
        log.forget_file()
    assert (tmp_path / "a.log").read_bytes() == b"first\nsecond\n"


def test_a_file_is_put_away_at_the_end_of_a_line_beyond_five_mebibytes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * (ROTATE_AT - 10))
    file = LogFile(path, Reports(), Beneath(path.parent))
    with fifo(tmp_path) as fd:
        for text in (b"first half, ", b"second half\n", b"new file\n"):
            os.write(fd, text)
            file.move(fd, 1024)
    assert path.read_bytes() == b"new file\n"
    old = Path(f"{path}.1").read_bytes()
    assert old.endswith(b"xfirst half, second half\n")
    file.close()


def test_only_one_old_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = LogFile(path, Reports(), Beneath(path.parent))
    for text in (b"1\n", b"2\n", b"3\n"):
        path.write_bytes(b"x" * ROTATE_AT)
        with fifo(tmp_path) as fd:
            os.write(fd, text)
            file.move(fd, 1024)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log.1"]
    file.close()


def test_a_file_that_somebody_truncates_or_removes_is_written_on(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = LogFile(path, Reports(), Beneath(path.parent))
    with fifo(tmp_path) as fd:
        os.write(fd, b"one\n")
        file.move(fd, 1024)
        os.truncate(path, 0)
        os.write(fd, b"two\n")
        file.move(fd, 1024)
        assert path.read_bytes() == b"two\n"
        path.unlink()
        os.write(fd, b"three\n")
        file.move(fd, 1024)
        assert path.read_bytes() == b"three\n"
    file.close()


def test_a_file_that_cannot_be_written_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where a directory should be")
    reports = Reports()
    file = LogFile(tmp_path / "log" / "a.log", reports, Beneath(tmp_path))
    with fifo(tmp_path) as fd:
        for text in (b"one\n", b"two\n"):
            os.write(fd, text)
            assert file.move(fd, 1024) == text
        assert file.lost == 8
        (tmp_path / "log").unlink()
        os.write(fd, b"three\n")
        file.move(fd, 1024)
    where = tmp_path / "log" / "a.log"
    kept = "output is kept in memory only"
    assert reports == [
        f"{where} cannot be written, {kept}: {where.parent}: not a directory",
        f"{where} can be written again, 8 bytes are missing in it",
    ]
    assert where.read_bytes() == b"three\n"
    file.close()


def test_a_file_that_cannot_be_put_away_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    Path(f"{path}.1").mkdir()
    path.write_bytes(b"x" * ROTATE_AT)
    reports = Reports()
    file = LogFile(path, reports, Beneath(tmp_path))
    with fifo(tmp_path) as fd:
        os.write(fd, b"end\n")
        file.move(fd, 1024)
    assert path.read_bytes() == b""
    assert reports == [f"{path} cannot be rotated, and is emptied: {path}.1: is a directory"]
    file.close()


@pytest.mark.root
async def test_a_full_disk_costs_the_file_and_nothing_else(
    tmp_path: Path, small_disk: Path
) -> None:
    reports = Reports()
    log = ServiceLog(LogFile(small_disk / "a.log", reports, Beneath(tmp_path)))
    with fifo(tmp_path) as fd:
        for _ in range(10):
            os.write(fd, b"x" * 65535 + b"\n")
            log.drain(fd)
    assert len(reports) == 1
    assert "no space left on device" in reports[0]
    assert log.end == 10 * 65536
    with log.reader() as reader:
        assert len(await everything(reader)) == 10 * 65536
    log.forget_file()


async def test_a_reader_begins_at_the_last_lines(tmp_path: Path) -> None:
    log = service_log(tmp_path / "a.log")
    log.remember(b"one\ntwo\nthree\n")
    for lines, text in ((2, b"two\nthree\n"), (0, b""), (-1, b"one\ntwo\nthree\n")):
        with log.reader(lines=lines) as reader:
            assert await everything(reader) == text


async def test_a_follower_gets_what_comes_until_it_is_told_to_finish(tmp_path: Path) -> None:
    log = service_log(tmp_path / "a.log")
    log.remember(b"before\n")
    with log.reader(lines=0, follow=True) as reader:
        log.remember(b"one\n")
        assert await anext(reader) == b"one\n"
        threading.Thread(target=log.remember, args=(b"two\n",)).start()
        assert await anext(reader) == b"two\n"
        log.remember(b"three\n")
        reader.finish()
        log.remember(b"too late\n")
        assert await everything(reader) == b"three\n"


async def test_a_slow_follower_skips_ahead_and_counts_what_it_missed(tmp_path: Path) -> None:
    log = service_log(tmp_path / "a.log")
    with log.reader(follow=True) as reader:
        for _ in range(32):
            log.remember(b"x" * 65536)
        assert len(await anext(reader)) == 65536
        assert reader.missed == 16 * 65536


async def test_a_log_is_not_there_before_its_first_run(paths: Paths) -> None:
    logs = ServiceLogs(paths, Reports())
    with pytest.raises(NotFound, match='log "ext-a" was not registered'):
        logs.get("ext-a")
    log = logs.register("ext-a")
    assert logs.get("ext-a") is log
    assert logs.register("ext-a") is log
    assert list(logs.ids()) == ["ext-a"]


async def test_a_line_of_ten_mebibytes_and_those_after_it_are_kept(
    tmp_path: Path, paths: Paths
) -> None:
    """differences: Talos 14: in Talos a line of 64 KiB ends a service's log for good."""
    logs = ServiceLogs(paths, Reports())
    log = logs.register("ext-a")
    line = b"x" * (10 * 1024 * 1024) + b"\nafter\n"
    with fifo(tmp_path) as fd:
        async with logs.reading():
            logs.attach(fd, log)
            await asyncio.to_thread(spill, tmp_path, line)
            await until(log, len(line))
            logs.detach(fd)
    assert log.end == len(line)
    assert log.tail(0, 8) == b"x\nafter\n"
    assert paths.log("ext-a").read_bytes().endswith(b"x\nafter\n")


async def test_who_writes_much_does_not_keep_others_waiting(tmp_path: Path, paths: Paths) -> None:
    logs = ServiceLogs(paths, Reports())
    loud, quiet = logs.register("ext-loud"), logs.register("ext-quiet")
    (tmp_path / "loud").mkdir()
    (tmp_path / "quiet").mkdir()
    mebibyte, times = b"y" * (1024 * 1024 - 1) + b"\n", quantity(64, 1_000)
    enough = times * len(mebibyte)
    with fifo(tmp_path / "loud") as much, fifo(tmp_path / "quiet") as little:
        async with logs.reading():
            logs.attach(much, loud)
            logs.attach(little, quiet)
            writing = asyncio.create_task(
                asyncio.to_thread(spill, tmp_path / "loud", mebibyte, times)
            )
            await until(loud, CAPACITY)
            os.write(little, b"here I am\n")
            await until(quiet, 10)
            assert loud.end < enough  # it was not at the end of the other's output
            await writing
            await until(loud, enough)
    assert loud.tail(0, CAPACITY * 2).endswith(b"y\n")
    assert len(loud.tail(0, CAPACITY * 2)) <= CAPACITY
    assert sum(path.stat().st_size for path in paths.logs.glob("ext-loud*")) < 3 * ROTATE_AT


async def test_a_fifo_that_breaks_is_said_and_left(tmp_path: Path, paths: Paths) -> None:
    reports = Reports()
    said = threading.Event()

    def report(text: str) -> None:
        reports(text)
        said.set()

    logs = ServiceLogs(paths, report)
    reading, writing = os.pipe()
    async with logs.reading():
        # The wrong end of a pipe cannot be read.
        logs.attach(writing, logs.register("ext-a"))
        os.close(reading)
        await asyncio.to_thread(said.wait)
    os.close(writing)
    assert any("output cannot be read any more" in report for report in reports)


class SlowFile(LogFile):
    """A disk that lets a write wait."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Reports(), Beneath(path.parent))
        self.writing, self.go_on = threading.Event(), threading.Event()

    def move(self, fifo: int, limit: int) -> bytes:
        self.writing.set()
        assert self.go_on.wait(30)
        return super().move(fifo, limit)


def opened_fifo(directory: Path) -> int:
    os.mkfifo(directory / "fifo")
    return os.open(directory / "fifo", os.O_RDWR | os.O_NONBLOCK)


def is_open(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").exists()


def test_a_fifo_is_closed_when_no_thread_reads_it_any_more_and_no_caller_waits(
    tmp_path: Path,
) -> None:
    """Its number would be another file's, and that one's content a line of the service."""
    file = SlowFile(tmp_path / "a.log")
    log = ServiceLog(file)
    pipe = opened_fifo(tmp_path)
    os.write(pipe, b"one\n")
    reading = threading.Thread(target=log.take, args=(pipe,))
    reading.start()
    assert file.writing.wait(30)

    log.close_fifo(pipe)

    assert is_open(pipe)
    file.go_on.set()
    reading.join()
    assert not is_open(pipe)
    assert (tmp_path / "a.log").read_bytes() == b"one\n"
    log.forget_file()


def test_a_fifo_that_no_thread_reads_is_closed_at_once(tmp_path: Path) -> None:
    pipe = opened_fifo(tmp_path)
    service_log(tmp_path / "a.log").close_fifo(pipe)
    assert not is_open(pipe)


async def test_the_reading_thread_leaves_alone_what_was_detached_before_its_turn(
    paths: Paths, tmp_path: Path
) -> None:
    """It used to reopen the log file of a run that was over, and to read from a number of old."""
    logs = ServiceLogs(paths, Reports())
    log, pipe = logs.register("ext-a"), opened_fifo(tmp_path)
    os.write(pipe, b"one\n")
    logs.attach(pipe, log)
    logs.detach(pipe)

    logs._take(log, pipe)

    assert log.end == 0
    assert not paths.log("ext-a").exists()
    log.close_fifo(pipe)
