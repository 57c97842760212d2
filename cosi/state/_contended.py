"""Retries a write after a conflict with another writer: one loop, and one budget of attempts."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar, TypeVarTuple

import anyio

from cosi.errors import CosiError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ATTEMPTS: Final = 50
_LONGEST_PAUSE_SECONDS: Final = 0.2


def pauses() -> Iterator[float]:
    """Seconds to wait before each attempt after the first: none, then growing, and uneven.

    COSI has no limit and no pause (differences: COSI 15).
    """
    yield from (0.0, 0.0, 0.0)
    pause = 0.001
    for _ in range(ATTEMPTS - 4):
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311  # not a secret, only uneven
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def again(
    error: CosiError,
    beaten: tuple[type[CosiError], ...],
    attempt: Callable[[*Ts], Awaitable[T]],
    *about: *Ts,
) -> T:
    """Go on with a write whose first attempt another writer has ``beaten``, which is ``error``.

    The first is the caller's own, as most writes need no other. Returns what ``attempt(*about)``
    does, which reads anew each time; raises what the last one raised.
    """
    for pause in pauses():
        await anyio.sleep(pause)
        try:
            return await attempt(*about)
        except beaten as latest:
            error = latest
    raise error
