"""``cosi get``: shows resources as a table or as documents, once or with every change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cosi.cli.connection import Connection, Server, ask_each, connects, follow
from cosi.cli.suggestions import resource_ids, type_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosi.cli.printing import Found, Printer
    from cosi.resource._envelope import Kind, Resource
    from cosi.state._meta import ResourceDefinition
    from cosi.state._query import Query


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
@click.option("-n", "--namespace", help="Namespace. [default: that of the type]")
@click.option(
    "-l", "--selector", default="", help="Only with these labels: app=web,tier!=db,replicas>=3,!old"
)
@click.option(
    "-o",
    "--output",
    default="table",
    show_default=True,
    metavar="FORMAT",
    help="table, yaml, json, or jsonpath=EXPR, such as jsonpath={.spec.running}",
)
@click.option("-w", "--watch", is_flag=True, help="Keep showing every change.")
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
    """Show the resources of TYPE, or the one with this ID.

    TYPE is a full name or an alias, in upper or lower case; `cosi get rd` lists all types.
    """
    from cosi.cli.documents import check_format
    from cosi.errors import InvalidResource
    from cosi.state._selector import parse_selector

    if id is not None and selector:
        raise click.UsageError("an ID selects one resource already: leave out --selector or the ID")
    try:
        check_format(output)
        where = parse_selector(selector)
    except InvalidResource as error:
        raise click.UsageError(str(error)) from None
    asked = _Request(type, id, namespace, where, output)
    if watch:
        follow(server, asked.follow)
    else:
        ask_each(server, asked.once, asked.show)


class _Request:
    """One ``cosi get`` command, answered once or followed; all nodes share one printer."""

    def __init__(
        self, type: str, id: str | None, namespace: str | None, where: Query, output: str
    ) -> None:
        self._type = type
        self._id = id
        self._namespace = namespace
        self._where = where
        self._output = output
        self._printer: Printer | None = None

    async def once(self, connection: Connection) -> tuple[ResourceDefinition, list[Found]]:
        definition, kind = await self._kind(connection)
        resources: tuple[Resource[Any], ...]
        if self._id is None:
            resources = await connection.state.list(kind, self._where)
        else:
            resources = (await connection.state.get(kind, self._id),)
        return definition, [(connection.node, resource) for resource in resources]

    def show(self, answers: Sequence[tuple[ResourceDefinition, list[Found]]]) -> None:
        """Print all nodes' resources, with the columns of the first node (talosctl: ``get``)."""
        printer = self._shared_printer(answers[0][0], watching=False)
        printer.show(one for _, found in answers for one in found)

    async def follow(self, connection: Connection) -> None:
        from cosi.cli._watch_resync import Following

        definition, kind = await self._kind(connection)
        printer = self._shared_printer(definition, watching=True)
        following = Following(connection.state, kind, self._id, self._where)
        await following.run(partial(printer.happened, connection.node))

    async def _kind(self, connection: Connection) -> tuple[ResourceDefinition, Kind[Any]]:
        from cosi.cli.type_names import find_type
        from cosi.resource._envelope import Kind
        from cosi.resource._payload import AnySpec

        definition = await find_type(connection.state, self._type)
        namespace = self._namespace or definition.default_namespace
        return definition, Kind(namespace, definition.type, AnySpec)

    def _shared_printer(self, definition: ResourceDefinition, *, watching: bool) -> Printer:
        from cosi.cli.printing import printer_for

        if self._printer is None:
            self._printer = printer_for(self._output, definition, watching=watching)
        return self._printer
