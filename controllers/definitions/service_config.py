"""Reads a file of configuration documents: its service configs, and through others, the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from controllers.definitions.decoder import Decoded, in_order
from controllers.definitions.documents import Document, config_documents
from controllers.definitions.hints import suggestion, unexpanded
from controllers.definitions.machine_config import ENVIRONMENT_KIND, Variables, take_environment
from controllers.definitions.probe_config import PROBE_KINDS, take_probe
from controllers.definitions.yaml_tree import Node, warning_at
from cosi import Value
from resources.extension_service import (
    name_mistakes,
)
from resources.extension_service_config import ConfigFile, ExtensionServiceConfig, stays_inside
from resources.go_format import (
    quote,
)
from resources.probe_spec import ProbeSpec
from resources.problem import (
    Mistake,
    Problem,
    Severity,
)

KIND: Final = "ExtensionServiceConfig"
_OURS: Final = (KIND, ENVIRONMENT_KIND, *PROBE_KINDS)
_NEAR: Final = 0.85
"""How similar a kind must be to one of ours: most of Talos's kinds end in ``Config``."""


class ConfigDocument(Value):
    """The document's own fields (Talos 1.14: ``ExtensionServiceConfig``, same rules and texts)."""

    name: str = ""
    """The service that it configures."""
    config_files: tuple[ConfigFile, ...] = ()
    """Files that are mounted into its container."""
    environment: tuple[str, ...] = ()
    """``KEY=VALUE`` items, added to the service's own."""

    def mistakes(self) -> Iterator[Mistake]:
        """Talos's rules, and names and mount paths, which become file names, must not escape."""
        if not self.name:
            yield ("name",), "name is required"
        elif not stays_inside(self.name) or "/" in self.name:
            yield ("name",), f"name {quote(self.name)} leaves its directory"
        service = quote(self.name)
        if not self.config_files and not self.environment:
            yield (), f"no config files found for extension {service}"
        for index, item in enumerate(self.environment):
            if "\0" in item:
                text = f"environment {quote(item.partition('=')[0])} has a NUL character"
                yield ("environment", index), text  # without the value, which may be secret
        for index, file in enumerate(self.config_files):
            where = ("config_files", index)
            if not file.content:
                yield (*where, "content"), f"extension content is required for extension {service}"
            if not file.mount_path:
                text = f"extension mount path is required for extension {service}"
                yield (*where, "mount_path"), text
            elif not stays_inside(file.mount_path):
                text = f"extension mount path {quote(file.mount_path)} leaves its directory"
                yield (*where, "mount_path"), text

    @property
    def config(self) -> ExtensionServiceConfig:
        """The resource that the document describes."""
        return ExtensionServiceConfig(files=self.config_files, environment=self.environment)


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """The configs of one file, by service name; none if the file has an error.

    Configuration is applied as a whole or not at all: half of a change is worse than none.
    ``message`` is the first error, as Talos reports it.
    """

    configs: Mapping[str, ExtensionServiceConfig] = field(
        default_factory=dict[str, ExtensionServiceConfig]
    )
    problems: tuple[Problem, ...] = ()
    names_at: Mapping[str, Node] = field(default_factory=dict[str, Node])
    """The place of each config's name, for an error if another file has it too."""
    probes: Mapping[str, ProbeSpec] = field(default_factory=dict[str, ProbeSpec])
    """The probes by resource id."""
    environment: Mapping[str, Variables] = field(default_factory=dict[str, Variables])
    """The environment of all services, by its source: ``machine.env``, ``EnvironmentConfig``."""
    names: frozenset[str] = frozenset()
    """The services that it is meant to configure, even if it has errors."""
    present: bool = True
    """Whether the file exists; a missing one is no error, because it may be created later."""

    @property
    def message(self) -> str:
        """The first error; empty if none."""
        errors = (p.text for p in self.problems if p.severity is Severity.ERROR)
        return next(errors, "")


def read_service_configs(data: bytes) -> ConfigReading:
    """Read the configs of services, the probes and the environment in ``data``.

    Documents of other kinds are ignored.
    """
    file = config_documents(data)
    problems = list(file.problems)
    configs: dict[str, ExtensionServiceConfig] = {}
    names_at: dict[str, Node] = {}
    probes: dict[str, ProbeSpec] = {}
    environment: dict[str, Variables] = {}
    for document in file.documents:
        problems += take_environment(document, environment)
        problems += _misspelt_kind(document)
        if document.kind in PROBE_KINDS:
            problems += take_probe(document, probes)
        if document.kind == KIND:
            decoded = document.decode(ConfigDocument)
            problems += decoded.problems
            if (config := decoded.value) is not None:
                problems += _doubts(decoded, config)
                configs[config.name] = config.config
                names_at[config.name] = decoded.place(("name",))
    names = frozenset(d.name for d in file.documents if d.kind == KIND and d.name)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return ConfigReading(problems=in_order(problems), names=names)
    return ConfigReading(configs, in_order(problems), names_at, probes, environment, names)


def _misspelt_kind(document: Document) -> Iterator[Problem]:
    """Warn about a kind that is similar to one of ours; other kinds are for Talos."""
    if document.kind not in _OURS and get_close_matches(document.kind, _OURS, 1, _NEAR):
        hint = suggestion(document.kind, _OURS)
        yield warning_at(document.root, f"kind {quote(document.kind)} is not read here{hint}")


def _doubts(decoded: Decoded[ConfigDocument], config: ConfigDocument) -> Iterator[Problem]:
    """Warn about mistakes that Talos accepts silently."""
    for _, text in name_mistakes(config.name):
        yield warning_at(decoded.place(("name",)), f"no service can have this name: {text}")
    for index, item in enumerate(config.environment):
        if text := unexpanded(item):
            yield warning_at(decoded.place(("environment", index)), text)
    last = {file.mount_path: index for index, file in enumerate(config.config_files)}
    for index, file in enumerate(config.config_files):
        if last[file.mount_path] != index:
            text = f"mount path {quote(file.mount_path)} is given again; the last one counts"
            yield warning_at(decoded.place(("config_files", index, "mount_path")), text)
