"""Waiting for grpc inside anyio's cancel scopes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import anyio.lowlevel

T = TypeVar("T")


async def reply(call: Awaitable[T]) -> T:
    """Await something of grpc's, which ends its call when the wait is cancelled.

    grpc then raises a ``CancelledError`` of its own making; anyio knows its cancellations by what
    they carry, would take this one for somebody else's, and let it through the scope. So the scope
    is asked again, and raises its own.
    """
    try:
        return await call
    except asyncio.CancelledError:
        await anyio.lowlevel.checkpoint_if_cancelled()
        raise
