"""Which payload class a type name means."""

from __future__ import annotations

from collections.abc import Iterator

from cosi.resource._payload import AnySpec, Spec


class TypeRegistry:
    """The payload classes that documents and messages may name.

    ``TypeRegistry()`` knows every class that the program has defined; ``TypeRegistry(A, B)`` knows
    those and no other. Of two classes for one type the one defined (or given) last wins.
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
        """The payload class of ``type``; what nobody registered travels as :class:`AnySpec`."""
        return self.find(type) or AnySpec


EVERY_TYPE = TypeRegistry()
"""Knows whatever is defined at the time of asking; it holds nothing itself."""


def _subclasses(cls: type[Spec]) -> Iterator[type[Spec]]:
    # Asking the classes themselves: a registry filled by imports would be one more global to leak
    # from one test into the next.
    for subclass in cls.__subclasses__():
        if "__cosi__" in vars(subclass):  # one that was refused is there until it is collected
            yield subclass
        yield from _subclasses(subclass)
