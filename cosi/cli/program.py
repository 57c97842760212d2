"""The `cosi` program: one group of commands, each loaded when it is asked for.

Commands are entry points of the group ``cosi.commands`` (name -> ``click.Command``), so that other
packages add theirs in the way this one does; applications for ``cosi run`` are entry points of
``cosi.applications``, and what it serves for such commands of ``cosi.services``. click rather than
typer: half the start-up time, and ``run`` has options that only the applications know.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint
from typing import IO, Any

import click
from typing_extensions import override

from cosi.cli._entry_points import entries
from cosi.cli.application import CannotStart
from cosi.cli.connection_options import connection_options, refuse_in_vain
from cosi.errors import CosiError

FAILED = 1
USAGE = 2


_ALIASES = {"g": "get"}  # talosctl's


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entries("cosi.commands")}


class Commands(click.Group):
    """The commands that are installed; a broken one does not take the others with it."""

    installed = staticmethod(_installed)
    """What there is, by name."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.installed())

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.installed().get(_ALIASES.get(cmd_name, cmd_name))
        if entry is None:
            return None
        try:
            command = entry.load()
        except (ImportError, AttributeError) as error:
            return _broken(cmd_name, f"cannot be loaded: {error}")
        if not isinstance(command, click.Command):
            return _broken(cmd_name, f"{entry.value} is not a click command")
        return command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, _Broken):
            refuse_in_vain(ctx, name or "", command)
        return name, command, rest

    @override
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CosiError as error:
            kind = _CannotStart if isinstance(error, CannotStart) else _Failed
            raise kind(str(error)) from error


class _Broken(click.Command):
    """A command in the place of one that cannot be had, which says so when it is called."""


class _Failed(click.ClickException):
    """An error in one line; tracebacks are for bugs."""

    exit_code = FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"cosi: {self.message}", file=file, err=file is None)


class _CannotStart(_Failed):
    exit_code = USAGE


def _broken(name: str, reason: str) -> click.Command:
    def fail(**_: object) -> None:
        raise CosiError(f"command {name!r} {reason}")

    anything = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    settings = {"ignore_unknown_options": True}
    return _Broken(name, settings, fail, [anything], short_help=f"({reason})")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cosi", prog_name="cosi")
@connection_options
def program(**_: object) -> None:
    """Declarative controllers, and the services of a machine built on them.

    The options say which server is asked; they may also be given after the command.
    """
