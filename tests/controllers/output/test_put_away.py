"""Log files that others put away (logrotate), and pipes whose name others take, are followed."""

import logging
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from controllers.files.beneath import (
    Beneath,
)
from controllers.files.openat2 import (
    LINK_REFUSED,
)
from controllers.output.log_file import ROTATE_AT, LogFile
from resources.extension_service import Mount
from tests.controllers.drivers.test_takeover import kill, said, stop_what_runs, supervise
from tests.controllers.output.test_logs import Reports, fifo
from tests.controllers.runs import Runs
from tests.soak import quantity


def log_file(path: Path, reports: Reports | None = None) -> LogFile:
    return LogFile(path, reports if reports is not None else Reports(), Beneath(path.parent))


def say(file: LogFile, pipe: int, text: bytes) -> None:
    os.write(pipe, text)
    assert file.move(pipe, 65536) == text


def test_a_log_that_was_renamed_is_whole_and_the_next_line_goes_to_a_new_one(
    tmp_path: Path,
) -> None:
    """logrotate: `a.log` becomes `a.log.1`, and nobody is signalled."""
    path = tmp_path / "a.log"
    file = log_file(path)
    with fifo(tmp_path) as pipe:
        say(file, pipe, b"before\n")
        path.rename(tmp_path / "a.log.1")
        say(file, pipe, b"after\n")
    assert (tmp_path / "a.log.1").read_bytes() == b"before\n"
    assert path.read_bytes() == b"after\n"
    file.close()


@pytest.mark.parametrize("create", [False, True])
def test_a_log_that_was_renamed_is_not_emptied_when_it_is_full(
    tmp_path: Path, create: bool
) -> None:
    """logrotate's `create` makes a new file, `nocreate` does not."""
    path, reports = tmp_path / "a.log", Reports()
    path.write_bytes(b"x" * (ROTATE_AT - 8))
    file = log_file(path, reports)
    with fifo(tmp_path) as pipe:
        say(file, pipe, b"before\n")
        path.rename(tmp_path / "away")
        if create:
            path.touch()
        say(file, pipe, b"full now\n")
        say(file, pipe, b"after\n")
    assert (tmp_path / "away").stat().st_size == ROTATE_AT - 1
    assert (tmp_path / "away").read_bytes().endswith(b"before\n")
    assert path.read_bytes() == b"full now\nafter\n"
    assert reports == []
    file.close()


def test_a_directory_that_was_replaced_is_written_into(tmp_path: Path) -> None:
    path = tmp_path / "log/a.log"
    path.parent.mkdir()
    file = LogFile(path, Reports(), Beneath(tmp_path))
    with fifo(tmp_path) as pipe:
        say(file, pipe, b"before\n")
        path.parent.rename(tmp_path / "old")
        say(file, pipe, b"after\n")
    assert (tmp_path / "old/a.log").read_bytes() == b"before\n"
    assert path.read_bytes() == b"after\n"
    file.close()


class TruncatedMeanwhile(LogFile):
    """`copytruncate` at the worst moment: after we had asked where the file ends."""

    def _end(self) -> tuple[int, bytes]:
        end = super()._end()
        os.truncate(self._path, 0)
        return end


def test_a_log_that_is_truncated_while_we_write_has_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for size in (0, 7, 100, 5000, 100_000):
        path.write_bytes(b"x" * size)
        file = TruncatedMeanwhile(path, Reports(), Beneath(tmp_path))
        with fifo(tmp_path) as pipe:
            say(file, pipe, b"after\n")
        assert path.read_bytes() == b"after\n"
        file.close()


class TruncatedOnceMore(TruncatedMeanwhile):
    """And again, while what was written behind zeros is moved to the beginning."""

    truncated = False

    def _put_first(self, data: bytes) -> None:
        super()._put_first(data)
        if not self.truncated:
            self.truncated = True
            os.truncate(self._path, 0)


def test_a_log_that_is_truncated_while_it_is_begun_anew_has_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 100)
    file = TruncatedOnceMore(path, Reports(), Beneath(tmp_path))
    with fifo(tmp_path) as pipe:
        say(file, pipe, b"after\n")
    assert file.truncated
    assert path.read_bytes() == b"after\n"
    file.close()


def test_copytruncate_again_and_again_leaves_no_zeros_and_no_half_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = log_file(path)
    over = threading.Event()

    def copy_and_truncate() -> None:
        while not over.is_set():
            if path.exists():
                shutil.copy(path, tmp_path / "copy")
                os.truncate(path, 0)

    rotating = threading.Thread(target=copy_and_truncate)
    rotating.start()
    with fifo(tmp_path) as pipe:
        for number in range(quantity(2_000, 200_000)):
            os.write(pipe, b"line %d\n" % number)
            file.move(pipe, 65536)
            assert b"\0" not in path.read_bytes()
    over.set()
    rotating.join()
    file.close()


@pytest.mark.parametrize("target", ["../file", "nowhere"])
def test_output_is_not_appended_through_a_linked_log_file(tmp_path: Path, target: str) -> None:
    """It was written to whatever a link in the place of the log leads to."""
    (tmp_path / "file").write_text("theirs\n")
    root = tmp_path / "root"
    (root / "var/log").mkdir(parents=True)
    path, reports = root / "var/log/ext-a.log", Reports()
    path.symlink_to(f"../../{target}")
    file = LogFile(path, reports, Beneath(root))
    with fifo(tmp_path) as pipe:
        say(file, pipe, b"one\n")
        say(file, pipe, b"two\n")
        assert file.tail(100) == b""
        path.unlink()
        say(file, pipe, b"three\n")
    assert (tmp_path / "file").read_text() == "theirs\n"
    assert path.read_bytes() == b"three\n"
    assert reports[0].startswith(f"{path} cannot be written, output is kept in memory only: {path}")
    assert LINK_REFUSED in reports[0]
    assert reports[1:] == [f"{path} can be written again, 8 bytes are missing in it"]
    file.close()


def test_output_is_not_written_into_what_is_no_file(tmp_path: Path) -> None:
    path, reports = tmp_path / "a.log", Reports()
    os.mkfifo(path)
    file = log_file(path, reports)
    with fifo(tmp_path) as pipe:
        say(file, pipe, b"one\n")
    kept = "output is kept in memory only"
    assert reports == [f"{path} cannot be written, {kept}: {path}: not a regular file"]


# -- the name of a pipe ----------------------------------------------------------------------------

TALK = """
    trap 'echo bye; exit 0' TERM
    echo up
    while true; do sleep 0.05; echo more; done
"""


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_pipe_whose_name_was_removed_is_read_on_by_the_next_supervisor(
    runs: Runs, runtime: str, replaced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one made a pipe of that name, and read from it; the service wrote to the old one
    until it was full, and hung.
    """
    supervisor = supervise(runtime, runs, runs.shell(TALK))
    assert said(supervisor) == "starting"
    pid = int(said(supervisor))
    kill(supervisor)
    pipe = runs.paths.container("ext-a") / "output"
    pipe.unlink()
    if replaced:
        os.mkfifo(pipe)
    driver = runs.driver(runtime)
    with caplog.at_level(logging.WARNING, "cosi.containers"):
        async with driver.open():
            [adopted] = (await driver.adopt()).values()
            assert adopted.task.pid == pid
            assert adopted.preparation
            with driver.logs.get("ext-a").reader(lines=0, follow=True) as reader:
                await anext(reader)
            await adopted.task.signal(signal.SIGTERM)
            assert (await adopted.task.wait()).last_log.endswith("bye")
            await adopted.task.clean_up()
            await driver.release(adopted.preparation)
    assert f"{pipe} was removed; its output is still read" in caplog.text
    assert runs.left_behind() == []
    assert runs.log().splitlines()[-1] == "bye"


async def test_who_writes_to_a_pipe_without_a_name_is_stopped_with_its_service(runs: Runs) -> None:
    """A plain process that has left its session is known by the pipe that it writes to."""
    there = runs.paths.root.with_name("there")
    os.mkfifo(there)
    script = f"/usr/bin/setsid /bin/sh -c 'echo > {there}; sleep 1000' & sleep 1000 & wait"
    supervisor = supervise("process", runs, runs.shell(script))
    assert said(supervisor) == "starting"
    pid = int(said(supervisor))
    there.read_text()
    kill(supervisor)
    (runs.paths.container("ext-a") / "output").unlink()
    driver = runs.driver("process")
    async with driver.open():
        assert await stop_what_runs(driver) == {"ext-a": pid}
    assert runs.left_behind() == []


async def test_a_pipe_that_nobody_has_any_more_is_said(
    runs: Runs, runtime: str, caplog: pytest.LogCaptureFixture
) -> None:
    there = runs.paths.root.with_name("there")
    os.mkfifo(there)
    mount = Mount(destination=str(there), source=str(there), type="bind", options=("bind",))
    script = f"trap 'exit 0' TERM; exec >/dev/null 2>&1; echo > {there}; sleep 1000 & wait"
    supervisor = supervise(runtime, runs, runs.shell(script, mounts=(mount,)))
    assert said(supervisor) == "starting"
    pid = int(said(supervisor))
    there.read_text()
    kill(supervisor)
    pipe = runs.paths.container("ext-a") / "output"
    pipe.unlink()
    driver = runs.driver(runtime)
    with caplog.at_level(logging.WARNING, "cosi.containers"):
        async with driver.open():
            assert await stop_what_runs(driver) == {"ext-a": pid}
    assert f"ext-a: {pipe} is gone, and what it wrote" in caplog.text
    assert runs.left_behind() == []


async def test_what_is_in_the_place_of_a_pipe_is_not_written_to(
    runs: Runs, runtime: str, tmp_path: Path
) -> None:
    """A link planted in the run directory, or a run directory that a stranger has made."""
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs\n")
    directory = runs.paths.container("ext-a")
    directory.mkdir(parents=True)
    for name in ("output", "runtime.log", "answer.json", "pid", ".state.json", "config.json"):
        (directory / name).symlink_to(theirs)
    driver = runs.driver(runtime)
    async with driver.open():
        container = runs.shell("echo hello")
        preparation = await driver.prepare("ext-a", container)
        await driver.create_runner(preparation)
        task = await driver.create_and_start(preparation)
        assert (await task.wait()).last_log == "hello"
        await task.clean_up()
        await driver.release(preparation)
    assert theirs.read_text() == "theirs\n"
    assert runs.left_behind() == []
