"""Waiting for grpc inside anyio's cancel scopes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import anyio.lowlevel

T = TypeVar("T")


async def reply(call: Awaitable[T]) -> T:
    """Await a call of grpc, which ends when the wait is cancelled.

    grpc then raises its own ``CancelledError``. anyio recognizes its cancellations by their
    message, so it would let this one through the scope. The checkpoint makes the scope raise its
    own.
    """
    try:
        return await call
    except asyncio.CancelledError:
        await anyio.lowlevel.checkpoint_if_cancelled()
        raise
