"""`cosi run`: the command and its options; what they lead to is in `_run_applications.py`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from typing_extensions import override

from cosi.api.open_files import TooFewOpenFiles, raise_limit
from cosi.cli.application import (
    Application,
    CannotStart,
    app_dir_option,
    build,
    find,
    installed_names,
    options_of,
)
from cosi.cli.early_signals import early_signals

if TYPE_CHECKING:
    from cosi.cli._reload import Reloader

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NAMED = "cosi.cli.run"  # in the context: the applications that are to run, and where they lie
_RELOAD = "--reload"
_MODULE_AND_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class RunCommand(click.Command):
    """A command whose options are its own and those of the applications that it is to run."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which applications are named before there are options to parse."""
        early_signals.begin()
        ctx.call_on_close(early_signals.end)
        try:
            return self._load(ctx, args) if _RELOAD in args else self._parse(ctx, args)
        except BaseException:
            early_signals.end()  # a context that was never made is never closed
            raise

    def _load(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The same, where what cannot be loaded is waited for."""
        from cosi.cli._reload import wait_for_change

        try:
            return self._parse(ctx, args)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # of whatever is imported
            wait_for_change(error, lambda: None)

    def _parse(self, ctx: click.Context, args: list[str]) -> list[str]:
        # The applications decide which options there are, so they must be known before parsing.
        installed = installed_names()
        named = [arg for arg in args if arg in installed or _MODULE_AND_NAME.fullmatch(arg)]
        ctx.meta[_NAMED] = (named, _directory_in(args))
        return super().parse_args(ctx, args)

    @override
    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own options, then those of the applications, ``--help`` last.

        Raises :class:`~cosi.cli.application.CannotStart` for an application that cannot be loaded.
        """
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        more: dict[str, click.Parameter] = {}
        named, directory = ctx.meta.get(_NAMED, ((), Path()))
        for name in named or installed_names():  # what is not run is not loaded
            for option in options_of(find(name, directory)):
                if not taken.intersection(option.opts):
                    more.setdefault(option.opts[0], option)
        return [*own[:-1], *more.values(), *own[-1:]]  # --help stays last


def _directory_in(args: list[str]) -> Path:
    """What ``--app-dir`` says among arguments whose other options are not known yet."""
    others = {"ignore_unknown_options": True, "allow_extra_args": True}
    only = app_dir_option(click.Command("run", others, add_help_option=False))
    directory: Path = only.make_context("run", [*args]).params["app_dir"]
    return directory


@click.command(short_help="Run applications.", cls=RunCommand)
@click.argument("applications", nargs=-1, metavar="[APPLICATION]...")
@app_dir_option
@click.option(
    "--fixtures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Load resources from YAML at start; controllers never overwrite them.",
)
@click.option(
    "--allow-unknown",
    is_flag=True,
    help="Take fixtures of types that are defined nowhere; leave out fields that are not known.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/"),
    show_default=True,
    help="Everything of this machine lies below.",
)
@click.option(
    "--socket",
    type=click.Path(path_type=Path, readable=False),
    help="Where this is served. [default: ROOT/run/cosi/cosi.sock]",
)
@click.option("--listen", metavar="HOST:PORT", help="Serve there too, over TLS.")
@click.option("--tls-cert", type=_FILE, help="The server's certificate, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM.")
@click.option(
    "--client-ca",
    type=_FILE,
    help="Clients need a certificate of this CA, PEM; without it TCP is read-only.",
)
@click.option(
    _RELOAD,
    is_flag=True,
    help="Start again when the source of what runs changes; containers go on meanwhile.",
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
    *,
    app_dir: Path,
    allow_unknown: bool,
    root: Path,
    socket: Path | None,
    listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    reload: bool,
    once: bool,
    log_format: str,
    log_level: str,
    **options: Any,
) -> None:
    """Run APPLICATIONs: names of installed ones (default: all), or MODULE:NAME.

    SIGINT, SIGTERM or SIGQUIT stops everything in order, also what an earlier process has left
    running; then the exit code is 0. If something could not be stopped, it is named and the exit
    code is 1. SIGHUP reads definitions and configuration again, SIGUSR1 logs how everything is.
    """
    if reload and once:
        raise click.UsageError("--reload goes on, and --once does not: say one of them")
    _raise_limit()  # first: with too few files nothing else is sure to work

    from cosi.cli._listeners import Listening, check
    from cosi.cli._run_applications import Fixtures, NotPrepared, run_applications
    from cosi.cli.log_format import configure
    from cosi.cli.outlet import never_blocking
    from cosi.cli.signals import Terminal, not_yet

    # gRPC's C core writes to stderr by itself, in the thread of the event loop, which would wait.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    where = Listening(
        socket or root / "run/cosi/cosi.sock",
        socket is not None,
        listen,
        tls_cert,
        tls_key,
        client_ca,
    )
    check(where)
    with never_blocking() as end_output:
        terminal = Terminal()
        not_yet()
        configure(log_format, log_level, console=once)
        given = {**options, "root": root, "once": once}
        names = applications or tuple(installed_names())
        reloader = _reloader(names, end_output) if reload else None
        built = _built(names, app_dir, given, end_output, reload=reload)
        files = Fixtures(fixtures, allow_unknown)
        try:
            run_applications(built, files, where, terminal, once=once, reloader=reloader)
        except NotPrepared as error:
            _wait_for_change(error.__cause__, end_output)


def _reloader(names: tuple[str, ...], end_output: Callable[[], None]) -> Reloader:
    from cosi.cli._reload import Reloader, check_watchfiles

    check_watchfiles()
    return Reloader(names, end_output)


def _built(
    names: tuple[str, ...],
    app_dir: Path,
    options: dict[str, Any],
    end_output: Callable[[], None],
    *,
    reload: bool,
) -> list[Application]:
    try:
        return [build(factory, options) for factory in [find(name, app_dir) for name in names]]
    except Exception as error:
        if not reload:
            raise
        _wait_for_change(error, end_output)


def _wait_for_change(error: BaseException | None, end_output: Callable[[], None]) -> NoReturn:
    from cosi.cli._reload import wait_for_change

    assert isinstance(error, Exception)  # noqa: S101  # what was caught
    wait_for_change(error, end_output)


def _raise_limit() -> None:
    try:
        raise_limit()
    except TooFewOpenFiles as error:
        raise CannotStart(str(error)) from error
