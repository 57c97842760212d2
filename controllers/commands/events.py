"""``cosi events``: shows past and new events of the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import click

from cosi.cli.connection import Connection, Server, ask_each, connects, follow

if TYPE_CHECKING:
    from controllers.commands.event_following import EventLine, Tail

QUIET_SECONDS: Final = 0.5
"""Without --follow: past events have ended if none has come for so long."""


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    from resources.duration import parse_duration

    try:
        return None if value is None else round(parse_duration(value).total_seconds())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    short_help="Show past events, and follow new ones.",
    epilog="""\b
    $ cosi events --tail 1
    NODE    ID                     EVENT                                   ACTOR   SOURCE      MESSAGE
    alpha   d4c1h0kq1l5p0f0b2m3g   talos/runtime/machine.ServiceStateEvent         ext-hello   RUNNING: ...
    """,  # noqa: E501  # as it is shown
)
@click.option("-f", "--follow", "following", is_flag=True, help="Keep showing new events.")
@click.option(
    "--tail",
    type=int,
    metavar="N",
    help="Only the last N past events, -1 for all. [default: -1, with --follow 0]",
)
@click.option(
    "--duration", callback=_seconds, metavar="1h30m", help="Only past events of this last period."
)
@click.option("--since", metavar="ID", help="Only past events after this one.")
@click.option("--actor-id", metavar="ID", default="", help="Only events that this actor caused.")
@connects
def events(
    server: Server,
    *,
    following: bool,
    tail: int | None,
    duration: int | None,
    since: str | None,
    actor_id: str,
) -> None:
    """Show past events, and with --follow new ones as they happen."""
    from controllers.commands.event_following import Tail

    if sum(option is not None for option in (tail, duration, since)) > 1:
        raise click.UsageError("give only one of --tail, --duration and --since")
    if tail is None and duration is None and since is None:
        tail = 0 if following else -1
    wanted = Tail(tail or 0, since or "", duration or 0, actor_id)
    if following:
        show = printer()
        follow(server, lambda connection: _follow(connection, wanted, show))
    else:
        ask_each(server, lambda connection: _past(connection, wanted), _show)


async def _follow(connection: Connection, wanted: Tail, show: Callable[[EventLine], None]) -> None:
    from controllers.commands.client import Machine
    from controllers.commands.event_following import EventFollowing

    await EventFollowing(Machine(connection), show).run(wanted)


def _show(answers: Sequence[list[tuple[str, ...]]]) -> None:
    """Print past events with aligned columns: all are known before the first is printed."""
    from controllers.commands.event_text import HEADER
    from cosi.cli.tabwriter import table

    click.echo(table([HEADER, *(row for rows in answers for row in rows)]))


async def _past(connection: Connection, wanted: Tail) -> list[tuple[str, ...]]:
    from controllers.commands.client import Machine
    from controllers.commands.event_following import past

    rows: list[tuple[str, ...]] = []

    def keep(event: EventLine) -> None:
        if event.row is not None:
            rows.append(event.row)

    await past(Machine(connection), wanted, keep, QUIET_SECONDS)
    return rows


def printer() -> Callable[[EventLine], None]:
    """Prints one line for each event, at once (talosctl prints two: differences: Talos 19).

    The header comes with the first event, as talosctl's: its row sets the width of the columns.
    """
    from controllers.commands.event_text import HEADER
    from cosi.cli.tabwriter import GrowingTable

    table = GrowingTable(HEADER)
    begun = False

    def show(event: EventLine) -> None:
        nonlocal begun
        if event.row is not None:
            click.echo(table.line(event.row) if begun else table.begin([event.row]))
            begun = True

    return show
