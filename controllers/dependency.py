"""ExtensionServiceSpec, ServiceState, NetworkStatus, TimeStatus, PathStatus, ExtensionServiceConfigStatus → ServiceGate."""  # noqa: E501  # the signature is one line

from __future__ import annotations

from collections.abc import Iterable

from typing_extensions import override

from controllers.lifecycle.conditions import EVERY_FACT, Condition, Fact, Facts, conditions, gate
from controllers.lifecycle.dependency_graph import DependencyGraph
from controllers.lifecycle.service_names import ServiceNames
from cosi import Mapped, Output, QController, Resource, StrongInput
from resources.extension_service import SERVICE_PREFIX, ExtensionServiceSpec
from resources.extension_service_config_status import ExtensionServiceConfigStatus
from resources.network_status import NETWORK_STATUS_ID, NetworkStatus
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_state import ServiceState
from resources.time_status import TIME_STATUS_ID, TimeStatus


class DependencyController(QController[ExtensionServiceSpec]):
    """Opens a service's gate while all of its conditions hold.

    A change of a fact costs only as much as it has dependents: an index of conditions, updated at
    each pass, finds the waiting services.

    ``requires`` are services that every container needs, because its driver does; ``provides`` are
    the kinds of facts that this machine provides.
    """

    def _of_service(self, state: Resource[ServiceState]) -> Iterable[str]:
        return [name for id in self._alike(state.id) for name in self._dependents(Fact.SERVICE, id)]

    def _of_path(self, path: Resource[PathStatus]) -> Iterable[str]:
        return self._dependents(Fact.PATH, path.id)

    def _of_network(self, _: Resource[NetworkStatus]) -> Iterable[str]:
        return self._dependents(Fact.NETWORK)

    def _of_time(self, _: Resource[TimeStatus]) -> Iterable[str]:
        return self._dependents(Fact.TIME)

    primary = StrongInput(ExtensionServiceSpec)
    states = Mapped(ServiceState, by=_of_service, live_only=True)
    paths = Mapped(PathStatus, by=_of_path)
    network = Mapped(NetworkStatus, by=_of_network, id=NETWORK_STATUS_ID)
    time = Mapped(TimeStatus, by=_of_time, id=TIME_STATUS_ID)
    configs = Mapped(ExtensionServiceConfigStatus, live_only=True)
    gates = Output(ServiceGate)

    def __init__(
        self, *, requires: tuple[str, ...] = (), provides: frozenset[Fact] = EVERY_FACT
    ) -> None:
        self.requires = requires
        self.provides = provides
        self._graph = DependencyGraph()
        self._conditions: dict[str, tuple[Condition, ...]] = {}
        self._index: dict[tuple[Fact, str], dict[str, None]] = {}
        self._names: dict[str, str] = {}
        self._ids = ServiceNames()
        self._subjects = ServiceNames()

    @override
    async def reconcile(self, service: Resource[ExtensionServiceSpec]) -> None:
        id = service.spec.service_id
        if id not in self._names:
            self._names[id] = service.id
            self._ids.add(id)
            self._wake_dependents(id)
        depends = conditions(service.spec, self.requires)
        self._note(service.id, id, depends)
        found = gate(depends, await self._facts(service.id, id, depends))
        digest = service.spec.depends_digest
        await self.gates.apply(id, found.evolve(depends_digest=digest))

    @override
    async def finalize(self, service: Resource[ExtensionServiceSpec]) -> None:
        id = service.spec.service_id
        self._note(service.id, id, ())
        if self._names.pop(id, None):
            self._ids.discard(id)
            self._wake_dependents(id)
        await self.gates.remove(id)

    async def _facts(self, name: str, id: str, depends: tuple[Condition, ...]) -> Facts:
        """Read only the facts for ``depends``."""
        services: dict[str, ServiceState] = {}
        meant: dict[str, str] = {}
        paths: dict[str, PathStatus] = {}
        kinds = {condition.fact for condition in depends}
        for condition in depends:
            if condition.fact is Fact.SERVICE:
                if state := await self._service(condition.subject):
                    services[condition.subject] = state
                elif other := await self._meant(condition.subject):
                    meant[condition.subject] = other
            elif condition.fact is Fact.PATH:
                path = await self.paths.find(condition.subject)
                if path is not None:
                    paths[condition.subject] = path.spec
        network = await self.network.find() if Fact.NETWORK in kinds else None
        time = await self.time.find() if Fact.TIME in kinds else None
        config = await self.configs.find(name)
        return Facts(
            services=services,
            paths=paths,
            network=network.spec if network else None,
            time=time.spec if time else None,
            config_version=config.spec.spec_version if config else "",
            cycle=self._graph.cycle(id),
            meant=meant,
            provided=self.provides,
        )

    async def _service(self, id: str) -> ServiceState | None:
        """The state of a service; a service without one that is defined counts as not up."""
        state = await self.states.find(id)
        if state is not None:
            return state.spec
        defined = await self.primary.find(id.removeprefix(SERVICE_PREFIX))
        known = defined is not None and defined.spec.service_id == id and not defined.tearing_down
        return ServiceState() if known else None

    async def _meant(self, id: str) -> str:
        """An existing service for a missing ``id``, if the name was used instead of the id."""
        if like := self._ids.like(id):
            return like[0]
        bare = id.removeprefix(SERVICE_PREFIX)
        return bare if bare != id and await self.states.find(bare) else ""

    def _alike(self, id: str) -> tuple[str, ...]:
        """``id`` and all dependencies that may mean it."""
        return (id, *self._subjects.like(id))

    def _wake_dependents(self, id: str) -> None:
        for subject in self._alike(id):
            for other in self._graph.dependents(subject):
                if other in self._names and other != id:
                    self.wake(self._names[other])

    def _note(self, name: str, id: str, depends: tuple[Condition, ...]) -> None:
        """Store the conditions of a service; wake the services whose cycle changes by it."""
        if self._conditions.get(name, ()) == depends:
            return
        for condition in self._conditions.pop(name, ()):
            self._unlink(condition, name)
        if depends:
            self._conditions[name] = depends
        for condition in depends:
            self._index.setdefault((condition.fact, condition.subject), {})[name] = None
            if condition.fact is Fact.SERVICE:
                self._subjects.add(condition.subject)
        services = (c.subject for c in depends if c.fact is Fact.SERVICE)
        for other in sorted(self._graph.set(id, services) - {id}):
            if other in self._names:
                self.wake(self._names[other])

    def _unlink(self, condition: Condition, name: str) -> None:
        key = (condition.fact, condition.subject)
        names = self._index.get(key, {})
        names.pop(name, None)
        if not names:
            self._index.pop(key, None)
            if condition.fact is Fact.SERVICE:
                self._subjects.discard(condition.subject)

    def _dependents(self, fact: Fact, subject: str = "") -> tuple[str, ...]:
        return tuple(self._index.get((fact, subject), ()))
