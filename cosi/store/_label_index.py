"""The index for label queries: the ids of the resources with a label."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cosi.resource._envelope import Resource
from cosi.state._query import LabelOp, LabelTerm, Query


class LabelIndex:
    """Ids by (key, value), kept up to date by the collection."""

    __slots__ = ("_ids",)

    def __init__(self, resources: Iterable[Resource[Any]]) -> None:
        self._ids: dict[tuple[str, str], set[str]] = {}
        for resource in resources:
            self.replace(resource.metadata.id, None, resource)

    def replace(self, id: str, old: Resource[Any] | None, new: Resource[Any] | None) -> None:
        """Update the index: ``old`` became ``new``."""
        before = old.metadata.labels if old is not None else None
        after = new.metadata.labels if new is not None else None
        if before is after:
            return
        for item in before.items() if before else ():
            ids = self._ids[item]
            ids.discard(id)
            if not ids:
                del self._ids[item]
        for item in after.items() if after else ():
            self._ids.setdefault(item, set()).add(id)

    def candidates(self, query: Query) -> tuple[set[str], bool] | None:
        """A set of ids that includes all matches, and whether every id in it matches.

        ``None`` if the index cannot narrow the query.
        """
        found: set[str] = set()
        for branch in query.labels:
            sets = [ids for term in branch if (ids := self._having(term)) is not None]
            if not sets:
                return None
            found |= min(sets, key=len)
        return found, all(len(branch) == 1 for branch in query.labels)

    def _having(self, term: LabelTerm) -> set[str] | None:
        if term.invert or term.op not in {LabelOp.EQUAL, LabelOp.IN}:
            return None
        values = term.values[:1] if term.op is LabelOp.EQUAL else term.values
        if len(values) == 1:
            return self._ids.get((term.key, values[0]), set())
        return set[str]().union(*(self._ids.get((term.key, value), ()) for value in values))
