"""Host readers: the protocol by which controllers follow facts about the machine, and retries.

A reader reports the current fact, and again whenever it may have changed; in between it sleeps in
the kernel. It reports the whole fact, never a difference, so a report may be dropped, repeated or
late without harm.

A failing reader is a fact too: the controller continues without it, logs that and writes it to its
resource, and the reader is retried, at growing intervals.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Generic, NoReturn, Protocol, TypeVar, cast

import anyio

from cosi import CosiError

log = logging.getLogger(__name__)

Fact = TypeVar("Fact")
Fact_co = TypeVar("Fact_co", covariant=True)

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0
FIRST_LOOK_SECONDS = 5.0
"""How long a controller waits for the first report of a reader before it continues without."""


class HostReadError(CosiError):
    """A fact cannot be read from the machine; the message names the fact and the reason."""


class HostReader(Protocol[Fact_co]):
    """Follows one fact about the machine."""

    async def follow(self, report: Callable[[Fact_co], None]) -> None:
        """Report the fact now and at each change, until cancelled.

        ``report`` is called in the event loop and does not block. Raises :class:`HostReadError`
        or ``OSError`` when the fact cannot be read; may be called again afterwards. One call at
        a time.
        """
        ...


def retry_delays() -> Iterator[float]:
    """Seconds to wait before the next attempt: 1, 2, 4, ... 60, 60."""
    delay = FIRST_RETRY_SECONDS
    while True:
        yield delay
        delay = min(delay * 2, LAST_RETRY_SECONDS)


async def keep_following(
    name: str,
    reader: HostReader[Fact],
    report: Callable[[Fact], None],
    failed: Callable[[str], None],
) -> NoReturn:
    """Follow ``reader`` until cancelled; call ``failed`` with the reason each time it fails.

    A repeated reason is logged once, until the reader has worked again.
    """
    delays, last_reason = retry_delays(), ""

    def works(fact: Fact) -> None:
        nonlocal delays, last_reason
        delays, last_reason = retry_delays(), ""
        report(fact)

    while True:
        try:
            await reader.follow(works)
            reason = "has ended"
        except (OSError, HostReadError, ExceptionGroup) as error:
            reason = _reason(error)
        delay = next(delays)
        if reason != last_reason:
            log.warning("host reader failed", extra={"reader": name, "reason": reason})
        last_reason = reason
        failed(reason)
        await anyio.sleep(delay)


def _reason(error: Exception) -> str:
    """Why a reader failed, in one line; any other exception is a bug, and raised again."""
    if not isinstance(error, ExceptionGroup):
        return str(error)
    group = cast("ExceptionGroup[Exception]", error)
    if group.split((OSError, HostReadError))[1]:
        raise error
    return _reason(group.exceptions[0])


class Followed(Generic[Fact]):
    """A reader in use: its latest fact, and the reason of its failure, if any.

    If a reader fails after a report, its last fact is kept: most likely it is still true.
    """

    def __init__(self, name: str, reader: HostReader[Fact]) -> None:
        self.name = name
        self.fact: Fact | None = None
        self.failure = ""
        self.heard = anyio.Event()
        self._reader = reader

    async def follow(self, changed: Callable[[], None]) -> NoReturn:
        """Keep ``fact`` and ``failure`` up to date; call ``changed`` after each change."""

        def report(fact: Fact) -> None:
            self.fact, self.failure = fact, ""
            self.heard.set()
            changed()

        def failed(reason: str) -> None:
            if reason != self.failure:
                self.failure = reason
                self.heard.set()
                changed()

        await keep_following(self.name, self._reader, report, failed)


async def first_words(*followed: Followed[Any]) -> None:
    """Wait until every reader has reported or failed, for :data:`FIRST_LOOK_SECONDS` at most.

    A controller that awaits this before its first wake-up counts as busy meanwhile: a machine is
    not settled before its facts were read.
    """
    with anyio.move_on_after(FIRST_LOOK_SECONDS):
        for each in followed:
            await each.heard.wait()


def failures(*followed: Followed[Any]) -> dict[str, str]:
    """The annotations ``host/NAME`` of a resource: the failures of the readers behind it."""
    return {f"host/{each.name}": each.failure for each in followed if each.failure}
