"""An output that yields: what somebody else has written about the host prevails.

A fixture, or the system that this one is embedded in, may say what the network is; then the real
one does not matter. The controller declares its output as an input too, so that it is woken, and
writes its own, when the other one is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Generic, TypeVar

from cosi import OwnerConflict, Spec, Writer

S = TypeVar("S", bound=Spec)
log = logging.getLogger(__name__)


class Yielding(Generic[S]):
    """Writes through ``output`` what nobody else owns."""

    def __init__(self, output: Writer[S]) -> None:
        self._output = output
        self._others: set[str] = set()

    async def apply(
        self, id: str, spec: S, *, annotations: Mapping[str, str] | None = None
    ) -> bool:
        """Make it so, unless another owner has it: logged once, until it is ours again.

        Returns ``False`` while the old one is torn down and held: write it again when it is free.
        """
        try:
            stored = await self._output.apply(id, spec, annotations=annotations)
        except OwnerConflict as conflict:
            if id not in self._others:
                self._others.add(id)
                log.info("host fact is given, not read", extra={"resource": str(conflict.pointer)})
            return True
        self._others.discard(id)
        return not stored.tearing_down

    async def remove(self, id: str) -> bool:
        """Take it away, unless another owner has it; ``False`` while it is held."""
        self._others.discard(id)
        try:
            return await self._output.remove(id)
        except OwnerConflict:
            return True
