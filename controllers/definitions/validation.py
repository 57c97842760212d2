"""Paths → what is wrong with the files there, without running anything: ``cosi validate``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controllers.definitions.kinds import is_configuration
from controllers.definitions.scan import definition_names
from controllers.definitions.service import read_service, unreadable
from controllers.definitions.service_config import read_service_configs
from controllers.definitions.source import failure, read_bounded
from resources.service_file_status import Problem, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and the file that it is in; ``str()`` is ``file:line:column: error: text``."""

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


def validate(paths: Iterable[str | Path]) -> Iterator[Finding]:
    """Yield every problem of the definition files and configuration documents at ``paths``.

    A directory stands for its ``*.yaml`` files, sorted, and for one *machine*: a name that two of
    them define is an error. Which kind a file is, its text says: documents have ``apiVersion`` and
    ``kind``.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield from _in_file(path, {})
            continue
        names: dict[str, Path] = {}
        for file in map(path.joinpath, definition_names(path)):
            yield from _in_file(file, names)


def _in_file(path: Path, names: dict[str, Path]) -> Iterator[Finding]:
    try:
        data = read_bounded(path)
    except OSError as error:
        problems = unreadable(failure(path, error)).problems
        return (yield from (Finding(path, problem) for problem in problems))
    for problem in _problems(path, data, names):
        yield Finding(path, problem)


def _problems(path: Path, data: bytes, names: dict[str, Path]) -> Iterator[Problem]:
    if is_configuration(data):
        yield from read_service_configs(data).problems
        return
    reading = read_service(data)
    yield from reading.problems
    if reading.spec is None:
        return
    first = names.setdefault(reading.spec.name, path)
    if first != path:
        text = f'duplicate service spec: "{reading.spec.name}" is defined by {first.name}'
        line, column = reading.name_at
        yield Problem(line=line, column=column, severity=Severity.ERROR, text=text)
