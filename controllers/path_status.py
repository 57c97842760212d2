"""(paths), ExtensionServiceSpec → PathStatus.

A path for which a service waits (``depends: path:``, ``environmentFile:``) has a status, which is
removed with the last such service. Services and paths are processed one by one, as they change; an
index finds the paths of a service.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import anyio
from typing_extensions import override

from controllers.host.paths import HostPaths, PathReader
from controllers.host.reader import FIRST_LOOK_SECONDS, keep_following
from controllers.host.walk import Presence
from cosi import Cause, Controller, Input, Output, Reason, Wakeups
from resources.extension_service import ExtensionServiceSpec
from resources.path_status import PathStatus


def waited_for(service: ExtensionServiceSpec) -> frozenset[str]:
    """The paths for which a service waits, as its definition writes them."""
    paths = {dependency.path for dependency in service.depends}
    return frozenset((paths | {service.container.environment_file}) - {""})


class WantedPaths:
    """The index of services and the paths for which they wait."""

    def __init__(self) -> None:
        self._paths: dict[str, frozenset[str]] = {}
        self._services: dict[str, set[str]] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._services

    def services(self) -> Set[str]:
        """The services that wait for a path."""
        return self._paths.keys()

    def paths(self) -> Set[str]:
        """The paths for which a service waits."""
        return self._services.keys()

    def set(self, service: str, paths: frozenset[str]) -> set[str]:
        """Set the paths of a service; return those that got a first waiter or lost the last."""
        before = self._paths.pop(service, frozenset[str]())
        if paths:
            self._paths[service] = paths
        changed = {path for path in paths - before if path not in self._services}
        for path in paths - before:
            self._services.setdefault(path, set()).add(service)
        for path in before - paths:
            self._services[path].discard(service)
            if not self._services[path]:
                del self._services[path]
                changed.add(path)
        return changed


class PathStatusController(Controller):
    """Publishes whether the paths for which services wait exist."""

    services = Input(ExtensionServiceSpec, live_only=True)
    paths = Output(PathStatus, defer=True)

    def __init__(self, paths: PathReader | None = None) -> None:
        """``paths`` defaults to a reader of the real host, from its root directory."""
        self._reader = paths or HostPaths()
        self._wanted_paths = WantedPaths()
        self._news: dict[str, Presence] = {}
        self._going: set[str] = set()  # to be removed, but still held at the last try
        self._failure: Presence | None = None
        self._unanswered: set[str] = set()
        self._answered = anyio.Event()
        self._answered.set()

    @override
    async def run(self, wakeups: Wakeups, /) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_following, "paths", self._reader, self._looked, self._failed)
            await super().run(wakeups)

    def _looked(self, presences: Mapping[str, Presence]) -> None:
        self._failure = None
        self._news |= presences
        self._answer(presences.keys())
        self.wake()

    def _failed(self, reason: str) -> None:
        """Publish the failure for all paths: without a reader none can be known."""
        failure = Presence(present=False, error=f"paths cannot be watched: {reason}")
        self._looked(dict.fromkeys(self._wanted_paths.paths(), failure))
        self._failure = failure

    def _answer(self, paths: Set[str]) -> None:
        self._unanswered -= paths
        if not self._unanswered:
            self._answered.set()

    @override
    async def reconcile(self) -> None:
        for cause in self.woken_by:
            await self._heed(cause)
        for path in sorted(self._going):
            if path in self._wanted_paths or await self.paths.remove(path):
                self._going.discard(path)
        # The runtime is not settled before a wanted path has an answer; a file system that gives
        # none delays it only once.
        with anyio.move_on_after(FIRST_LOOK_SECONDS):
            await self._answered.wait()
        self._answer(set(self._unanswered))
        for path, presence in tuple(self._news.items()):
            if await self._write(path, presence) and self._news.get(path) is presence:
                del self._news[path]

    async def _heed(self, cause: Cause) -> None:
        if cause.reason in {Reason.STARTED, Reason.RESTARTED}:
            await self._heed_all()
        if cause.resource is None:
            return
        gone = cause.reason is Reason.DESTROYED
        if cause.resource.metadata.type == self.services.kind.type:
            paths = frozenset[str]() if gone else waited_for(cause.resource.spec)
            self._wish(cause.resource.id, paths)
        elif gone and cause.resource.id in self._wanted_paths:
            self._want(cause.resource.id)

    async def _heed_all(self) -> None:
        """Process all services, and find the statuses that a previous run left behind."""
        services = {each.id: waited_for(each.spec) for each in await self.services.list()}
        for service in sorted({*self._wanted_paths.services(), *services}):
            self._wish(service, services.get(service, frozenset[str]()))
        left = [each.id for each in await self.paths.list() if each.owner == self.name]
        self._going.update(path for path in left if path not in self._wanted_paths)

    def _wish(self, service: str, paths: frozenset[str]) -> None:
        for path in sorted(self._wanted_paths.set(service, paths)):
            if path in self._wanted_paths:
                self._want(path)
            else:
                self._forget(path)

    def _want(self, path: str) -> None:
        if self._failure:
            self._news[path] = self._failure
        elif path not in self._unanswered:
            self._unanswered.add(path)
            self._answered = anyio.Event()
        self._reader.want(path)

    def _forget(self, path: str) -> None:
        self._reader.forget(path)
        self._news.pop(path, None)
        self._answer({path})
        self._going.add(path)

    async def _write(self, path: str, presence: Presence) -> bool:
        if path not in self._wanted_paths:
            return True
        status = PathStatus(present=presence.present, error=presence.error)
        stored = await self.paths.apply(path, status)
        return stored.owner != self.name or not stored.tearing_down
