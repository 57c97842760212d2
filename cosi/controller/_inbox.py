"""The inbox: hands items to a supervised task that counts as busy from the moment of posting."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from cosi._aio.waker import Waker
from cosi.controller._in_flight import WorkToken, current_token
from cosi.errors import CosiError

T = TypeVar("T")

CAPACITY = 1024


class Inbox(Generic[T]):
    """A bounded queue with one reader, who is idle while it waits; ``capacity`` is in items.

    ::

        async def supervise(id, spec):
            async for command in inbox: ...

    *Guarantee*: the reader counts as busy from the moment of :meth:`post`, not only from when the
    event loop runs it. So ``post(...)`` followed by ``await runtime.settled()`` waits until the
    reader has handled the item. ``with idle(): await event.wait()`` cannot promise that.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._waker = Waker()
        self._reader: WorkToken | None = None

    def __len__(self) -> int:
        return len(self._items)

    def post(self, item: T) -> None:
        """Add an item; from the event loop's thread.

        Raises :class:`~cosi.errors.CosiError` if ``capacity`` items are waiting already.
        """
        if len(self._items) >= self._capacity:
            raise CosiError(f"the inbox is full: {self._capacity} items wait for their reader")
        self._items.append(item)
        if self._reader is not None:
            self._reader.resume()
        self._waker.wake()

    async def take(self) -> T:
        """Wait for the next item, idle meanwhile, and return it."""
        while not self._items:
            await self._park()
        return self._items.popleft()

    async def _park(self) -> None:
        token = current_token()
        parked = token is not None and token.park()
        self._reader = token if parked else None
        try:
            await self._waker.wait()
        finally:
            self._reader = None
            if parked and token is not None:
                token.resume()

    def __aiter__(self) -> Inbox[T]:
        return self

    async def __anext__(self) -> T:
        return await self.take()
