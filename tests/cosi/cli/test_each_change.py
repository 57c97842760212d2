"""Waiting for a change of the source, on the real clock: watchfiles does so in a thread."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from cosi.cli._reload import each_change


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


class Source:
    """A file; ``asked`` is set when it is looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked = anyio.Event()

    def save(self, text: str) -> None:
        self.path.write_text(text)

    async def is_good(self) -> bool:
        self.asked.set()
        return self.path.read_text() == "good"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    found = Source(tmp_path / "mine.py")
    found.save("bad")
    return found


async def test_it_is_asked_at_each_change_until_it_is_enough(source: Source) -> None:
    found: list[bool] = []

    async def wait() -> None:
        found.append(await each_change([source.path.parent], source.is_good))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await source.asked.wait()
            source.save("good")
    assert found == [True]


async def test_one_that_is_cancelled_has_seen_no_change(source: Source) -> None:
    """Or a run that ends would start again."""
    found: list[bool] = []

    async def wait() -> None:
        found.append(await each_change([source.path.parent], source.is_good))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        with anyio.fail_after(30):
            await source.asked.wait()
        tasks.cancel_scope.cancel()
    assert True not in found
