"""Reads the environment of all services from configuration documents.

Two documents can set it (Talos 1.14): the main document under ``machine.env``, and
``EnvironmentConfig`` under ``variables``, which wins. The rest of the main document is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controllers.definitions.decoder import Decoded, decode
from controllers.definitions.documents import MAIN, Document
from controllers.definitions.hints import suggestion, unexpanded
from controllers.definitions.kinds import MACHINE_CONFIG_KEYS, keys
from controllers.definitions.yaml_tree import (
    MappingNode,
    Node,
    ScalarNode,
    UnreadableYAML,
    warning_at,
)
from cosi import FrozenMap, Value
from resources.go_format import (
    quote,
)
from resources.problem import (
    Mistake,
    Problem,
)

ENVIRONMENT_KIND: Final = "EnvironmentConfig"
MACHINE_ENV: Final = "machine.env"
ENVIRONMENT_SOURCES: Final = (MACHINE_ENV, ENVIRONMENT_KIND)
"""The sources of the environment; the later one wins."""

_POSIX_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of one document, and their place."""

    at: Node
    values: Mapping[str, str]


class MachineEnvironment(Value):
    """``machine.env``: all names that the system accepts for a variable."""

    variables: FrozenMap[str, str] = FrozenMap()

    def mistakes(self) -> Iterator[Mistake]:
        """Variables that cannot be set (Go: ``os.Setenv``)."""
        yield from _mistakes(self.variables, lambda name: name != "" and not {"=", "\0"} & {*name})


class EnvironmentDocument(Value):
    """The fields of ``EnvironmentConfig``, with its rule and text (Talos 1.14)."""

    variables: FrozenMap[str, str] = FrozenMap()
    """Names and values."""

    def mistakes(self) -> Iterator[Mistake]:
        """Variables without a POSIX name."""
        yield from _mistakes(self.variables, lambda name: bool(_POSIX_NAME.fullmatch(name)))


def _mistakes(variables: Mapping[str, str], good: Callable[[str], bool]) -> Iterator[Mistake]:
    for name, value in variables.items():
        if not good(name):
            yield ("variables", name), f"invalid environment variable name: {quote(name)}"
        if "\0" in value:  # not shown, because it may be secret
            yield ("variables", name), f"the value of {quote(name)} has a NUL character"


def take_environment(document: Document, found: dict[str, Variables]) -> Iterator[Problem]:
    """Read the environment in ``document`` into ``found``, by its source; yield the problems."""
    if document.kind == ENVIRONMENT_KIND:
        decoded = document.decode(EnvironmentDocument)
        yield from _take(ENVIRONMENT_KIND, document.root, decoded, found)
    elif document.kind == MAIN:
        yield from _unknown(document)
        machine = keys(document.root).get("machine")
        env = keys(machine).get("env") if machine else None
        if env is not None and env.tag != "!!null":
            yield from _take(MACHINE_ENV, env, _decode_env(env), found)


def _take(
    source: str,
    at: Node,
    decoded: Decoded[MachineEnvironment] | Decoded[EnvironmentDocument],
    found: dict[str, Variables],
) -> Iterator[Problem]:
    yield from decoded.problems
    if decoded.value is None:
        return
    found[source] = Variables(at, decoded.value.variables)
    for name, value in decoded.value.variables.items():
        if text := unexpanded(f"{name}={value}"):
            yield warning_at(decoded.place(("variables", name)), text)


def _decode_env(env: Node) -> Decoded[MachineEnvironment]:
    key = ScalarNode(env.line, env.column, "!!str", "variables", plain=True)
    body = MappingNode(env.line, env.column, pairs=[(key, env)])
    try:
        return decode(body, MachineEnvironment)
    except UnreadableYAML as error:
        return Decoded(None, (error.message,), (), (error.problem,), {(): env})


def _unknown(document: Document) -> Iterator[Problem]:
    """Talos refuses unknown keys; another version of it may know more."""
    pairs = ((key, value) for key, value in document.root.pairs if isinstance(key, ScalarNode))
    for key, _ in pairs:
        if key.text not in MACHINE_CONFIG_KEYS and key.tag != "!!merge":
            hint = suggestion(key.text, MACHINE_CONFIG_KEYS)
            text = f"unknown key {quote(key.text)} in a machine configuration is ignored{hint}"
            yield warning_at(key, text)


def merged(layers: Mapping[str, Variables]) -> tuple[str, ...]:
    """``KEY=VALUE`` for each variable, sorted as in Talos's resource."""
    together: dict[str, str] = {}
    for source in ENVIRONMENT_SOURCES:
        if source in layers:
            together.update(layers[source].values)
    return tuple(f"{name}={value}" for name, value in sorted(together.items()))
