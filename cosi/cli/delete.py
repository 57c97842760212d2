"""``cosi delete``: tears a resource down, and destroys it once it has no finalizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosi.cli.connection import Connection, Server, ask_each, connects
from cosi.cli.suggestions import resource_ids, type_names
from cosi.errors import CosiError

if TYPE_CHECKING:
    from cosi.resource._envelope import Kind
    from cosi.resource._pointer import Pointer
    from cosi.state._state import State


class StillHeld(CosiError):
    """The resource still has finalizers after the timeout."""


@click.command(
    short_help="Tear down and destroy a resource.",
    epilog="""\b
    $ cosi delete networkstatus status
    NetworkStatuses.net.talos.dev(network/status) deleted
    """,
)
@click.argument("type", shell_complete=type_names)
@click.argument("id", shell_complete=resource_ids)
@click.option("-n", "--namespace", help="Namespace. [default: that of the type]")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    help="Seconds to wait until all finalizers are removed.",
)
@connects
def delete(server: Server, type: str, id: str, namespace: str | None, timeout: float) -> None:
    """Tear down the resource ID of TYPE, wait until it has no finalizers, and destroy it.

    Resources that a controller owns cannot be deleted: the controller would recreate them.
    """

    async def work(connection: Connection) -> None:
        click.echo(f"{await _delete(connection, type, id, namespace, timeout)} deleted")

    ask_each(server, work, lambda _: None, seconds=timeout + 60)


async def _delete(
    connection: Connection, type: str, id: str, namespace: str | None, seconds: float
) -> Pointer:
    import anyio

    from cosi.cli.type_names import find_type
    from cosi.errors import NotFound
    from cosi.resource._envelope import Kind
    from cosi.resource._payload import AnySpec

    state = connection.state
    definition = await find_type(state, type)
    kind = Kind(namespace or definition.default_namespace, definition.type, AnySpec)
    pointer = kind.pointer(id)
    await state.teardown(kind, id)
    try:
        with anyio.move_on_after(seconds):
            await _until_free(state, kind, id)
        held = (await state.get(kind, id)).finalizers
        if held:
            raise StillHeld(
                f"{pointer} is being torn down but still has finalizers: {', '.join(held)}; "
                "delete it again when they are removed"
            )
        await state.destroy(kind, id)
    except NotFound:
        pass  # another client destroyed it
    return pointer


async def _until_free(state: State, kind: Kind[Any], id: str) -> None:
    """Wait until the resource has no finalizers, or is gone."""
    from cosi.state._watch import EventType

    async with state.watch(kind, id) as watch:
        async for event in watch:
            if event.type is EventType.DESTROYED or not event.resource.finalizers:
                return
