"""Applications on an in-memory state, until a signal or, once, until nothing more happens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from cosi.cli._handover import received
from cosi.cli._kept_resources import feed_kept, kept_resources
from cosi.cli._listeners import Listening, register_known_types, serving
from cosi.cli.application import Application
from cosi.cli.early_signals import early_signals
from cosi.cli.outlet import say
from cosi.cli.payload_types import installed_types
from cosi.cli.signals import OBEYED, Terminal, obey
from cosi.cli.status import log_status
from cosi.errors import CosiError
from cosi.resource._envelope import Resource
from cosi.runtime._runtime import Runtime
from cosi.state._fixtures import feed, load_fixtures
from cosi.state._state import State
from cosi.store._memory import InMemoryState

if TYPE_CHECKING:
    from cosi.cli._reload import Reloader

_log = logging.getLogger(__name__)


class NotStopped(CosiError):
    """Something still runs, or it is not known whether it does; ``cosi run`` exits with 1."""


GRACE_SECONDS = 0.5
"""With ``once``: what has only just started may want to say something, and a one-shot to end."""


@dataclass(frozen=True)
class Fixtures:
    """What the state begins with, and whether types that are defined nowhere may be in there."""

    files: Sequence[Path] = ()
    allow_unknown: bool = False


class NotPrepared(CosiError):
    """Applications cannot begin; the cause says why, and may be in their source."""


def run_applications(
    applications: Sequence[Application],
    fixtures: Fixtures,
    where: Listening,
    terminal: Terminal,
    *,
    once: bool,
    reloader: Reloader | None = None,
) -> None:
    """Run until a signal ends it (``signals.py``), or with ``once`` until settled.

    Everything is stopped in order then. With a ``reloader``, a change of the source ends it, too,
    and begins it again.

    The state is served at ``where`` all the while. Raises
    :class:`~cosi.cli.application.CannotStart` if it cannot be, and :class:`NotStopped`; with a
    ``reloader`` :class:`NotPrepared`, where without one it would be the error itself.
    """
    if left := anyio.run(_main, applications, fixtures, where, terminal, once, reloader):
        raise NotStopped(f"not everything is stopped: {'; '.join(left)}")


async def _main(
    applications: Sequence[Application],
    fixtures: Fixtures,
    where: Listening,
    terminal: Terminal,
    once: bool,
    reloader: Reloader | None,
) -> list[str]:
    state = InMemoryState()
    try:
        fed = await _feed(state, fixtures)
        runtime = await _prepared(state, applications)
    except Exception as error:
        if reloader is None:
            raise
        raise NotPrepared(str(error)) from error
    left: list[str] = []
    restarting: list[Application] = []
    # A second signal, while everything stops in order, must not tear that down half-way.
    with anyio.open_signal_receiver(*OBEYED) as signals:
        # Served from before the first controller runs until after the last one has stopped.
        async with serving(runtime, applications, where), anyio.create_task_group() as watching:
            with anyio.CancelScope() as running:
                status = partial(log_status, runtime, applications)
                asked = partial(obey, reload=runtime.reload, log_status=status)
                watching.start_soon(asked, signals, running, terminal)
                if reloader is not None:
                    restart = partial(_restart, applications, running, restarting)
                    watching.start_soon(reloader.watch, restart)
                if early_signals.first is None:
                    await _run(runtime, applications, once)
            left = await _finish(applications)
            watching.cancel_scope.cancel()
        if reloader is not None and restarting:
            for line in left:
                _log.warning("not stopped before the restart: %s", line)
            await reloader.run_again(signals, await kept_resources(state, fed))
    return left


def _restart(
    applications: Sequence[Application],
    running: anyio.CancelScope,
    restarting: list[Application],
) -> None:
    """End the run, but not what runs outside of it; not if it ends already."""
    if running.cancel_called or early_signals.first is not None:
        return
    restarting += applications
    for application in applications:
        if application.leave is not None:
            application.leave()
    running.cancel()


async def _feed(state: State, fixtures: Fixtures) -> list[Resource[Any]]:
    """Put in what the state begins with; returns the fixtures."""
    if fixtures.files:
        installed_types()  # may be in there, whether or not an application here has to do with them
    await register_known_types(state)
    fed: list[Resource[Any]] = []
    for path in fixtures.files:
        resources = load_fixtures(path, allow_unknown=fixtures.allow_unknown)
        await feed(state, resources)
        fed += resources
    await feed_kept(state, received().resources)
    return fed


async def _prepared(state: State, applications: Sequence[Application]) -> Runtime:
    for application in applications:
        if application.prepare is not None:
            await application.prepare(state)
    runtime = Runtime(state)
    for application in applications:
        runtime.register(*application.controllers)
    return runtime


async def _finish(applications: Sequence[Application]) -> list[str]:
    left: list[str] = []
    for application in applications:
        if application.finish is not None:
            left += await application.finish()
    return left


async def _run(runtime: Runtime, applications: Sequence[Application], once: bool) -> None:
    state = runtime.state
    async with anyio.create_task_group() as tasks:
        for application in applications:
            for background in application.background:
                tasks.start_soon(background, state)
        tasks.start_soon(runtime.run)
        if once:
            await runtime.settled()
            await anyio.sleep(GRACE_SECONDS)
            await runtime.settled()
            await _report(applications, state)
            tasks.cancel_scope.cancel()


async def _report(applications: Sequence[Application], state: State) -> None:
    for application in applications:
        if application.report is not None:
            await say(await application.report(state))
