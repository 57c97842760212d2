"""Decides which configuration file counts for each document, from the readings alone.

The first file with a document counts, in the given order; the same document in a later file is
refused (Talos 1.14 refuses duplicates within its only file).
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
    """The documents of one file that count, and the errors about the others."""

    configs: Mapping[str, ExtensionServiceConfig]
    probes: Mapping[str, ProbeSpec]
    environment: Mapping[str, Variables]
    refused: tuple[Problem, ...]

    def without(self, reading: ConfigReading) -> frozenset[str]:
        """The services whose configs in ``reading``, of the same file, do not count."""
        return frozenset(reading.configs) - self.configs.keys()


def shares(readings: Mapping[str, ConfigReading]) -> dict[str, FileShare]:
    """The share of each file; if two files have a probe of one target, the first one counts,
    without an error."""
    taken: dict[str, str] = {}
    probes: dict[str, str] = {}
    found: dict[str, FileShare] = {}
    for file, reading in readings.items():
        documents = list(_documents(reading))
        for document, _ in documents:
            taken.setdefault(document, file)
        found[file] = FileShare(
            {k: v for k, v in reading.configs.items() if taken[_of_service(k)] == file},
            {k: v for k, v in reading.probes.items() if probes.setdefault(k, file) == file},
            {k: v for k, v in reading.environment.items() if taken[k] == file},
            tuple(_again(d, at, taken[d]) for d, at in documents if taken[d] != file),
        )
    return found


def _documents(reading: ConfigReading) -> Iterator[tuple[str, Node]]:
    """The documents of a file by their names in messages, with their places."""
    for source, variables in reading.environment.items():
        yield source, variables.at
    for service in reading.configs:
        yield _of_service(service), reading.names_at[service]


def _of_service(service: str) -> str:
    return f"{KIND}/{service}"


def _again(document: str, at: Node, first: str) -> Problem:
    return error_at(at, f"duplicate document: {document} is already in {first}")
