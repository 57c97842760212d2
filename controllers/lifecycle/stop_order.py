"""In which order services stop: those that depend on others before those others."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class StopOrder:
    """Some services that shall all stop, and who of them may do so now.

    A cycle has no order: when nobody is stopping and nobody may begin, all that are left may.
    """

    def __init__(self, needs: Mapping[str, Collection[str]]) -> None:
        self._needs = needs
        self._dependents = dict.fromkeys(needs, 0)
        for id, others in needs.items():
            for other in set(others) & needs.keys() - {id}:
                self._dependents[other] += 1
        self._waiting = dict.fromkeys(needs)
        self._stopping: set[str] = set()
        self._free = [id for id, count in self._dependents.items() if count == 0]

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
        for need in set(self._needs[id]) & self._needs.keys() - {id}:
            self._dependents[need] -= 1
            if self._dependents[need] == 0:
                self._free.append(need)

    def holds_back(self, id: str) -> tuple[str, ...]:
        """Those for whose end ``id`` waits."""
        left = self._stopping | self._waiting.keys()
        return tuple(other for other in self._needs if other in left and id in self._needs[other])
