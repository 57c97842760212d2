"""Waiting for a server that has gone away, within reason."""

from __future__ import annotations

from typing import Final

import anyio
import click

from cosi.controller._backoff import Delays, exponential
from cosi.errors import CosiError

BUDGET_SECONDS: Final = 900.0
"""For how long a server may be away; as long as a watch tries (COSI 1.16: 15 minutes)."""


class Patience:
    """Of a command that follows ``what``.

    There is none before the server has answered once: then it is not there at all.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._delays = Delays(lambda: exponential(0.1, maximum=5.0))
        self._answered = False
        self._failing_since: float | None = None

    def answered(self) -> None:
        """The server is there; a failure from now on is a new one."""
        self._answered = True
        self._failing_since = None
        self._delays.reset()

    async def wait(self, error: CosiError) -> None:
        """Wait before the next attempt; raises ``error`` if there is to be none."""
        if not self._answered:
            raise error
        now = anyio.current_time()
        if self._failing_since is None:
            self._failing_since = now
            click.echo(f"cosi: {self._what}: {error}; trying again", err=True)
        if now - self._failing_since > BUDGET_SECONDS:
            raise error
        await anyio.sleep(self._delays.next())
