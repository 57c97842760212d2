"""Finds service ids that users mix up: ``a`` for ``ext-a``, ``ext_a``, ``Ext-A``.

Ids are compared without prefix, case and separators. So a search costs the same with ten and with
ten thousand services, and its result does not depend on the order in which they were added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from resources.go_format import (
    quote,
)

_PREFIX: Final = re.compile(r"^ext[-_.]")
_SEPARATORS: Final = re.compile(r"[-_. ]")


class ServiceNames:
    """A set of names or ids that finds those similar to a given one."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._by_core: dict[str, set[str]] = {}
        for id in ids:
            self.add(id)

    def add(self, id: str) -> None:
        """Add an id."""
        self._by_core.setdefault(core(id), set()).add(id)

    def discard(self, id: str) -> None:
        """Remove an id, if present."""
        ids = self._by_core.get(core(id), set())
        ids.discard(id)
        if not ids:
            self._by_core.pop(core(id), None)

    def like(self, id: str) -> tuple[str, ...]:
        """The other ids that may be meant by ``id``, sorted."""
        return tuple(sorted(self._by_core.get(core(id), set()) - {id}))


def core(id: str) -> str:
    """The id without the parts that users mix up."""
    folded = id.casefold()
    return _SEPARATORS.sub(
        "", _PREFIX.sub("", folded, count=1) if _PREFIX.match(folded) else folded
    )


def to_be_registered(id: str, meant: str = "") -> str:
    """The text for a dependency on a missing service; ``meant`` is a similar existing one."""
    hint = f" (did you mean {quote(meant)}?)" if meant else ""
    return f"service {quote(id)} to be registered{hint}"


def around(cycle: Iterable[str]) -> str:
    """The text for a dependency that leads back to its own service."""
    return "service " + " -> ".join(map(quote, cycle))
