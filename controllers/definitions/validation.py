"""Validates the files at given paths without running anything: ``cosi validate``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controllers.definitions.bounded_read import failure, read_bounded
from controllers.definitions.crosscheck import crosscheck
from controllers.definitions.decoder import in_order
from controllers.definitions.kinds import is_configuration
from controllers.definitions.scanner import definition_files
from controllers.definitions.service import Reading, read_service, unreadable
from controllers.definitions.service_config import ConfigReading, read_service_configs
from resources.problem import (
    Problem,
    Severity,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and its file; ``str()`` is ``file:line:column: error: text``."""

    path: Path
    problem: Problem

    @property
    def is_error(self) -> bool:
        """Whether the file, or its service, would be refused."""
        return self.problem.severity is Severity.ERROR

    def __str__(self) -> str:
        text = " ".join(self.problem.text.split())
        place = f"{self.path}:{self.problem.line}:{self.problem.column}"
        return f"{place}: {self.problem.severity}: {text}"


@dataclass(frozen=True, slots=True)
class _File:
    """One file, read as a definition or as configuration."""

    path: Path
    name: str
    """Its name in messages about other files."""
    problems: tuple[Problem, ...]
    service: Reading | None = None
    config: ConfigReading | None = None


def validate(paths: Iterable[str | Path]) -> Iterator[Finding]:
    """Yield every problem of the definition files and configuration documents at ``paths``.

    A directory stands for its ``*.yaml`` files, sorted. It is one *machine*, whose files are
    checked against each other: for names that are defined twice, for missing or cyclic
    dependencies, and for configuration without a service. If exactly one directory is given, the
    given configuration files belong to that machine, too; any other file is a machine by itself.
    The kind of a file follows from its content.
    """
    machines: list[list[_File]] = []
    loose: list[_File] = []
    for path in map(Path, paths):
        if path.is_dir():
            machines.append([_read(file, file.name) for file in definition_files(path)])
        else:
            loose.append(_read(path, str(path)))
    if len(machines) == 1:
        machines[0] += [file for file in loose if file.config]
        loose = [file for file in loose if not file.config]
    for machine in machines:
        yield from _findings(machine)
    for file in loose:
        # It may contradict itself; but what it lacks may be in a file that was not given.
        yield from _findings([file], whole=False)


def _findings(machine: list[_File], *, whole: bool = True) -> Iterator[Finding]:
    between = crosscheck(
        {file.name: file.service for file in machine if file.service},
        {file.name: file.config for file in machine if file.config},
        whole=whole,
    )
    for file in machine:
        for problem in in_order([*file.problems, *between.get(file.name, ())]):
            yield Finding(file.path, problem)


def _read(path: Path, name: str) -> _File:
    try:
        data = read_bounded(path)
    except OSError as error:
        return _File(path, name, unreadable(failure(path, error)).problems)
    if is_configuration(data):
        config = read_service_configs(data)
        return _File(path, name, config.problems, config=config)
    service = read_service(data)
    return _File(path, name, service.problems, service=service)
