"""Which configuration file says what: decided from what the files say, without touching one.

The first file that says something counts, in the order in which they are given; what a later one
says again is refused (Talos 1.14 refuses the same within its one file).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controllers.definitions.machine_config import Variables
from controllers.definitions.service_config import KIND, ConfigReading
from controllers.definitions.yaml_tree import Node, error_at
from resources.extension_service_config import ExtensionServiceConfig
from resources.probe_spec import ProbeSpec
from resources.problem import (
    Problem,
)


@dataclass(frozen=True, slots=True)
class FileShare:
    """What counts of one file, and the errors about the rest."""

    configs: Mapping[str, ExtensionServiceConfig]
    probes: Mapping[str, ProbeSpec]
    environment: Mapping[str, Variables]
    refused: tuple[Problem, ...]

    def without(self, reading: ConfigReading) -> frozenset[str]:
        """The services that ``reading``, which it is of, configures in vain."""
        return frozenset(reading.configs) - self.configs.keys()


def shares(readings: Mapping[str, ConfigReading]) -> dict[str, FileShare]:
    """Share out what the files say; of one target's probes, the first counts in silence."""
    taken: dict[str, str] = {}
    probes: dict[str, str] = {}
    found: dict[str, FileShare] = {}
    for file, reading in readings.items():
        said = list(_said(reading))
        for document, _ in said:
            taken.setdefault(document, file)
        found[file] = FileShare(
            {k: v for k, v in reading.configs.items() if taken[_of_service(k)] == file},
            {k: v for k, v in reading.probes.items() if probes.setdefault(k, file) == file},
            {k: v for k, v in reading.environment.items() if taken[k] == file},
            tuple(_again(d, at, taken[d]) for d, at in said if taken[d] != file),
        )
    return found


def _said(reading: ConfigReading) -> Iterator[tuple[str, Node]]:
    """What a file says, by the names that messages call it, with its place."""
    for source, variables in reading.environment.items():
        yield source, variables.at
    for service in reading.configs:
        yield _of_service(service), reading.names_at[service]


def _of_service(service: str) -> str:
    return f"{KIND}/{service}"


def _again(document: str, at: Node, first: str) -> Problem:
    return error_at(at, f"duplicate document: {document} is in {first} already")
