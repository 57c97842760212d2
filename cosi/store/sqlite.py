"""Resources in a SQLite file: what an in-memory state had when its process ended."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cosi.resource import Pointer, Resource
from cosi.store.marshal import Marshaler, YamlMarshaler
from cosi.store.sqlite_file import open_file, read, write
from cosi.store.sqlite_writer import Writer


class Durability(Enum):
    """What a change that was acknowledged survives."""

    NONE = "none"
    """Nothing, it is not kept. For what is observed anew at every start: an old fact that comes
    back as a new one is worse than none."""

    NORMAL = "normal"
    """The end of the process, however sudden. Not the loss of power, which may cost the changes of
    the last moments, always the latest ones."""

    FULL = "full"
    """The loss of power, too."""


class SQLiteStore:
    """A :class:`~cosi.store.backing.BackingStore` in one file, for any number of namespaces::

        async with SQLiteStore("state.db") as store:
            state = InMemoryState(store=store)

    Changes that are asked for at the same time share one flush of the disk. The contents survive,
    ``created``, ``updated`` and ``uid`` exactly; history and bookmarks do not, unlike with COSI's
    SQLite state, which reads the file for every operation. A payload class must be defined before
    the state is used first; what nobody knows by then is loaded as :class:`~cosi.resource.AnySpec`.

    ``path``
        The file; it is made if need be, readable for its owner only. Nobody else can open it
        meanwhile.
    ``marshaler``
        What a record looks like; see :mod:`cosi.store.marshal`.
    ``durability``
        What a change survives, for all resources or by address. What is no longer kept is removed
        from the file when it is loaded.
    ``patience_seconds``
        How long to wait for a process that is just about to end and still has the file.

    *Errors.* :class:`~cosi.errors.StoreError` names the file and the resource. A record that cannot
    be read fails the whole load: a state that silently lacks something would be made true.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        marshaler: Marshaler | None = None,
        durability: Durability | Callable[[Pointer], Durability] = Durability.FULL,
        patience_seconds: float = 5.0,
    ) -> None:
        self._marshaler = marshaler or YamlMarshaler()
        self._durability = durability if callable(durability) else _always(durability)
        connect = partial(open_file, Path(path).absolute(), patience_seconds)
        self._writer = Writer(str(path), connect)
        weakref.finalize(self, self._writer.stop)

    async def __aenter__(self) -> Self:
        """Open the file; raises :class:`~cosi.errors.StoreError` if that cannot be."""
        await self._writer.run(lambda connection: None)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what is under way and close the file; changes are refused from here on."""
        await self._writer.close()

    # -- for the state ------------------------------------------------------------------------

    async def load(self) -> list[Resource[Any]]:
        """See :class:`~cosi.store.backing.BackingStore`; read and decoded in the store's thread."""
        loading = _Loading(self._marshaler, self._durability)
        try:
            return await self._writer.run(loading)
        finally:
            loading.wanted = False

    async def put(self, resource: Resource[Any]) -> None:
        """See :class:`~cosi.store.backing.BackingStore`."""
        pointer = resource.pointer
        durability = self._durability(pointer)
        if durability is not Durability.NONE:
            record = partial(self._marshaler.marshal, resource)
            await self._writer.put(pointer, record, durable=durability is Durability.FULL)

    async def destroy(self, pointer: Pointer) -> None:
        """See :class:`~cosi.store.backing.BackingStore`."""
        durability = self._durability(pointer)
        if durability is not Durability.NONE:
            await self._writer.destroy(pointer, durable=durability is Durability.FULL)

    # -- for its owner ------------------------------------------------------------------------

    async def rewrite(self, *, reading: Marshaler | None = None) -> int:
        """Write every record anew, all or none, and return how many there are.

        So that the old key of an encrypted store can be dropped, or, with ``reading`` (what they
        were written with), that a store becomes encrypted, compressed or plain. Raises
        :class:`~cosi.errors.StoreError` for a record that cannot be read, and nothing has changed.
        """
        return await self._writer.run(_Rewriting(reading or self._marshaler, self._marshaler))


def _always(durability: Durability) -> Callable[[Pointer], Durability]:
    return lambda pointer: durability


class _Loading:
    """Reads what is kept, and forgets what is to be kept no longer."""

    def __init__(self, marshaler: Marshaler, durability: Callable[[Pointer], Durability]) -> None:
        self.wanted = True
        self._marshaler = marshaler
        self._durability = durability

    def __call__(self, connection: sqlite3.Connection) -> list[Resource[Any]]:
        found: list[Resource[Any]] = []
        outdated: dict[tuple[str, str, str], None] = {}
        for address, record in read(connection):
            if not self.wanted:  # whoever asked has been cancelled
                return []
            pointer = Pointer(*address)
            if self._durability(pointer) is Durability.NONE:
                outdated[address] = None
            else:
                found.append(self._marshaler.unmarshal(record, pointer))
        write(connection, outdated)
        return found


class _Rewriting:
    """From one kind of record to another."""

    def __init__(self, reading: Marshaler, writing: Marshaler) -> None:
        self._reading = reading
        self._writing = writing

    def __call__(self, connection: sqlite3.Connection) -> int:
        count = 0
        for address, record in read(connection):
            resource = self._reading.unmarshal(record, Pointer(*address))
            write(connection, {address: self._writing.marshal(resource)})
            count += 1
        return count
