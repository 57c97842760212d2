"""Services as the machine API lists them: their states, with rejected files as their last events.

A rejected file is a ``ServiceFileStatus`` or a ``ConfigSourceStatus``, but users look for a service
in the list of services, and there at its last event (a stock talosctl shows nothing else). There
the rejection is shown as long as it lasts, after all other events; a service whose files were all
rejected is listed only because of that. Nothing of this is stored: each request composes it from
resources.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Final, TypeAlias

from controllers.lifecycle.conditions import CONFIGURATION_TEXT
from cosi import Resource, State
from resources.config_source_status import ConfigSourceStatus
from resources.extension_service import name_mistakes, service_id
from resources.problem import (
    Problem,
    Severity,
)
from resources.service_file_status import (
    ServiceFileStatus,
)
from resources.service_gate import ServiceGate
from resources.service_state import ServiceEvent, ServicePhase, ServiceState

Rejection: TypeAlias = tuple[str, datetime]
"""A text for users, and the time since which it is true."""

_EARLIER: Final = ", the earlier one stays in force"


async def services_and_rejections(state: State) -> list[tuple[str, ServiceState]]:
    """Every service, sorted by id; errors of the state pass through."""
    services = {service.id: service.spec for service in await state.list(ServiceState)}
    rejected = await rejected_definitions(state)
    configs = await _rejected_configs(state)
    for id in services.keys() | rejected.keys():
        if found := [*configs.get(id, ()), *rejected.get(id, ())]:
            services[id] = _with(services.get(id), found)
    return sorted(services.items())


async def rejected_definitions(state: State) -> Mapping[str, list[Rejection]]:
    """The rejected definitions of each service, by service id; the one in force last."""
    found: defaultdict[str, list[Rejection]] = defaultdict(list)
    files = await state.list(ServiceFileStatus)
    for file in sorted(files, key=lambda file: (file.spec.in_force, file.id)):
        if not file.spec.accepted:
            found[_id(file)].append((_definition_text(file), file.metadata.updated))
    return found


async def _rejected_configs(state: State) -> Mapping[str, list[Rejection]]:
    found: defaultdict[str, list[Rejection]] = defaultdict(list)
    for source in await state.list(ConfigSourceStatus):
        if not source.spec.accepted:
            for id, text in await _config_texts(source, state):
                found[id].append((text, source.metadata.updated))
    return found


def _with(service: ServiceState | None, found: list[Rejection]) -> ServiceState:
    # The service does not run, and cannot: Talos's phase for that is Failed.
    known = service or ServiceState(phase=ServicePhase.FAILED)
    events = (
        ServiceEvent(text=text, phase=known.phase, timestamp=since, healthy=known.healthy)
        for text, since in found
    )
    return known.evolve(events=(*known.events, *events), message=found[-1][0])


async def _config_texts(
    source: Resource[ConfigSourceStatus], state: State
) -> list[tuple[str, str]]:
    """A text for each service that the file configures, and each that waits for a config."""
    waiting = (g.id for g in await state.list(ServiceGate) if _waits_for_config(g.spec))
    kept = set(map(service_id, source.spec.services))
    error = _errors(source.id, source.spec.problems)
    return [
        (id, f"Configuration rejected{_EARLIER if id in kept else ''}: {error}")
        for id in {*map(service_id, source.spec.rejected), *waiting}
    ]


def _waits_for_config(gate: ServiceGate) -> bool:
    return CONFIGURATION_TEXT in gate.waiting_for


def _id(file: Resource[ServiceFileStatus]) -> str:
    """The id of the service that the file would define; by the file's name if it has no name."""
    name = file.spec.service or PurePath(file.id).stem
    return file.id if any(name_mistakes(name)) else service_id(name)


def _definition_text(file: Resource[ServiceFileStatus]) -> str:
    earlier = _EARLIER if file.spec.in_force else ""
    return f"Definition rejected{earlier}: {_errors(file.id, file.spec.problems)}"


def _errors(file: str, problems: tuple[Problem, ...]) -> str:
    """The first error with its place, and the number of further ones."""
    errors: Iterator[Problem] = (p for p in problems if p.severity is Severity.ERROR)
    first = next(errors, None)
    if first is None:
        return file
    more = sum(1 for _ in errors)
    rest = f" (and {more} more)" if more else ""
    return f"{file}:{first.line}:{first.column}: {first.text}{rest}"
