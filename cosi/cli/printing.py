"""Prints resources in the four output formats of ``cosi get``, each for a list and for a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import click

from cosi.cli.documents import as_json, as_value, as_yaml
from cosi.cli.go_json import go_json
from cosi.cli.json_path import JSONPath, as_text
from cosi.cli.resource_table import ResourceTable
from cosi.cli.terminal import for_terminal
from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource, Tombstone
from cosi.state._meta import ResourceDefinition
from cosi.state._watch import EventType

Found = tuple[str, Resource[Any]]
"""The name of a node, and a resource on it."""
Step = tuple[EventType, Resource[Any]]
ToText = Callable[[str, Resource[Any], EventType | None], str]


class Printer(Protocol):
    """Writes resources to stdout, in one format."""

    def show(self, found: Iterable[Found]) -> None:
        """Print a list."""
        ...

    def happened(self, node: str, steps: Sequence[Step]) -> None:
        """Print the contents of ``node`` when a watch begins, then each change; at once."""
        ...


def printer_for(output: str, definition: ResourceDefinition, *, watching: bool) -> Printer:
    """The printer for ``-o output``; raises :class:`~cosi.errors.InvalidResource`."""
    if output == "table":
        return _Tables(ResourceTable(definition, watching=watching))
    if output == "yaml":
        return _Documents(as_yaml, separator="---\n")
    if output == "json":
        return _Documents(_json_line)
    return _Found(JSONPath(output.removeprefix("jsonpath=")))


def _json_line(node: str, resource: Resource[Any], event: EventType | None) -> str:
    return as_json(node, resource, event) + "\n"


class _Tables:
    def __init__(self, table: ResourceTable) -> None:
        self._table = table
        self._begun = False

    def show(self, found: Iterable[Found]) -> None:
        click.echo(self._table.text(found))

    def happened(self, node: str, steps: Sequence[Step]) -> None:
        if not self._begun:
            self._begun = True
            click.echo(self._table.contents((node, event, one) for event, one in steps))
            return
        for event, resource in steps:
            click.echo(self._table.line(node, event, resource))


class _Documents:
    def __init__(self, to_text: ToText, separator: str = "") -> None:
        self._to_text = to_text
        self._separator = separator
        self._before_next = ""

    def show(self, found: Iterable[Found]) -> None:
        for node, resource in found:
            self._write(node, resource, None)

    def happened(self, node: str, steps: Sequence[Step]) -> None:
        for event, resource in steps:
            self._write(node, resource, event)

    def _write(self, node: str, resource: Resource[Any], event: EventType | None) -> None:
        click.echo(self._before_next + self._to_text(node, resource, event), nl=False)
        self._before_next = self._separator


class _Found:
    """Results of a JSONPath, each on its own line; mappings and lists as indented JSON.

    A resource in which a key is missing is not printed, and is an error after all others are
    printed; it ends a watch. A destroyed resource has no payload and is skipped.
    """

    def __init__(self, path: JSONPath) -> None:
        self._path = path

    def show(self, found: Iterable[Found]) -> None:
        problems: list[str] = []
        for node, resource in found:
            try:
                self._write(node, resource, None)
            except InvalidResource as error:
                problems.append(str(error))
        if problems:
            raise InvalidResource("\n".join(problems))

    def happened(self, node: str, steps: Sequence[Step]) -> None:
        for event, resource in steps:
            if not isinstance(resource, Tombstone):
                self._write(node, resource, event)

    def _write(self, node: str, resource: Resource[Any], event: EventType | None) -> None:
        found = self._path.find(as_value(node, resource, event))
        click.echo("".join(f"{_line(value)}\n" for value in found), nl=False)


def _line(value: Any) -> str:
    return (
        go_json(value, indent=4) if isinstance(value, dict | list) else for_terminal(as_text(value))
    )
