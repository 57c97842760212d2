"""`cosi get`: resources as tables or documents, once or as they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosi.cli.connection import Connection, Server, ask, connects, follow
from cosi.cli.suggestions import resource_ids, type_names

if TYPE_CHECKING:
    from cosi.cli.printing import Printer
    from cosi.query import Query
    from cosi.resource import Kind, Resource


@click.command(
    short_help="Show resources.",
    epilog="""\b
    $ cosi get pathstatuses
    NODE    NAMESPACE   TYPE         ID             VERSION   PRESENT   ERROR
    alpha   runtime     PathStatus   /dev/urandom   1         true
    $ cosi get svc ext-hello-world -o jsonpath={.spec.phase}
    Running
    """,
)
@click.argument("type", shell_complete=type_names)
@click.argument("id", required=False, shell_complete=resource_ids)
@click.option("-n", "--namespace", help="The namespace, if not that of the type.")
@click.option("-l", "--selector", default="", help="Labels: app=web,tier!=db,replicas>=3,!old")
@click.option(
    "-o",
    "--output",
    default="table",
    show_default=True,
    metavar="FORMAT",
    help="table, yaml, json, or jsonpath=EXPR such as jsonpath={.spec.running}",
)
@click.option("-w", "--watch", is_flag=True, help="Go on, and show every change.")
@connects
def get(
    server: Server,
    type: str,
    id: str | None,
    namespace: str | None,
    selector: str,
    output: str,
    watch: bool,
) -> None:
    """Show resources of TYPE, or the one called ID.

    TYPE is a full name or an alias, in any case; `cosi get rd` lists all types.
    """
    from cosi.cli.documents import check_format
    from cosi.errors import InvalidResource
    from cosi.selector import parse_selector

    if id is not None and selector:
        raise click.UsageError("an ID is one resource; a selector is for all of a type")
    try:
        check_format(output)
        where = parse_selector(selector)
    except InvalidResource as error:
        raise click.UsageError(str(error)) from None
    asked = _Asked(type, id, namespace, where, output)
    if watch:
        follow(server, asked.follow)
    else:
        ask(server, asked.once)


class _Asked:
    """What was asked for, and the two ways to answer."""

    def __init__(
        self, type: str, id: str | None, namespace: str | None, where: Query, output: str
    ) -> None:
        self._type = type
        self._id = id
        self._namespace = namespace
        self._where = where
        self._output = output

    async def once(self, connection: Connection) -> None:
        kind, printer = await self._found(connection, watching=False)
        resources: tuple[Resource[Any], ...]
        if self._id is None:
            resources = await connection.state.list(kind, self._where)
        else:
            resources = (await connection.state.get(kind, self._id),)
        printer.show(resources)

    async def follow(self, connection: Connection) -> None:
        from cosi.cli.following import Following

        kind, printer = await self._found(connection, watching=True)
        following = Following(connection.state, kind, self._id, self._where)
        await following.run(printer.happened)

    async def _found(self, connection: Connection, *, watching: bool) -> tuple[Kind[Any], Printer]:
        from cosi.cli.printing import printer_for
        from cosi.cli.type_names import find_type
        from cosi.resource import AnySpec, Kind

        definition = await find_type(connection.state, self._type)
        namespace = self._namespace or definition.default_namespace
        printer = printer_for(self._output, connection.node, definition, watching=watching)
        return Kind(namespace, definition.type, AnySpec), printer
