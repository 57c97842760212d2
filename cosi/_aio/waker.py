"""The waker, with which one task sleeps until another wakes it: a bare future on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import anyio


class Waker:
    """One task waits; any code in the same event loop wakes it.

    A wake-up is remembered: a wait after it returns at once. Several wake-ups before a wait count
    as one. It costs less than half of ``anyio.Event`` on asyncio (measured), and is reusable.
    """

    __slots__ = ("_awake", "_sleeper")

    def __init__(self) -> None:
        self._awake = False
        self._sleeper: asyncio.Future[None] | _Sleeper | None = None

    @property
    def awake(self) -> bool:
        """Whether the next :meth:`wait` returns at once."""
        return self._awake

    @property
    def waiting(self) -> bool:
        """Whether a task sleeps here and has not been woken yet."""
        return self._sleeper is not None and not self._awake

    def wake(self) -> None:
        """Wake the waiting task, or the next one that waits."""
        self._awake = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    def clear(self) -> None:
        """Forget a wake-up for which no task has waited yet."""
        self._awake = False

    async def wait(self) -> None:
        """Return once woken; a cancelled wait does not lose the wake-up."""
        if not self._awake:
            if self._sleeper is not None:
                raise RuntimeError("another task already waits for this waker")
            self._sleeper = _new_sleeper()
            try:
                await self._sleeper
            finally:
                self._sleeper = None
        self._awake = False


class _Sleeper:
    """The part of a future that a waker needs, on any backend of anyio."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = anyio.Event()

    def done(self) -> bool:
        return self._event.is_set()

    def set_result(self, result: None) -> None:
        self._event.set()

    def __await__(self) -> Generator[Any, None, None]:
        return self._event.wait().__await__()


def _new_sleeper() -> asyncio.Future[None] | _Sleeper:
    loop = running_loop()
    return _Sleeper() if loop is None else loop.create_future()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that runs this code; ``None`` under trio, or outside any loop."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
