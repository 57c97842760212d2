"""In which order services stop: those that depend on others before those others."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class StopOrder:
    """Some services that shall all stop, and who of them may do so now.

    A cycle has no order: when nobody is stopping and nobody may begin, all that are left may.
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
        """Those that were not told to stop yet."""
        return tuple(self._waiting)

    def next(self) -> tuple[str, ...]:
        """Those that may stop now and were not told so before."""
        found = tuple(id for id in self._free if id in self._waiting)
        self._free.clear()
        if not found and not self._stopping:
            found = tuple(self._waiting)
        for id in found:
            del self._waiting[id]
            self._stopping.add(id)
        return found

    def ended(self, id: str) -> None:
        """One is down, whether it was told to stop or not."""
        if id not in self._stopping and id not in self._waiting:
            return
        self._stopping.discard(id)
        self._waiting.pop(id, None)
        for need in self._needs[id]:
            self._dependents[need].pop(id, None)
            if not self._dependents[need]:
                self._free.append(need)

    def holds_back(self, id: str) -> tuple[str, ...]:
        """Those for whose end ``id`` waits."""
        return tuple(self._dependents[id])
