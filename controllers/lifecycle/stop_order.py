"""The order in which services stop: dependents before the services on which they depend."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class StopOrder:
    """A set of services that must stop, and which of them may stop now.

    A cycle has no order: if no service is stopping and none may begin, all remaining ones may.
    """

    def __init__(self, needs: Mapping[str, Collection[str]]) -> None:
        self._needs = {
            id: {other for other in others if other in needs and other != id}
            for id, others in needs.items()
        }
        self._dependents: dict[str, dict[str, None]] = {id: {} for id in needs}
        for id, others in self._needs.items():
            for other in others:
                self._dependents[other][id] = None
        self._waiting = dict.fromkeys(needs)
        self._stopping: set[str] = set()
        self._free = [id for id, dependents in self._dependents.items() if not dependents]

    @property
    def waiting(self) -> tuple[str, ...]:
        """The services that have not begun to stop."""
        return tuple(self._waiting)

    def next(self) -> tuple[str, ...]:
        """The services that may begin to stop now; each is returned once."""
        found = tuple(id for id in self._free if id in self._waiting)
        self._free.clear()
        if not found and not self._stopping:
            found = tuple(self._waiting)
        for id in found:
            del self._waiting[id]
            self._stopping.add(id)
        return found

    def ended(self, id: str) -> None:
        """Record that a service is down, whether it was stopped or ended by itself."""
        if id not in self._stopping and id not in self._waiting:
            return
        self._stopping.discard(id)
        self._waiting.pop(id, None)
        for need in self._needs[id]:
            self._dependents[need].pop(id, None)
            if not self._dependents[need]:
                self._free.append(need)

    def holds_back(self, id: str) -> tuple[str, ...]:
        """The services for whose end ``id`` waits."""
        return tuple(self._dependents[id])
