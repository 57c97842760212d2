"""The delays between attempts to reach a server that is away, and their limit."""

from __future__ import annotations

from typing import Final

import anyio
import click

from cosi.controller._backoff import Delays, exponential
from cosi.errors import CosiError

BUDGET_SECONDS: Final = 900.0
"""How long a server may be away: as long as a watch retries (COSI 1.16: 15 minutes)."""


class Patience:
    """The retries of a command that follows ``what``, which errors name.

    Before the server has answered once, there are none: the address is probably wrong.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._delays = Delays(lambda: exponential(0.1, maximum=5.0))
        self._answered = False
        self._failing_since: float | None = None

    def answered(self) -> None:
        """The server has answered: the next failure starts new delays and a new limit."""
        self._answered = True
        self._failing_since = None
        self._delays.reset()

    async def wait(self, error: CosiError) -> None:
        """Wait before the next attempt; raises ``error`` if there is no further one."""
        if not self._answered:
            raise error
        now = anyio.current_time()
        if self._failing_since is None:
            self._failing_since = now
            click.echo(f"cosi: {self._what}: {error}; trying again", err=True)
        if now - self._failing_since > BUDGET_SECONDS:
            raise error
        await anyio.sleep(self._delays.next())
