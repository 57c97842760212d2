"""Reads a definition file as an ``ExtensionServiceSpec``, or as the problems that prevent it.

The messages are Talos 1.14's, so that a user who searches for one finds the right answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from controllers.definitions.decoder import Decoded, decode, in_order
from controllers.definitions.kinds import configuration_here, keys
from controllers.definitions.lint import advice
from controllers.definitions.yaml_tree import (
    Node,
    ScalarNode,
    UnreadableYAML,
    documents,
    error_at,
    warning_at,
)
from resources.extension_service import ExtensionServiceSpec, name_mistakes
from resources.go_format import (
    several,
)
from resources.problem import (
    Problem,
    Severity,
)

_PREFIX: Final = "error unmarshalling extension service config: "


class Fault(StrEnum):
    """The reasons why a file defines no service; the values are the log lines of Talos 1.14."""

    UNREADABLE = "error loading extension service spec"
    INVALID = "error validating extension service spec"
    DUPLICATE = "duplicate service spec"


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading one definition file: ``spec``, or a ``fault`` with its ``message``."""

    spec: ExtensionServiceSpec | None = None
    fault: Fault | None = None
    message: str = ""
    problems: tuple[Problem, ...] = ()
    name: str = ""
    """The name of the service, if it can be read, even from a faulty file."""
    name_at: tuple[int, int] = (1, 1)
    """Line and column of the name, for an error if another file has it too."""
    services_at: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Line and column of each service that it depends on, by id."""
    entrypoint_at: tuple[int, int] = (1, 1)
    """Line and column of the entrypoint, for an error if it does not exist."""


def read_service(data: bytes) -> Reading:
    """Read the first document of ``data``; unknown keys and further documents are warnings."""
    roots = documents(data)
    try:
        root = next(roots, None)
        if root is None:
            return unreadable(f"{_PREFIX}EOF", "the file is empty")
        reading = _judged(decode(root, ExtensionServiceSpec), _second_document(roots))
    except UnreadableYAML as error:
        return Reading(
            fault=Fault.UNREADABLE, message=_PREFIX + error.message, problems=(error.problem,)
        )
    if reading.fault and (text := configuration_here(root)):
        # Talos's message lists everything that a definition would need; this names the mistake.
        return replace(reading, problems=(error_at(root, text),))
    return replace(reading, name=_name(root))


def _name(root: Node) -> str:
    node = keys(root).get("name")
    return node.text if isinstance(node, ScalarNode) and not any(name_mistakes(node.text)) else ""


def unreadable(message: str, text: str = "") -> Reading:
    """The reading of a file that cannot be read; ``text`` replaces ``message`` in the problem."""
    problem = Problem(line=1, column=1, severity=Severity.ERROR, text=text or message)
    return Reading(fault=Fault.UNREADABLE, message=message, problems=(problem,))


def _judged(decoded: Decoded[ExtensionServiceSpec], more: tuple[Problem, ...]) -> Reading:
    problems = decoded.problems + more
    if decoded.type_errors:
        texts = "; ".join(decoded.type_errors)
        message = f"{_PREFIX}yaml: construct errors: {texts}"
        return Reading(fault=Fault.UNREADABLE, message=message, problems=problems)
    if decoded.value is None:
        message = several(decoded.broken_rules)
        return Reading(fault=Fault.INVALID, message=message, problems=problems)
    advised = [warning_at(decoded.place(at), text) for at, text in advice(decoded.value)]
    name, entrypoint = decoded.place(("name",)), decoded.place(("container", "entrypoint"))
    return Reading(
        spec=decoded.value,
        problems=in_order([*problems, *advised]),
        name_at=(name.line, name.column),
        services_at=dict(_services_at(decoded, decoded.value)),
        entrypoint_at=(entrypoint.line, entrypoint.column),
    )


def _services_at(
    decoded: Decoded[ExtensionServiceSpec], spec: ExtensionServiceSpec
) -> Iterator[tuple[str, tuple[int, int]]]:
    for index, dependency in enumerate(spec.depends):
        if dependency.service:
            node = decoded.place(("depends", index, "service"))
            yield dependency.service, (node.line, node.column)


def _second_document(roots: Iterator[Node]) -> tuple[Problem, ...]:
    """Warn about further documents, which Talos swallows (differences: Talos 2)."""
    try:
        root = next(roots, None)
    except UnreadableYAML:
        return ()  # the first document was complete, and only that one counts
    if root is None or root.tag == "!!null":
        return ()
    return (warning_at(root, "only the first document of a definition file is read"),)
