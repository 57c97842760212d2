"""The graph of service dependencies: a reverse index and the cycles, updated edge by edge."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable


class DependencyGraph:
    """Services and their dependencies, by service id.

    A change costs only as much as it touches: the search for a cycle follows only the dependencies
    of the changed service, and only if it has dependents. An existing cycle costs more.
    """

    def __init__(self) -> None:
        self._needs: dict[str, tuple[str, ...]] = {}
        self._dependents: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._cycles: dict[str, tuple[str, ...]] = {}

    def set(self, id: str, needs: Iterable[str]) -> frozenset[str]:
        """Set the dependencies of ``id``; return the ids whose :meth:`cycle` has changed."""
        fresh = tuple(dict.fromkeys(needs))
        if fresh == self._needs.get(id, ()):
            return frozenset()
        for need in self._needs.pop(id, ()):
            self._forget(need, id)
        if fresh:
            self._needs[id] = fresh
        for need in fresh:
            self._dependents[need][id] = None
        return self._look_again(id)

    def remove(self, id: str) -> frozenset[str]:
        """Remove the dependencies of ``id``; return as :meth:`set` does."""
        return self.set(id, ())

    def dependents(self, id: str) -> tuple[str, ...]:
        """The direct dependents of ``id``, in the order in which they were set."""
        return tuple(self._dependents.get(id, ()))

    def all_dependents(self, ids: Iterable[str]) -> frozenset[str]:
        """The direct and indirect dependents of ``ids``; one of ``ids`` is included only if it
        depends on another one or on itself.
        """
        found: set[str] = set()
        open_ = list(ids)
        while open_:
            fresh = [d for d in self.dependents(open_.pop()) if d not in found]
            found.update(fresh)
            open_.extend(fresh)
        return frozenset(found)

    def cycle(self, id: str) -> tuple[str, ...]:
        """A path from ``id`` back to itself, both ends included; empty if there is none."""
        return self._cycles.get(id, ())

    def _forget(self, need: str, id: str) -> None:
        dependents = self._dependents[need]
        dependents.pop(id, None)
        if not dependents:
            del self._dependents[need]

    def _look_again(self, changed: str) -> frozenset[str]:
        """Update the cycles; only those of ``changed`` and its dependents can have changed."""
        before = changed in self._cycles
        after = self._find_cycle(changed)
        if not before and not after:
            return frozenset()
        touched: set[str] = set()
        for id in self.all_dependents([changed]) | {changed}:
            cycle = self._find_cycle(id)
            if cycle == self._cycles.get(id, ()):
                continue
            touched.add(id)
            if cycle:
                self._cycles[id] = cycle
            else:
                del self._cycles[id]
        return frozenset(touched)

    def _find_cycle(self, id: str) -> tuple[str, ...]:
        """The shortest path from ``id`` back to itself; the first of several in the order of needs.

        It depends only on the current dependencies, and not on the order of the changes.
        """
        if id not in self._dependents:
            return ()
        came_from: dict[str, str] = {}
        open_ = deque([id])
        while open_:
            at = open_.popleft()
            for need in self._needs.get(at, ()):
                if need == id:
                    return (*_way(came_from, id, at), id)
                if need not in came_from:
                    came_from[need] = at
                    open_.append(need)
        return ()


def _way(came_from: dict[str, str], start: str, end: str) -> tuple[str, ...]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))
