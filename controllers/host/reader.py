"""How a controller learns a fact about the machine.

A reader tells what is so now, and again whenever that may have changed; it sleeps in the kernel in
between. What it tells is the whole fact, never a difference, so a report may be dropped, repeated
or late without harm.

A reader that fails is a fact too: the controller goes on without it, says so in the log and in its
resource, and the reader is tried again, ever more rarely.
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
"""How long a controller waits for the first word of a reader before it goes on without."""


class HostReadError(CosiError):
    """The machine does not let itself be asked; the message names what was asked and why not."""


class HostReader(Protocol[Fact_co]):
    """Follows one fact about the machine."""

    async def follow(self, report: Callable[[Fact_co], None]) -> None:
        """Report the fact now and at each change, until cancelled.

        ``report`` is called in the event loop and does not wait. Raises :class:`HostReadError`
        or ``OSError`` when the fact cannot be read; may be called again afterwards. One call at
        a time.
        """
        ...


def retry_delays() -> Iterator[float]:
    """Seconds to wait before the next try: 1, 2, 4, ... 60, 60."""
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
    """Follow ``reader`` for ever; ``failed`` gets the reason each time it fails.

    A reason is logged once, however often it repeats, until the reader has worked again.
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
            log.warning("host reader fails", extra={"reader": name, "reason": reason})
        last_reason = reason
        failed(reason)
        await anyio.sleep(delay)


def _reason(error: Exception) -> str:
    """Why a reader failed, in one line; what is not its failure is raised again: a bug."""
    if not isinstance(error, ExceptionGroup):
        return str(error)
    group = cast("ExceptionGroup[Exception]", error)
    if group.split((OSError, HostReadError))[1]:
        raise error
    return _reason(group.exceptions[0])


class Followed(Generic[Fact]):
    """A reader in use: its latest fact, and why it fails if it does.

    A reader that fails after it has told something leaves that behind: most likely it still holds.
    """

    def __init__(self, name: str, reader: HostReader[Fact]) -> None:
        self.name = name
        self.fact: Fact | None = None
        self.failure = ""
        self.heard = anyio.Event()
        self._reader = reader

    async def follow(self, changed: Callable[[], None]) -> NoReturn:
        """Keep ``fact`` and ``failure`` as they are now; call ``changed`` after each change."""

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
    """Wait until every reader has told something, or failed.

    A controller that waits for this before it asks for its first wake-up counts as busy so long:
    a machine is not settled before somebody has looked at it.
    """
    with anyio.move_on_after(FIRST_LOOK_SECONDS):
        for each in followed:
            await each.heard.wait()


def failures(*followed: Followed[Any]) -> dict[str, str]:
    """What a resource says about the readers behind it: ``host/NAME`` annotations."""
    return {f"host/{each.name}": each.failure for each in followed if each.failure}
