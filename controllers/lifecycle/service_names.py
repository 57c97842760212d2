"""Service ids that people mix up: ``a`` for ``ext-a``, ``ext_a``, ``Ext-A``.

Found by what is left of an id without prefix, case and separators, so that a look costs the same
among ten services and among ten thousand, and its answer never depends on the order of arrivals.
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
    """A set of names or ids, asked for those that are nearly another one."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._by_core: dict[str, set[str]] = {}
        for id in ids:
            self.add(id)

    def add(self, id: str) -> None:
        """Put an id in."""
        self._by_core.setdefault(core(id), set()).add(id)

    def discard(self, id: str) -> None:
        """Take an id out, if it is in."""
        ids = self._by_core.get(core(id), set())
        ids.discard(id)
        if not ids:
            self._by_core.pop(core(id), None)

    def like(self, id: str) -> tuple[str, ...]:
        """The others that may be meant by ``id``, sorted."""
        return tuple(sorted(self._by_core.get(core(id), set()) - {id}))


def core(id: str) -> str:
    """What is left of an id that people do not mix up."""
    folded = id.casefold()
    return _SEPARATORS.sub(
        "", _PREFIX.sub("", folded, count=1) if _PREFIX.match(folded) else folded
    )


def to_be_registered(id: str, meant: str = "") -> str:
    """The words for a dependency on a service that is not there; ``meant`` is one that is."""
    hint = f" (did you mean {quote(meant)}?)" if meant else ""
    return f"service {quote(id)} to be registered{hint}"


def around(cycle: Iterable[str]) -> str:
    """The words for a dependency that leads back to its own service."""
    return "service " + " -> ".join(map(quote, cycle))
