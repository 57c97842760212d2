"""The address of a resource."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pointer:
    """The address of a resource, which need not exist."""

    namespace: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}({self.namespace}/{self.id})"
