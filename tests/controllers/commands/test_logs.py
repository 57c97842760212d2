"""Logs as lines, and logs followed across restarts of the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controllers.commands.log_following import LogFollowing
from controllers.commands.log_lines import LONGEST, LogLines
from cosi import CosiError, NotFound
from cosi.errors import Unavailable

Take = Callable[[bytes], None]


def _lines(*chunks: bytes) -> bytes:
    out = bytearray()
    lines = LogLines("n: ", out.extend)
    for chunk in chunks:
        lines.take(chunk)
    lines.end()
    return bytes(out)


def test_every_line_has_its_node_however_it_came() -> None:
    assert _lines(b"one\ntw", b"o\n", b"\nthree") == b"n: one\nn: two\nn: \nn: three\n"
    assert _lines() == b""


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    """differences: Talos 14: a long line stops nothing and costs no memory."""
    long = b"x" * (LONGEST + 1)
    assert _lines(long, long, b"\nnext\n") == b"n: " + long + long + b"\nn: next\n"


class Server:
    """A server of one log that breaks off when its script says so."""

    def __init__(self, *lives: bytes | tuple[bytes, bytes] | None) -> None:
        """Each life: (what it has, what it writes while it is followed); ``None``: not started."""
        self.lives = list(lives)
        self.asked: list[int] = []

    async def log_ids(self) -> list[str]:
        return ["ext-x"]

    async def logs(self, id: str, take: Take, *, follow: bool, tail: int) -> None:
        if not self.lives:
            raise CosiError("over")
        life = self.lives[0]
        if not isinstance(life, tuple):
            self.lives.pop(0)
            raise NotFound('log "ext-x" was not registered')
        had, written = life
        if tail:
            take(had)
        if follow:
            self.asked.append(tail)
            self.lives.pop(0)
            take(written)
            raise Unavailable("gone")


async def _followed(server: Server, tail: int = -1) -> bytes:
    out = bytearray()
    with pytest.raises(CosiError, match="over"):
        await LogFollowing(server, "ext-x", out.extend).run(tail)
    return bytes(out)


async def test_a_log_goes_on_where_it_was_when_the_connection_broke() -> None:
    server = Server((b"a\nb\n", b"c\n"), (b"a\nb\nc\nd\n", b"e\n"))
    assert await _followed(server) == b"a\nb\nc\nd\ne\n"


async def test_all_that_a_new_server_has_is_new() -> None:
    server = Server((b"a\nb\n", b"c\n"), (b"d\n", b"e\n"))
    assert await _followed(server) == b"a\nb\nc\nd\ne\n"


async def test_a_service_that_a_new_server_has_not_started_yet_is_waited_for() -> None:
    server = Server((b"", b"a\n"), None, (b"b\n", b""))
    assert await _followed(server) == b"a\nb\n"


async def test_the_old_lines_that_nobody_wanted_stay_unshown() -> None:
    server = Server((b"old\n", b""), (b"old\n", b"new\n"))
    assert await _followed(server, tail=0) == b"new\n"
    assert server.asked == [0, -1]


async def test_a_log_that_was_never_there_is_an_error() -> None:
    with pytest.raises(NotFound, match="was not registered"):
        await LogFollowing(Server(None), "ext-x", bytearray().extend).run(-1)
