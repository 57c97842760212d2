"""These tests ask the real kernel, so their clock is the real one too, on both backends."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from controllers.host.reader import HostReader

Next = Callable[[], Any]
Following = Callable[[HostReader[Any]], AbstractAsyncContextManager[Next]]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@asynccontextmanager
async def followed(reader: HostReader[Any]) -> AsyncGenerator[Next, None]:
    """Follow a reader; what is yielded waits for its next report."""
    send, receive = anyio.create_memory_object_stream[Any](1000)

    async def report() -> Any:
        with anyio.fail_after(5):
            return await receive.receive()

    with send, receive:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.follow, send.send_nowait)
            yield report
            tasks.cancel_scope.cancel()


@pytest.fixture
def following() -> Following:
    return followed
