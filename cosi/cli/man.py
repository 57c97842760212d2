"""Makes the manual pages from the commands, as ``--help`` does: ``python -m cosi.cli.man DIR``.

A development tool: the pages are kept in ``man/`` and go with the wheel, as a build has none of
what the commands import. click-man was looked at: it escapes no dots, and leaves out the examples.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from cosi.cli.program import Commands, program

_SPECIAL: Final = {
    "\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"
}  # fmt: skip


def main(directory: Path) -> None:
    """Write a page for the program and each of its commands; pages of no command are removed."""
    directory.mkdir(parents=True, exist_ok=True)
    made = dict(pages())
    for old in directory.glob("*.1"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """``cosi-run.1`` and its text, for the program and each command that comes with it."""
    with click.Context(program, info_name="cosi", **program.context_settings) as ctx:
        yield from _pages(program, ctx)


def _pages(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, str]]:
    inner = dict(_commands(command, ctx))
    yield f"{_name(ctx)}.1", "\n".join(_lines(command, ctx, inner)) + "\n"
    for name, each in inner.items():
        with click.Context(each, info_name=name, parent=ctx) as below:
            yield from _pages(each, below)


def _commands(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Those inside a group; of those that are installed, the ones of this package."""
    if not isinstance(command, click.Group):
        return
    installed = command.installed() if isinstance(command, Commands) else {}
    for name in command.list_commands(ctx):
        dist = installed[name].dist if name in installed else None
        found = command.get_command(ctx, name)
        if found is not None and (dist is None or dist.name == "cosi"):
            yield name, found


def _name(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def _lines(
    command: click.Command, ctx: click.Context, inner: dict[str, click.Command]
) -> Iterator[str]:
    yield f'.TH {_text(_name(ctx).upper())} 1 "" "cosi {version("cosi")}" "cosi"'
    yield from (".SH NAME", rf"{_text(_name(ctx))} \- {_text(_summary(command))}")
    yield from (".SH SYNOPSIS", rf".B {_text(ctx.command_path)}")
    yield _text(" ".join(command.collect_usage_pieces(ctx)))
    yield from (".SH DESCRIPTION", *_paragraphs(inspect.cleandoc(command.help or "")))
    yield ".SH OPTIONS"
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            yield from (".TP", rf"\fB{_text(record[0])}\fR", _line(record[1]))
    if inner:
        yield ".SH COMMANDS"
        for name, each in inner.items():
            yield from (".TP", rf"\fB{_text(f'{_name(ctx)}-{name}')}\fR(1)")
            yield _line(each.get_short_help_str(200))
    if command.epilog:
        yield from (".SH EXAMPLES", *_verbatim(inspect.cleandoc(command.epilog)))
    if ctx.parent is not None:
        yield from (".SH SEE ALSO", rf"\fB{_text(_name(ctx.parent))}\fR(1)")


def _summary(command: click.Command) -> str:
    return command.get_short_help_str(200).rstrip(".")


def _paragraphs(text: str) -> Iterator[str]:
    for number, part in enumerate(text.replace("\b\n", "").split("\n\n")):
        if number:
            yield ".PP"
        yield _line(" ".join(part.split()))


def _verbatim(text: str) -> Iterator[str]:
    yield ".nf"
    yield from map(_line, (line for line in text.splitlines() if line != "\b"))
    yield ".fi"


def _line(text: str) -> str:
    """A line of text, never a request: those begin with a dot or an apostrophe."""
    return r"\&" + _text(text) if text.startswith(".") else _text(text)


def _text(text: str) -> str:
    return "".join(
        _SPECIAL.get(each, each) if each.isascii() else rf"\[u{ord(each):04X}]" for each in text
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
