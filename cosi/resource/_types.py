"""The registry that finds the payload class of a type name."""

from __future__ import annotations

from collections.abc import Iterator

from cosi.resource._payload import AnySpec, Spec


class TypeRegistry:
    """The payload classes that documents and messages may name.

    ``TypeRegistry()`` knows every class that the program has defined; ``TypeRegistry(A, B)`` knows
    only those. If two classes have one type, the one that was defined (or given) last wins.
    """

    def __init__(self, *payloads: type[Spec]) -> None:
        self._given = payloads

    def __iter__(self) -> Iterator[type[Spec]]:
        yield from self.by_type().values()

    def by_type(self) -> dict[str, type[Spec]]:
        """Payload classes by type name."""
        return {cls.__cosi__.type: cls for cls in self._given or _subclasses(Spec)}

    def find(self, type: str) -> type[Spec] | None:
        """The payload class of ``type``, if it is known."""
        return self.by_type().get(type)

    def payload(self, type: str) -> type[Spec] | type[AnySpec]:
        """The payload class of ``type``; :class:`AnySpec` if it is not known."""
        return self.find(type) or AnySpec


EVERY_TYPE = TypeRegistry()
"""Knows every class that is defined at the time of the call; it stores nothing itself."""


def _subclasses(cls: type[Spec]) -> Iterator[type[Spec]]:
    # The classes themselves know: a registry filled by imports would be one more global that leaks
    # from one test into the next.
    for subclass in cls.__subclasses__():
        if "__cosi__" in vars(subclass):  # a refused class is listed until it is collected
            yield subclass
        yield from _subclasses(subclass)
