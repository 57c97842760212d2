"""Runs a keyed controller's hooks: ``background`` beside its passes, ``shutdown`` at the end."""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

import anyio

from cosi._aio.cancellation import outcome_of, outcome_of_life
from cosi.controller._backoff import Delays
from cosi.controller._in_flight import WorkToken
from cosi.controller._qcontroller import QController
from cosi.resource._pointer import Pointer
from cosi.runtime._engine import Engine

_SHUTDOWN_SECONDS: Final = 10.0
_STABLE_SECONDS: Final = 60.0  # a background hook that ran this long begins its backoff anew


class HookHost(Protocol):
    """The part of the adapter that the hooks use."""

    name: str
    log: logging.Logger
    engine: Engine
    controller: QController[Any]

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure."""
        ...

    def failed_at_end(self, error: BaseException) -> None:
        """Count, keep and log an error raised during cancellation; it is not retried."""
        ...


async def run_background(host: HookHost) -> None:
    """Run the background hook until it returns; after a failure, again with a growing delay."""
    delays = Delays(host.engine.backoff)
    token = WorkToken(host.engine.in_flight)
    token.adopt()
    while True:
        token.resume()
        began = host.engine.clock()
        try:
            error = await outcome_of_life(host.controller.background(), host.failed_at_end)
        finally:
            token.park()
        if error is None:
            return
        if host.engine.clock() - began > _STABLE_SECONDS:
            delays.reset()
        delay = delays.next()
        host.failed(error, 1, delay)
        about = {"controller": host.name, "interval": delay}
        host.log.error("background hook failed", exc_info=error, extra=about)
        await anyio.sleep(delay)


async def run_shutdown(host: HookHost) -> None:
    """Run the shutdown hook once, shielded, for ten seconds at most."""
    with anyio.move_on_after(_SHUTDOWN_SECONDS, shield=True) as scope:
        error = await outcome_of(host.controller.shutdown())
        if error is not None:  # the controller ends: no retry
            host.failed(error, 1, 0.0)
            host.log.error("shutdown hook failed", exc_info=error)
    if scope.cancel_called:
        host.log.error("shutdown hook took more than %s s", _SHUTDOWN_SECONDS)
