"""Resources in a SQLite file: what an in-memory state had when its process ended."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cosi.errors import StoreError
from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.store._marshal import Marshaler, YamlMarshaler
from cosi.store._sqlite_errors import RESCUE
from cosi.store._sqlite_file import StoreFile, open_file
from cosi.store._sqlite_records import write
from cosi.store._sqlite_rescue import Damage, Examination, examine, load, rebuild
from cosi.store._sqlite_writer import WriterThread


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
    """A :class:`~cosi.state.BackingStore` in one file, for any number of namespaces::

        async with SQLiteStore("state.db") as store:
            state = InMemoryState(store=store)

    Changes that are asked for at the same time share one flush of the disk. The contents survive,
    ``created``, ``updated`` and ``uid`` exactly; history and bookmarks do not, unlike with COSI's
    SQLite state, which reads the file for every operation. A payload class must be defined before
    the state is used first; what nobody knows by then is loaded as :class:`~cosi.AnySpec`.

    ``path``
        The file, on a local file system; it is made if need be, readable for its owner only, and
        narrowed to that if it is there. No other process can open it meanwhile.
    ``marshaler``
        What a record looks like; see :mod:`cosi.store._marshal`.
    ``durability``
        What a change survives, for all resources or by address. What is no longer kept is removed
        from the file when it is loaded.
    ``patience_seconds``
        How long to wait for a process that is just about to end and still has the file.

    *Guarantees.* What is read is what was acknowledged, or an error: every record has a checksum
    over itself and its address, all of them have one together, and what the last acknowledged
    transaction was stands beside the file while it is open (``-acknowledged``; it goes where the
    ``-wal`` goes). A file that is removed, replaced or written by another program takes no change
    from then on. Not noticed: an older copy of the whole that was put there while the store was
    closed.

    *Errors.* :class:`~cosi.errors.StoreError` names the file, the resource and the way out. A
    record that cannot be read fails the whole load: a state that silently lacks something would be
    made true. :meth:`examine` reads the rest of it, and :meth:`rewrite` goes on without.
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
        self._writer = WriterThread(str(path), connect)
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
        """See :class:`~cosi.state.BackingStore`; read and decoded in the store's thread."""
        loading = _Loading(self._marshaler, self._durability)
        try:
            return await self._writer.run(loading)
        finally:
            loading.wanted = False

    async def put(self, resource: Resource[Any]) -> None:
        """See :class:`~cosi.state.BackingStore`."""
        pointer = resource.pointer
        durability = self._durability(pointer)
        if durability is not Durability.NONE:
            record = partial(self._marshaler.marshal, resource)
            await self._writer.put(pointer, record, durable=durability is Durability.FULL)

    async def destroy(self, pointer: Pointer) -> None:
        """See :class:`~cosi.state.BackingStore`."""
        durability = self._durability(pointer)
        if durability is not Durability.NONE:
            await self._writer.destroy(pointer, durable=durability is Durability.FULL)

    # -- for its owner ------------------------------------------------------------------------

    async def examine(self) -> Examination:
        """Everything that is whole, and everything that is not; changes nothing.

        Reads also what :meth:`load` refuses. Raises :class:`~cosi.errors.StoreError` for a file
        that cannot be opened at all.
        """
        return await self._writer.run(partial(examine, marshaler=self._marshaler))

    async def rewrite(
        self,
        *,
        reading: Marshaler | None = None,
        drop: Callable[[Damage], bool] | None = None,
    ) -> int:
        """Make the file anew of what is in it, all or nothing, and return how many records it has.

        So that the old key of an encrypted store can be dropped, or, with ``reading`` (what they
        were written with), that a store becomes encrypted, compressed or plain; that it becomes as
        small as its contents; and that a damaged one can be used again.

        ``drop``
            Called in the store's thread for everything that is not whole; what it returns ``True``
            for is left out. Keep ``record`` before: nothing else has it then. Mind ``intact``: a
            record that a wrong key or marshaler cannot read is not lost, until it is dropped.

        Raises :class:`~cosi.errors.StoreError` for what is not whole and not dropped, and nothing
        has changed.
        """
        work = partial(_rewrite, reading or self._marshaler, self._marshaler, drop)
        return await self._writer.run(work)


def _always(durability: Durability) -> Callable[[Pointer], Durability]:
    return lambda pointer: durability


class _Loading:
    """Reads what is kept, and forgets what is to be kept no longer."""

    def __init__(self, marshaler: Marshaler, durability: Callable[[Pointer], Durability]) -> None:
        self.wanted = True
        self._marshaler = marshaler
        self._durability = durability

    def __call__(self, file: StoreFile) -> list[Resource[Any]]:
        found, outdated = load(file, self._marshaler, self._is_kept)
        if outdated and self.wanted:
            with file.change(durable=True) as connection:
                write(connection, dict.fromkeys(outdated))
        return found

    def _is_kept(self, pointer: Pointer) -> bool:
        if not self.wanted:
            raise StoreError("the caller has been cancelled")  # nobody hears it
        return self._durability(pointer) is not Durability.NONE


def _rewrite(
    reading: Marshaler,
    writing: Marshaler,
    drop: Callable[[Damage], bool] | None,
    file: StoreFile,
) -> int:
    found = examine(file, reading)
    for damage in found.damage:
        if drop is None or not drop(damage):
            of = f" {damage.pointer}" if damage.pointer else ""
            raise StoreError(f"cannot rewrite{of}: {damage.why}; {RESCUE}", damage.pointer)
    records = {(r.namespace, r.type, r.id): writing.marshal(r) for r in found.resources}
    rebuild(file, records)
    return len(records)
