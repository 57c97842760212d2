"""Applications on an in-memory state, until a signal or, once, until nothing more happens."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import anyio
import click

from cosi.cli.application import Application
from cosi.cli.serving import Listening, register_known_types, serving
from cosi.runtime import Runtime
from cosi.state import State
from cosi.store.memory import InMemoryState
from cosi.testing.fixtures import load_fixtures

GRACE_SECONDS = 0.5
"""With ``once``: what has only just started may want to say something, and a one-shot to end."""


def run_applications(
    applications: Sequence[Application],
    fixtures: Sequence[Path],
    where: Listening,
    *,
    once: bool,
) -> None:
    """Run until SIGINT or SIGTERM, or with ``once`` until settled; everything is stopped then.

    The state is served at ``where`` all the while. Raises
    :class:`~cosi.cli.application.CannotStart` if it cannot be.
    """
    anyio.run(_main, applications, fixtures, where, once)


async def _main(
    applications: Sequence[Application], fixtures: Sequence[Path], where: Listening, once: bool
) -> None:
    state = InMemoryState()
    await register_known_types(state)
    for path in fixtures:
        for resource in load_fixtures(path):
            await state.create(resource)
    runtime = Runtime(state)
    for application in applications:
        runtime.register(*application.controllers)
    # Served from before the first controller runs until after the last one has stopped.
    async with serving(runtime, applications, where):
        await _run(runtime, applications, once)


async def _run(runtime: Runtime, applications: Sequence[Application], once: bool) -> None:
    state = runtime.state
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
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
            click.echo(await application.report(state))


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
