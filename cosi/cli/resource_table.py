"""Renders resources of one type as a table: one line each, with the columns of the type.

``tabwriter.py`` aligns the cells; ``documents.py`` renders whole resources.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cosi.cli.documents import spec_value
from cosi.cli.json_path import JSONPath
from cosi.cli.tabwriter import GrowingTable
from cosi.cli.terminal import cell
from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource, Tombstone
from cosi.resource._metadata import format_version
from cosi.state._meta import ResourceDefinition
from cosi.state._watch import EventType

MARKS: Final = {EventType.CREATED: "+", EventType.UPDATED: "", EventType.DESTROYED: "-"}


class ResourceTable:
    """The table of one type on all nodes (Talos 1.14: "get"); a watch has a ``*`` column."""

    def __init__(self, definition: ResourceDefinition, *, watching: bool) -> None:
        self._definition = definition
        self._watching = watching
        self._columns = [_column(column.json_path) for column in definition.print_columns]
        self._table = GrowingTable(self._header())

    def text(self, found: Iterable[tuple[str, Resource[Any]]]) -> str:
        """A whole table with its header, for pairs of node and resource."""
        return self.contents((node, EventType.CREATED, resource) for node, resource in found)

    def contents(self, events: Iterable[tuple[str, EventType, Resource[Any]]]) -> str:
        """A header and a line for each event."""
        return self._table.begin(self._row(*event) for event in events)

    def line(self, node: str, event: EventType, resource: Resource[Any]) -> str:
        """One more line, aligned with those before."""
        return self._table.line(self._row(node, event, resource))

    def _header(self) -> tuple[str, ...]:
        star = ("*",) if self._watching else ()
        columns = (cell(column.name.upper()) for column in self._definition.print_columns)
        return ("NODE", *star, "NAMESPACE", "TYPE", "ID", "VERSION", *columns)

    def _row(self, node: str, event: EventType, resource: Resource[Any]) -> tuple[str, ...]:
        mark = (MARKS[event],) if self._watching else ()
        metadata = resource.metadata
        return (
            node,
            *mark,
            cell(metadata.namespace),
            cell(self._definition.display_type),
            cell(metadata.id),
            format_version(metadata.version),
            *self._cells(resource),
        )

    def _cells(self, resource: Resource[Any]) -> list[str]:
        if isinstance(resource, Tombstone):
            return [""] * len(self._columns)
        try:
            value = spec_value(resource)
        except InvalidResource:  # not YAML, from another server: show the metadata
            return [""] * len(self._columns)
        return [cell(column.cell(value)) if column else "" for column in self._columns]


def _column(path: str) -> JSONPath | None:
    """The template of a column; ``None`` if it is invalid: its cells are empty."""
    try:
        return JSONPath(path)
    except InvalidResource:
        return None
