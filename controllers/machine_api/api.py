"""The gRPC services ``machine.MachineService`` and ``inspect.InspectService``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controllers.machine_api.dependencies import DependencyMethods
from controllers.machine_api.events import EventMethods
from controllers.machine_api.logs import LogStore, MachineLogs
from controllers.machine_api.services import Services
from controllers.machine_api.version import MachineVersion
from cosi import Graph, Runtime, State
from cosi.api.roles import OPERATORS, READERS
from cosi.api.rpc import Service, Streaming, Unary


def machine_services(
    state: State, logs: LogStore, graph: Callable[[], Graph]
) -> tuple[Service, Service]:
    """The services to serve beside ``state``; ``graph`` returns the current dependency graph."""
    return MachineService(state, logs), InspectService(graph)


def inspect_service(runtime: Runtime) -> Service:
    """What `cosi inspect` asks; `cosi run` serves it whichever applications run."""
    return InspectService(lambda: runtime.graph)


class MachineService:
    """Serves services, their logs and their events. Roles: Talos 1.14, "Roles"."""

    name = "machine.MachineService"

    def __init__(self, state: State, logs: LogStore) -> None:
        self._services = Services(state)
        self._logs = MachineLogs(logs)
        self._events = EventMethods(state)
        self._version = MachineVersion()

    @property
    def methods(self) -> Mapping[str, Unary | Streaming]:
        """The methods, with the roles that may call them (Talos 1.14, "Roles")."""
        return {
            "Version": Unary(self._version.answer, READERS, many_nodes=True),
            "ServiceList": Unary(self._services.list, READERS, many_nodes=True),
            "ServiceStart": Unary(self._services.start, OPERATORS, many_nodes=True),
            "ServiceStop": Unary(self._services.stop, OPERATORS, many_nodes=True),
            "ServiceRestart": Unary(self._services.restart, OPERATORS, many_nodes=True),
            "Logs": Streaming(self._logs.read, READERS, many_nodes=True),
            "LogsContainers": Unary(self._logs.ids, READERS, many_nodes=True),
            "Events": Streaming(self._events.follow, READERS, many_nodes=True),
        }


class InspectService:
    """Serves the dependency graph of the controllers."""

    name = "inspect.InspectService"

    def __init__(self, graph: Callable[[], Graph]) -> None:
        self._dependencies = DependencyMethods(graph)

    @property
    def methods(self) -> Mapping[str, Unary | Streaming]:
        """The methods, with the roles that may call them (Talos 1.14, "Roles")."""
        answer = Unary(self._dependencies.answer, READERS, many_nodes=True)
        return {"ControllerRuntimeDependencies": answer}
