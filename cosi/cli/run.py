"""`cosi run`: applications on an in-memory state, until a signal or, with `--once`, until all is done."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cosi.cli.application import Application, Factory, build, find, installed_names, options_of

_MODULE_AND_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class RunCommand(click.Command):
    """A command whose options are its own and those of the applications that it is to run."""

    _named: tuple[str, ...] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # The applications decide which options there are, so they must be known before parsing.
        self._named = tuple(arg for arg in args if _MODULE_AND_NAME.fullmatch(arg))
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        more: dict[str, click.Parameter] = {}
        for name in (*self._named, *installed_names()):
            for option in options_of(find(name)):
                if not taken.intersection(option.opts):
                    more.setdefault(option.opts[0], option)
        return [*own[:-1], *more.values(), *own[-1:]]  # --help stays last


@click.command(cls=RunCommand)
@click.argument("applications", nargs=-1, metavar="[APPLICATION]...")
@click.option(
    "--fixtures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Resources to begin with, in their YAML form; they stay whoever would write them.",
)
@click.option("--once", is_flag=True, help="Stop in order when nothing more happens; then exit 0.")
@click.option(
    "--log-format",
    type=click.Choice(("auto", "console", "json")),
    default="auto",
    show_default=True,
    help="auto: console on a terminal and with --once, json otherwise.",
)
@click.option("--log-level", type=click.Choice(("debug", "info", "warning")), default="info")
def run(
    applications: tuple[str, ...],
    fixtures: tuple[Path, ...],
    once: bool,
    log_format: str,
    log_level: str,
    **options: Any,
) -> None:
    """Run APPLICATIONs: names of installed ones (default: all), or MODULE:NAME.

    SIGINT or SIGTERM stops everything in order; then the exit code is 0.
    """
    from cosi.cli.log_format import configure

    configure(log_format, log_level, console=once)
    factories = [find(name) for name in applications or installed_names()]
    _run([_build(factory, options, once=once) for factory in factories], fixtures, once=once)


def _build(factory: Factory, options: dict[str, Any], *, once: bool) -> Application:
    return build(factory, {**options, "once": once})


def _run(applications: Sequence[Application], fixtures: Sequence[Path], *, once: bool) -> None:
    import anyio

    anyio.run(_main, applications, fixtures, once)


async def _main(applications: Sequence[Application], fixtures: Sequence[Path], once: bool) -> None:
    import anyio
    from cosi.runtime import Runtime
    from cosi.store.memory import InMemoryState
    from cosi.testing.fixtures import load_fixtures

    state = InMemoryState()
    for path in fixtures:
        for resource in load_fixtures(path):
            await state.create(resource)
    runtime = Runtime(state)
    for application in applications:
        runtime.register(*application.controllers)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
        for application in applications:
            for background in application.background:
                tasks.start_soon(background, state)
        tasks.start_soon(runtime.run)
        if once:
            await runtime.settled()
            for application in applications:
                if application.report is not None:
                    click.echo(await application.report(state))
            tasks.cancel_scope.cancel()


async def _cancel_on_signal(scope: Any) -> None:
    import anyio

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
