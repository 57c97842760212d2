"""Which events are shown, and how they are followed across restarts of the server."""

from __future__ import annotations

import anyio
import pytest

from controllers.commands.event_following import EventFollowing, EventLine, Show, Tail, past
from controllers.commands.events import printer
from cosi import CosiError
from cosi.errors import InvalidResource, Unavailable


def _event(id: str) -> EventLine:
    return EventLine(id, ("n", id))


class Server:
    """Lives of a server: the events that it has, and how the stream of them ends."""

    def __init__(self, *lives: tuple[list[str], CosiError]) -> None:
        self.lives = list(lives)
        self.asked: list[Tail] = []

    async def events(self, show: Show, tail: Tail) -> None:
        self.asked.append(tail)
        ids, end = self.lives.pop(0)
        show(EventLine("", None))
        for id in ids:
            show(_event(id))
        raise end


GONE, OVER = Unavailable("gone"), CosiError("over")


async def _followed(server: Server, tail: Tail) -> list[str]:
    seen: list[str] = []
    with pytest.raises(CosiError, match="over"):
        await EventFollowing(server, lambda event: seen.append(event.id)).run(tail)
    return [id for id in seen if id]


async def test_events_go_on_after_the_last_one_that_was_seen() -> None:
    server = Server((["a", "b"], GONE), (["c"], OVER))
    assert await _followed(server, Tail(count=-1, actor="me")) == ["a", "b", "c"]
    assert server.asked[1] == Tail(id="b", actor="me")


async def test_a_new_server_knows_nothing_of_the_last_one() -> None:
    server = Server((["a"], GONE), ([], InvalidResource("error parsing tail_id")), (["b"], OVER))
    assert await _followed(server, Tail()) == ["a", "b"]
    assert server.asked == [Tail(), Tail(id="a"), Tail(count=-1)]


async def test_a_wrong_id_of_a_person_is_an_error() -> None:
    server = Server(([], InvalidResource("error parsing tail_id: x")))
    with pytest.raises(InvalidResource):
        await EventFollowing(server, lambda _: None).run(Tail(id="x"))


async def test_a_server_that_never_answered_is_not_waited_for() -> None:
    class Nobody:
        async def events(self, show: Show, tail: Tail) -> None:
            raise GONE

    with pytest.raises(Unavailable):
        await EventFollowing(Nobody(), lambda _: None).run(Tail())


async def test_the_past_is_over_when_nothing_comes_any_more() -> None:
    class Quiet:
        async def events(self, show: Show, tail: Tail) -> None:
            await anyio.sleep(0.04)
            for id in "abc":
                show(_event(id))
                await anyio.sleep(0.01)
            await anyio.sleep_forever()

    seen: list[str] = []
    with anyio.fail_after(5):
        await past(Quiet(), Tail(-1), lambda event: seen.append(event.id), 0.02)
    assert seen == ["a", "b", "c"]


def test_the_header_of_events_that_are_followed_stands_above_their_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was written before any event, as narrow as its own words."""
    show = printer()
    show(EventLine("", None))
    assert capsys.readouterr().out == ""

    show(EventLine("1", ("alpha", "d4c1h0kq1l5p0f0b2m3g", "machine.X", "", "ext-a", "RUNNING: up")))
    show(EventLine("2", ("alpha", "d4c1h0kq1l5p0f0b2m3h", "machine.X", "", "ext-b", "FAILED: off")))

    header, *rows = capsys.readouterr().out.splitlines()
    for word, places in (
        ("ID", "d4c1"),
        ("EVENT", "machine.X"),
        ("SOURCE", "ext-"),
        ("MESSAGE", ("RUNNING", "FAILED")),
    ):
        begins = (places, places) if isinstance(places, str) else places
        assert [row.index(begin) for row, begin in zip(rows, begins, strict=True)] == [
            header.index(word)
        ] * 2
