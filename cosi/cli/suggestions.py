"""Shell completion: types and ids from the server; none if it does not answer in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from cosi.cli.connection import Connection, Server

PATIENCE_SECONDS: Final = 2.0
"""How long a user waits after pressing TAB."""


def type_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Display names and aliases of the registered types."""

    async def names(connection: Connection) -> list[str]:
        from cosi.cli.type_names import names_of, registered

        definitions = await registered(connection.state)
        return sorted({name for one in definitions for name in names_of(one.spec)})

    return matching(answers(ctx, names), incomplete)


def resource_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the type earlier on the command line."""
    type = str(ctx.params.get("type") or "services")

    async def ids(connection: Connection) -> list[str]:
        from cosi.cli.type_names import find_type
        from cosi.resource._envelope import Kind
        from cosi.resource._payload import AnySpec

        definition = await find_type(connection.state, type)
        namespace = ctx.params.get("namespace") or definition.default_namespace
        kind = Kind(namespace, definition.type, AnySpec)
        return [resource.id for resource in await connection.state.list(kind)]

    return matching(answers(ctx, ids), incomplete)


def answers(
    ctx: click.Context, question: Callable[[Connection], Awaitable[list[str]]]
) -> list[str]:
    """A server's answer to ``question``; ``[]`` on errors or after :data:`PATIENCE_SECONDS`."""
    from cosi.cli.connection import ask
    from cosi.errors import CosiError

    try:
        return ask(_server(ctx), question, seconds=PATIENCE_SECONDS)
    except (CosiError, click.UsageError):
        return []  # messages would disturb the command line


def _server(ctx: click.Context) -> Server:
    """The server that the options select, with the first of several nodes only."""
    from cosi.cli.connection_options import SOCKET, given, server_of

    options = given(ctx)
    options["socket"] = options["socket"] or SOCKET
    for name in _SEVERAL:
        options[name] = options[name] or ()
    server = server_of(**options)
    return replace(server, nodes=server.nodes[:1])


_SEVERAL: Final = ("endpoint", "node")


def matching(names: list[str], incomplete: str) -> list[str]:
    """The ``names`` that begin with ``incomplete``, in their order."""
    return [name for name in names if name.startswith(incomplete)]
