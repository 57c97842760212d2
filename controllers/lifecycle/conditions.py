"""The start conditions of a service: a pure function of its definition and the facts.

Texts and order are Talos's (1.14, "Start sequence and verbatim messages"): first the services,
those that the driver needs and then those of the file, then the environment file, then the rest of
the file in its order. A condition that appears twice is reported twice, as in Talos.

Unlike in Talos, nothing is latched: a gate is open if all conditions hold *now* (differences:
Talos 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from controllers.lifecycle.service_names import around, to_be_registered
from resources.extension_service import ExtensionServiceSpec, NetworkCheck
from resources.go_format import (
    quote,
)
from resources.network_status import NetworkStatus
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_state import ServiceState
from resources.time_status import TimeStatus

CONFIGURATION_TEXT: Final = "extension service config"


class Fact(Enum):
    """The kinds of facts for conditions, which a machine may or may not provide."""

    SERVICE = auto()
    PATH = auto()
    NETWORK = auto()
    TIME = auto()
    CONFIGURATION = auto()


EVERY_FACT: Final = frozenset(Fact)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that must hold before a start."""

    fact: Fact
    subject: str = ""
    """The service id, or the path."""
    checks: tuple[NetworkCheck, ...] = ()

    def __str__(self) -> str:
        match self.fact:
            case Fact.SERVICE:
                return f'service {quote(self.subject)} to be "up"'
            case Fact.PATH:
                return f"file {quote(self.subject)} to exist"
            case Fact.NETWORK:
                return "network"
            case Fact.TIME:
                return "time sync"
            case Fact.CONFIGURATION:
                return CONFIGURATION_TEXT


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts on which one service depends; a missing entry means that it does not exist."""

    services: Mapping[str, ServiceState] = field(default_factory=lambda: MappingProxyType({}))
    paths: Mapping[str, PathStatus] = field(default_factory=lambda: MappingProxyType({}))
    network: NetworkStatus | None = None
    time: TimeStatus | None = None
    config_version: str = ""
    """The version of the config whose files are written; "" if there is none."""
    cycle: tuple[str, ...] = ()
    """The service ids on the path from the service back to itself, if there is one."""
    meant: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """For the id of a missing service: the id of an existing one with a similar name."""
    provided: frozenset[Fact] = EVERY_FACT
    """The kinds of facts that this machine provides."""


def conditions(spec: ExtensionServiceSpec, requires: tuple[str, ...] = ()) -> tuple[Condition, ...]:
    """All conditions of ``spec``, in the order of the messages."""
    services = [*requires, *(d.service for d in spec.depends if d.service)]
    found = [Condition(Fact.SERVICE, id) for id in services]
    if spec.container.environment_file:
        found.append(Condition(Fact.PATH, spec.container.environment_file))
    for dependency in spec.depends:
        if dependency.path:
            found.append(Condition(Fact.PATH, dependency.path))
        elif dependency.network:
            found.append(Condition(Fact.NETWORK, checks=dependency.network))
        elif dependency.time:
            found.append(Condition(Fact.TIME))
        elif dependency.configuration:
            found.append(Condition(Fact.CONFIGURATION))
    return tuple(found)


def gate(depends: tuple[Condition, ...], facts: Facts) -> ServiceGate:
    """The gate of a service with the given conditions and facts."""
    pending = [condition for condition in depends if not _holds(condition, facts)]
    explained = [(_explain(condition, facts), condition) for condition in pending]
    return ServiceGate(
        conditions=tuple(map(str, depends)),
        waiting_for=tuple(text for text, _ in explained),
        impossible=tuple(text for text, c in explained if _is_impossible(c, facts)),
        services=tuple(dict.fromkeys(c.subject for c in depends if c.fact is Fact.SERVICE)),
        config_version=facts.config_version,
    )


def waiting_for(
    spec: ExtensionServiceSpec, facts: Facts, requires: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The texts of the unmet conditions; empty if the service may start."""
    return gate(conditions(spec, requires), facts).waiting_for


def _holds(condition: Condition, facts: Facts) -> bool:
    match condition.fact:
        case Fact.SERVICE:
            state = facts.services.get(condition.subject)
            return state is not None and state.up
        case Fact.PATH:
            path = facts.paths.get(condition.subject)
            return path is not None and path.present
        case Fact.NETWORK:
            return facts.network is not None and not any(_missing(condition, facts.network))
        case Fact.TIME:
            return facts.time is not None and facts.time.synced
        case Fact.CONFIGURATION:
            return facts.config_version != ""


def _missing(condition: Condition, network: NetworkStatus) -> Iterator[NetworkCheck]:
    """The failed checks; all checks of one condition must hold at the same time (Talos 1.14)."""
    ready = {
        NetworkCheck.ADDRESSES: network.address_ready,
        NetworkCheck.CONNECTIVITY: network.connectivity_ready,
        NetworkCheck.HOSTNAME: network.hostname_ready,
        NetworkCheck.ETCFILES: network.etc_files_ready,
    }
    return (check for check in condition.checks if not ready[check])


def _is_impossible(condition: Condition, facts: Facts) -> bool:
    return condition.fact not in facts.provided or _closes_cycle(condition, facts)


def _closes_cycle(condition: Condition, facts: Facts) -> bool:
    return condition.fact is Fact.SERVICE and condition.subject in facts.cycle[1:2]


def _explain(condition: Condition, facts: Facts) -> str:
    """The text of an unmet condition, with the reason if it is known."""
    if _closes_cycle(condition, facts):
        return around(facts.cycle)
    if condition.fact not in facts.provided:
        return f"{condition} (not provided by this machine)"
    if condition.fact is Fact.SERVICE and condition.subject not in facts.services:
        return to_be_registered(condition.subject, facts.meant.get(condition.subject, ""))
    if condition.fact is Fact.PATH:
        path = facts.paths.get(condition.subject)
        return f"{condition} ({path.error})" if path is not None and path.error else str(condition)
    return str(condition)
