"""A store shaped like COSI's in-memory one, in Python: the other side of the state benchmarks.

An honest stand-in, not a port: mutable payloads that are copied deeply on the way in and out, a
scan for every query, and every event put into a queue of every watcher of the kind, who looks for
himself whether it concerns him. Checks, versions and times are those that any store must do.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel


class ReferenceMount(BaseModel):
    source: str
    destination: str
    type: str
    options: list[str]


class ReferenceDependency(BaseModel):
    service: str = ""
    path: str = ""
    network: list[str] = []
    time: bool = False


class ReferencePayload(BaseModel):
    """Twenty fields, three mounts and three dependencies: what an extension service says."""

    name: str
    entrypoint: str
    args: list[str]
    environment: list[str]
    mounts: list[ReferenceMount]
    depends: list[ReferenceDependency]
    restart: str
    log_to_console: bool
    write_sysfs: bool
    write_rootfs: bool
    masked_paths: list[str]
    readonly_paths: list[str]
    propagation: str
    memory: int
    cpu: float
    nice: int
    priority: int
    group: str
    user: str
    comment: str


class ReferenceResource:
    """Mutable metadata and payload."""

    def __init__(self, id: str, spec: BaseModel, labels: dict[str, str]) -> None:
        now = datetime.now(UTC)
        self.namespace = "ns"
        self.type = "Services.example.org"
        self.id = id
        self.version = 0
        self.owner = ""
        self.phase = "running"
        self.created = now
        self.updated = now
        self.labels = labels
        self.annotations: dict[str, str] = {}
        self.finalizers: list[str] = []
        self.spec = spec


class ReferenceStore:
    """One kind: create, get, list, update, watch."""

    def __init__(self) -> None:
        self._items: dict[str, ReferenceResource] = {}
        self._lock = asyncio.Lock()
        self._queues: list[asyncio.Queue[tuple[str, Any, Any]]] = []

    async def create(self, resource: ReferenceResource) -> None:
        stored = copy.deepcopy(resource)
        async with self._lock:
            if stored.id in self._items:
                raise KeyError(stored.id)
            stored.version = 1
            self._items[stored.id] = stored
            self._publish("created", stored, None)
        resource.version = stored.version

    async def get(self, id: str) -> ReferenceResource:
        async with self._lock:
            return copy.deepcopy(self._items[id])

    async def update(self, resource: ReferenceResource) -> None:
        new = copy.deepcopy(resource)
        async with self._lock:
            old = self._items[new.id]
            if old.owner != "" or old.version != new.version or old.phase != "running":
                raise KeyError(new.id)
            new.version += 1
            new.updated = datetime.now(UTC)
            self._items[new.id] = new
            self._publish("updated", new, old)
        resource.version = new.version

    async def list(
        self, matches: Callable[[ReferenceResource], bool] = lambda resource: True
    ) -> list[ReferenceResource]:
        async with self._lock:
            found = [copy.deepcopy(r) for r in self._items.values() if matches(r)]
        return sorted(found, key=lambda resource: resource.id)

    def watch(self) -> asyncio.Queue[tuple[str, Any, Any]]:
        """The queue of one watcher; he filters for himself."""
        queue: asyncio.Queue[tuple[str, Any, Any]] = asyncio.Queue()
        self._queues.append(queue)
        return queue

    def _publish(self, type: str, new: ReferenceResource, old: ReferenceResource | None) -> None:
        for queue in self._queues:
            queue.put_nowait((type, new, old))
