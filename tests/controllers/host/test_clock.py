"""The clock: the kernel's word, timesyncd's file, and steps of the clock."""

import os
import time
from itertools import islice
from pathlib import Path

import anyio
import pytest

from controllers.host.clock import ClockFacts, ClockReader, unsynchronised_delays
from controllers.host.reader import HostReadError
from controllers.host.timerfd import ClockSetDescriptor
from controllers.host.timex import kernel_clock_is_synchronised
from tests.controllers.host.conftest import Following


class Clock:
    """A clock that can be set, behind the reader's two questions."""

    def __init__(self) -> None:
        self.distance = 1_000_000.0
        self.synchronised = False

    def reader(self, file: Path = Path("/nothing")) -> ClockReader:
        return ClockReader(lambda: self.distance, lambda: self.synchronised, str(file))


def test_the_kernel_can_be_asked() -> None:
    assert kernel_clock_is_synchronised() in {True, False}


async def test_what_the_kernel_says_is_told(following: Following) -> None:
    clock = Clock()
    clock.synchronised = True
    async with following(clock.reader()) as report:
        assert await report() == ClockFacts(synchronised=True)


async def test_the_file_of_timesyncd_makes_the_clock_right_at_once(
    tmp_path: Path, following: Following
) -> None:
    file = tmp_path / "timesync/synchronized"
    async with following(Clock().reader(file)) as report:
        assert await report() == ClockFacts(synchronised=False)
        file.parent.mkdir()
        file.touch()
        assert await report() == ClockFacts(synchronised=True)
        file.unlink()
        assert await report() == ClockFacts(synchronised=False)


@pytest.mark.parametrize(
    ("seconds", "jumps"), [(15 * 60 + 1, 1), (-15 * 60 - 1, 1), (15 * 60 - 1, 0), (-1, 0)]
)
async def test_only_a_change_of_more_than_fifteen_minutes_is_a_jump(
    seconds: float, jumps: int, tmp_path: Path, following: Following
) -> None:
    clock, file = Clock(), tmp_path / "file"
    async with following(clock.reader(file)) as report:
        assert await report() == ClockFacts(synchronised=False)
        clock.distance += seconds
        file.touch()  # any news is a reason to look
        assert await report() == ClockFacts(synchronised=True, jumps=jumps)


async def test_each_jump_counts_once(tmp_path: Path, following: Following) -> None:
    clock, file = Clock(), tmp_path / "file"
    async with following(clock.reader(file)) as report:
        await report()
        clock.distance += 3600
        file.touch()
        assert await report() == ClockFacts(synchronised=True, jumps=1)
        file.unlink()
        assert await report() == ClockFacts(synchronised=False, jumps=1)


async def test_a_kernel_that_does_not_say_is_a_failure_that_names_the_way_out() -> None:
    def secret() -> bool:
        raise PermissionError(1, "adjtimex: Operation not permitted")

    reader = ClockReader(synchronised=secret, file="/nothing")
    with pytest.raises(ExceptionGroup) as failure:
        await reader.follow(lambda facts: None)
    assert failure.group_contains(HostReadError, match="--time-sync disabled")


def test_a_clock_that_is_wrong_is_looked_at_ever_more_rarely() -> None:
    assert list(islice(unsynchronised_delays(), 7)) == [2, 4, 8, 16, 30, 30, 30]


def may_set_the_clock() -> bool:
    """Only where nobody keeps it right: setting it tells the kernel to distrust it."""
    if os.geteuid() != 0 or kernel_clock_is_synchronised():
        return False
    try:
        set_to_the_time_that_it_is()
    except PermissionError:
        return False
    return True


def set_to_the_time_that_it_is() -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))


needs_the_clock = pytest.mark.skipif(
    not may_set_the_clock(), reason="needs root and a clock that nobody synchronises"
)


@needs_the_clock
async def test_setting_the_clock_makes_the_descriptor_readable_each_time() -> None:
    with ClockSetDescriptor() as descriptor, anyio.fail_after(5):
        for _ in range(3):
            set_to_the_time_that_it_is()
            await anyio.wait_readable(descriptor.fd)
            descriptor.acknowledge()
        with anyio.move_on_after(0.01) as quiet:
            await anyio.wait_readable(descriptor.fd)
        assert quiet.cancelled_caught


@needs_the_clock
async def test_a_step_of_the_clock_is_seen_at_once(following: Following) -> None:
    clock = Clock()
    async with following(clock.reader()) as report:
        await report()
        clock.distance += 3600
        set_to_the_time_that_it_is()
        assert await report() == ClockFacts(synchronised=False, jumps=1)
