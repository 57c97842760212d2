"""The clock reader: reports whether the clock is synchronised, and when it jumps.

- *Synchronised*: the kernel's ``STA_UNSYNC`` is clear (chrony, ntpd and systemd-timesyncd clear
  it), or systemd-timesyncd has made its file. The file is watched; the kernel does not announce
  changes of the flag, so it is read repeatedly: while the clock is unsynchronised after 2, 4, 8,
  16, then every 30 seconds, else every five minutes (once set, the kernel itself takes 9 hours at
  least to distrust its clock). A correction that steps the clock is noticed at once.
- *Jump*: the clock was set (the kernel announces it, see ``timerfd``) and its distance from the
  time since boot changed by more than 15 minutes (Talos 1.14: ``EpochLimit``). A suspend is not a
  jump.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import anyio

from controllers.host.paths import HostPaths
from controllers.host.reader import HostReadError
from controllers.host.timerfd import ClockSetDescriptor
from controllers.host.timex import kernel_clock_is_synchronised
from controllers.host.walk import Presence

log = logging.getLogger(__name__)

TIMESYNCD_FILE = "/run/systemd/timesync/synchronized"
"""systemd-timesyncd(8): exists once the clock has been synchronised."""

JUMP_SECONDS = 15 * 60.0
SYNCHRONISED_SECONDS = 300.0
FIRST_UNSYNCHRONISED_SECONDS = 2.0
LAST_UNSYNCHRONISED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """The state of the clock; ``jumps`` counts from the creation of the reader."""

    synchronised: bool
    jumps: int = 0


def seconds_from_boot_to_clock() -> float:
    """The distance between wall clock and time since boot; constant until the clock is set."""
    return time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)


def unsynchronised_delays() -> Iterator[float]:
    """Seconds between two reads while the clock is unsynchronised."""
    delay = FIRST_UNSYNCHRONISED_SECONDS
    while True:
        yield delay
        delay = min(delay * 2, LAST_UNSYNCHRONISED_SECONDS)


class ClockReader:
    """The :class:`~controllers.host.reader.HostReader` of the machine's clock."""

    def __init__(
        self,
        distance: Callable[[], float] = seconds_from_boot_to_clock,
        synchronised: Callable[[], bool] = kernel_clock_is_synchronised,
        file: str = TIMESYNCD_FILE,
    ) -> None:
        self._distance = distance
        self._kernel_says = synchronised
        self._file = file
        self._file_is_there = False
        self._last_distance = distance()
        self._jumps = 0
        self._news = anyio.Event()

    async def follow(self, report: Callable[[ClockFacts], None]) -> None:
        """See :class:`~controllers.host.reader.HostReader`."""
        self._news = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_settings)
            tasks.start_soon(self._watch_file)
            await self._news_within(math.inf)  # the first look at the file
            delays, last = unsynchronised_delays(), None
            while True:
                facts = self._facts()
                if facts != last:
                    last = facts
                    report(facts)
                delay = SYNCHRONISED_SECONDS if facts.synchronised else next(delays)
                if await self._news_within(delay):
                    delays = unsynchronised_delays()

    def _facts(self) -> ClockFacts:
        distance = self._distance()
        if abs(distance - self._last_distance) > JUMP_SECONDS:
            self._jumps += 1
        self._last_distance = distance
        return ClockFacts(self._synchronised(), self._jumps)

    def _synchronised(self) -> bool:
        if self._file_is_there:
            return True
        try:
            return self._kernel_says()
        except OSError as error:
            raise HostReadError(
                f"cannot read whether the clock is synchronised ({error}); "
                "--time-sync disabled skips this check"
            ) from error

    async def _news_within(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self._news.wait()
        woken = self._news.is_set()
        self._news = anyio.Event()
        return woken

    async def _watch_settings(self) -> None:
        try:
            descriptor = ClockSetDescriptor()
        except OSError as error:
            log.info("steps of the clock will be noticed late", extra={"reason": str(error)})
            return
        with descriptor:
            while True:
                await anyio.wait_readable(descriptor.fd)
                descriptor.acknowledge()
                self._news.set()

    async def _watch_file(self) -> None:
        def look(presences: Mapping[str, Presence]) -> None:
            self._file_is_there = presences[self._file].present
            self._news.set()

        await HostPaths("/", self._file).follow(look)
