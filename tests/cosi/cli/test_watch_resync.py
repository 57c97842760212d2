"""`cosi get --watch`, and what it does when the server goes away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from cosi import InMemoryState, State
from cosi.api.client import connect
from cosi.api.server import UnixListener, serve
from cosi.cli._watch_resync import Following, Step
from cosi.cli.printing import printer_for
from cosi.errors import Unavailable
from cosi.resource._envelope import kind_of
from cosi.state import EventType
from cosi.state._meta import resource_definition
from tests.cosi.cli.things import Lamp, lamp

CREATED, UPDATED, DESTROYED = EventType.CREATED, EventType.UPDATED, EventType.DESTROYED


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # gRPC


class Seen:
    """What was shown, step by step."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[list[Step]](100)

    def __call__(self, steps: list[Step]) -> None:
        self._send.send_nowait(steps)

    async def next(self) -> list[tuple[EventType, str]]:
        with anyio.fail_after(20):
            return [(event, resource.id) for event, resource in await self._receive.receive()]

    def close(self) -> None:
        self._send.close()
        self._receive.close()


@pytest.fixture
async def seen() -> AsyncIterator[Seen]:
    seen = Seen()
    yield seen
    seen.close()


async def _put(state: State, id: str, **fields: object) -> None:
    await state.apply(lamp(id, **fields))


async def test_the_contents_come_first_then_the_changes(seen: Seen) -> None:
    state = InMemoryState()
    await _put(state, "desk")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Following(state, kind_of(Lamp)).run, seen)
        assert await seen.next() == [(CREATED, "desk")]

        await _put(state, "hall")
        assert await seen.next() == [(CREATED, "hall")]
        await _put(state, "desk", on=True)
        assert await seen.next() == [(UPDATED, "desk")]
        await state.destroy(Lamp, "hall")
        assert await seen.next() == [(DESTROYED, "hall")]
        tasks.cancel_scope.cancel()


async def test_one_that_is_not_there_yet_is_waited_for(seen: Seen) -> None:
    state = InMemoryState()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Following(state, kind_of(Lamp), "desk").run, seen)
        assert await seen.next() == [(DESTROYED, "desk")]

        await _put(state, "desk")
        assert await seen.next() == [(CREATED, "desk")]
        tasks.cancel_scope.cancel()


async def test_a_watch_survives_a_server_that_comes_back_with_the_same_state(
    seen: Seen, tmp_path: Path
) -> None:
    state, listener = InMemoryState(), UnixListener(tmp_path / "cosi.sock")
    await _put(state, "desk")
    async with connect(f"unix:{listener.path}") as remote, anyio.create_task_group() as tasks:
        async with serve(state, listener):
            tasks.start_soon(Following(remote, kind_of(Lamp)).run, seen)
            assert await seen.next() == [(CREATED, "desk")]
        await _put(state, "hall")
        async with serve(state, listener):
            assert await seen.next() == [(CREATED, "hall")]
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("id", [None, "desk"])
async def test_a_watch_survives_a_server_that_begins_anew_and_shows_only_differences(
    seen: Seen, tmp_path: Path, id: str | None
) -> None:
    old, new, listener = InMemoryState(), InMemoryState(), UnixListener(tmp_path / "cosi.sock")
    for name in ("attic", "desk", "hall"):
        await _put(old, name)
    for color in "roygbiv":  # its history is longer: the new server cannot know its bookmarks
        await _put(old, "attic", colors=[color])
    await new.create((await old.get(Lamp, "hall")).evolve(version=None))
    await _put(new, "desk", on=True)
    await _put(new, "porch")
    async with connect(f"unix:{listener.path}") as remote, anyio.create_task_group() as tasks:
        async with serve(old, listener):
            tasks.start_soon(Following(remote, kind_of(Lamp), id).run, seen)
            first = await seen.next()
        async with serve(new, listener):
            steps = await seen.next()
            tasks.cancel_scope.cancel()
    if id is None:
        assert first == [(CREATED, "attic"), (CREATED, "desk"), (CREATED, "hall")]
        assert (DESTROYED, "attic") in steps
        assert {(UPDATED, "desk"), (CREATED, "porch")} < set(steps)
    else:
        assert (first, steps) == ([(CREATED, "desk")], [(UPDATED, "desk")])


async def test_a_server_that_was_never_there_is_an_error(seen: Seen, tmp_path: Path) -> None:
    async with connect(f"unix:{tmp_path}/none.sock") as remote:
        with pytest.raises(Unavailable):
            await Following(remote, kind_of(Lamp)).run(seen)


def test_lines_of_a_watch_stay_below_their_header(capsys: pytest.CaptureFixture[str]) -> None:
    printer = printer_for("table", resource_definition(Lamp).spec, watching=True)
    printer.happened("n", [(CREATED, lamp("a-long-name", on=True))])
    printer.happened("n", [(UPDATED, lamp("b")), (DESTROYED, lamp("a-long-name"))])

    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "NODE   *   NAMESPACE   TYPE   ID            VERSION     ON     COLORS   SLICED   ROOM",
        "n      +   house       Lamp   a-long-name   undefined   true   []                null",
        "n          house       Lamp   b             undefined   false   []                null",
        "n      -   house       Lamp   a-long-name   undefined   false   []                null",
    ]


def test_documents_of_a_watch_say_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    printer = printer_for("yaml", resource_definition(Lamp).spec, watching=True)
    printer.happened("n", [(CREATED, lamp("a"))])
    printer.happened("n", [(DESTROYED, lamp("a"))])

    first, second = capsys.readouterr().out.split("---\n")
    assert first.startswith("node: n\nevent: created\n")
    assert second.startswith("node: n\nevent: destroyed\n")
