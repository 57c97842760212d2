"""Hinges: which keys depend on which name in which watched directory."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Set
from typing import Final, Generic, TypeVar

from controllers.host.inotify import Change, InotifyRecord
from controllers.host.walk import Hinge, Look

Key = TypeVar("Key", bound=Hashable)

CONTENTS_OF: Final = ""
"""In place of a name: the key depends on everything in the directory."""


class Hinges(Generic[Key]):
    """The hinges of any number of keys (paths, as the caller writes them)."""

    def __init__(self) -> None:
        self._keys: dict[int, dict[str, set[Key]]] = {}
        self._hinges: dict[Key, frozenset[Hinge]] = {}
        self.blind: set[Key] = set()

    def affected(self, records: Iterable[InotifyRecord]) -> set[Key]:
        """The keys for which another look may have another result."""
        keys: set[Key] = set()
        for record in records:
            if record.change & Change.OVERFLOW:
                return set(self._hinges)
            names = self._keys.get(record.watch, {})
            if record.change & Change.IGNORED:
                keys = keys.union(*names.values())
            else:
                keys |= names.get(record.name, set())
        return keys

    def inside(self, records: Iterable[InotifyRecord]) -> dict[Key, set[str]]:
        """The names that changed in directories, by the key that depends on the content."""
        found: dict[Key, set[str]] = {}
        for record in records:
            if record.name:
                for key in self._keys.get(record.watch, {}).get(CONTENTS_OF, ()):
                    found.setdefault(key, set()).add(record.name)
        return found

    def replace(self, looks: Mapping[Key, Look | None]) -> list[int]:
        """Replace the hinges of keys by those of their last looks; return unused watches.

        ``None`` instead of a look removes the key.
        """
        loose: set[int] = set()
        for key, look in looks.items():
            new = look.hinges if look else frozenset[Hinge]()
            old = self._hinges.pop(key, frozenset[Hinge]())
            if look:
                self._hinges[key] = new
            self._hang(key, new - old)
            loose |= self._unhang(key, old - new)
            (self.blind.add if look and look.blind else self.blind.discard)(key)
        return [watch for watch in loose if watch not in self._keys]

    def _hang(self, key: Key, hinges: Set[Hinge]) -> None:
        for watch, name in hinges:
            self._keys.setdefault(watch, {}).setdefault(name, set()).add(key)

    def _unhang(self, key: Key, hinges: Set[Hinge]) -> set[int]:
        """Return the watches that lost their last key."""
        for watch, name in hinges:
            names = self._keys[watch]
            names[name].discard(key)
            if not names[name]:
                del names[name]
            if not names:
                del self._keys[watch]
        return {watch for watch, _ in hinges if watch not in self._keys}
