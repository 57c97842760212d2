"""Checks the files of one machine against each other, after each was read.

The messages about dependencies are those of the gate, which reports the same at run time.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from controllers.definitions.service import Fault, Reading
from controllers.definitions.service_config import ConfigReading
from controllers.definitions.shares import shares
from controllers.definitions.yaml_tree import warning_at
from controllers.lifecycle.dependency_graph import DependencyGraph
from controllers.lifecycle.service_names import ServiceNames, around, core, to_be_registered
from resources.extension_service import ExtensionServiceSpec
from resources.go_format import (
    quote,
)
from resources.problem import (
    Problem,
    Severity,
)

TALOS_SERVICES: Final = frozenset(
    {
        "apid",
        "auditd",
        "containerd",
        "cri",
        "dashboard",
        "etcd",
        "kubelet",
        "machined",
        "registryd",
        "syslogd",
        "trustd",
        "udevd",
    }
)
"""The ids of Talos's own services, which a machine may have without a definition (Talos 1.14)."""

_NEAR: Final = 0.75


def crosscheck(
    services: Mapping[str, Reading], configs: Mapping[str, ConfigReading], *, whole: bool = True
) -> Mapping[str, list[Problem]]:
    """Return the problems between the files of one machine, by the name of the file.

    If definitions share a name, the first one in the order of ``services`` counts. Unless they are
    the ``whole`` machine, references to undefined services are not reported.
    """
    found: defaultdict[str, list[Problem]] = defaultdict(list)
    defined: dict[str, str] = {}  # names of services, and the files that define them
    for file, reading in services.items():
        if reading.spec and (first := defined.setdefault(reading.spec.name, file)) != file:
            text = f"{Fault.DUPLICATE}: {quote(reading.spec.name)} is defined by {first}"
            found[file].append(_at(reading.name_at, Severity.ERROR, text))
    used = {file: services[file] for file in defined.values()}
    for file, problem in _dependencies(used, whole=whole):
        found[file].append(problem)
    for file, share in shares(configs).items():
        found[file] += share.refused
        found[file] += without_service(configs[file], defined) if whole else ()
    return found


def without_service(reading: ConfigReading, defined: Collection[str]) -> Iterator[Problem]:
    """Warn about each config for a service that is not ``defined`` (names), if any is defined."""
    if not defined:
        return
    for service, node in reading.names_at.items():
        if service not in defined:
            meant = _meant(service, defined)
            hint = f" (did you mean {quote(meant)}?)" if meant else ""
            yield warning_at(node, f"no service has the name {quote(service)}{hint}")


def _graph(specs: Collection[ExtensionServiceSpec]) -> DependencyGraph:
    graph = DependencyGraph()
    for spec in specs:
        graph.set(spec.service_id, (d.service for d in spec.depends if d.service))
    return graph


def _dependencies(files: Mapping[str, Reading], *, whole: bool) -> Iterator[tuple[str, Problem]]:
    specs = [reading.spec for reading in files.values() if reading.spec]
    graph, ids = _graph(specs), {spec.service_id for spec in specs}
    names = ServiceNames(ids | TALOS_SERVICES)
    for file, reading in files.items():
        cycle = graph.cycle(reading.spec.service_id) if reading.spec else ()
        for id, place in reading.services_at.items():
            if id in cycle[1:2]:
                yield file, _at(place, Severity.ERROR, f"waits for {around(cycle)}")
            elif whole and id not in ids and id not in TALOS_SERVICES:
                yield file, _missing(id, place, ids, names)


def _missing(id: str, place: tuple[int, int], ids: Collection[str], names: ServiceNames) -> Problem:
    """An error if a similar id exists; else a warning: the machine may have other services."""
    if like := names.like(id):
        return _at(place, Severity.ERROR, f"waits for {to_be_registered(id, like[0])}")
    return _at(place, Severity.WARNING, f"waits for {to_be_registered(id, _meant(id, ids))}")


def _meant(name: str, known: Collection[str]) -> str:
    """The one of ``known`` that is meant, or spelt similarly; the common prefix does not count."""
    if like := ServiceNames(known).like(name):
        return like[0]
    by_core = {core(id): id for id in sorted(known, reverse=True)}
    near = difflib.get_close_matches(core(name), by_core, n=1, cutoff=_NEAR)
    return by_core[near[0]] if near else ""


def _at(place: tuple[int, int], severity: Severity, text: str) -> Problem:
    return Problem(line=place[0], column=place[1], severity=severity, text=text)
