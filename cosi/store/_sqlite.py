"""The durable store in a SQLite file, for the in-memory state to load at the next start."""

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
    """Which failures an acknowledged change survives."""

    NONE = "none"
    """None: the change is not stored. For facts that are observed again at every start: an old fact
    that is mistaken for a new one is worse than none."""

    NORMAL = "normal"
    """Any end of the process, even a kill. Not a power failure, which may lose changes, but only
    the latest ones."""

    FULL = "full"
    """A power failure, too."""


class SQLiteStore:
    """A :class:`~cosi.state.BackingStore` in one file, for any number of namespaces::

        async with SQLiteStore("state.db") as store:
            state = InMemoryState(store=store)

    Concurrent changes share one flush of the disk. The contents are kept, ``created``, ``updated``
    and ``uid`` exactly. History and bookmarks are not, unlike in COSI's SQLite state, which reads
    the file for every operation. A payload class must be defined before the first use of the state;
    a payload whose type is unknown then is loaded as :class:`~cosi.AnySpec`.

    ``path``
        The file, on a local file system. It is created if missing. Only its owner may read it; the
        mode of an existing file is narrowed to that. No other process can open it meanwhile.
    ``marshaler``
        The format of a record; see :mod:`cosi.store._marshal`.
    ``durability``
        Which failures a change survives, for all resources or by address. Resources with ``NONE``
        are removed from the file when it is loaded.
    ``patience_seconds``
        How long to wait for another process that is about to end and still has the file open.

    *Guarantees.* Reading returns the acknowledged contents, or an error: every record has a
    checksum over itself and its address, all records have one together, and the number of the last
    acknowledged transaction is in a file beside the store while it is open (``-acknowledged``; keep
    it together with the ``-wal``). A file that is removed, replaced or written by another program
    gets no changes from then on. Not detected: an older copy of the whole that was put there while
    the store was closed.

    *Errors.* :class:`~cosi.errors.StoreError` names the file, the resource and the way out. A
    record that cannot be read fails the whole load, because controllers would act on a state that
    silently lacks something. :meth:`examine` reads the other records, and :meth:`rewrite` drops the
    damaged ones.
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
        """Open the file; raises :class:`~cosi.errors.StoreError` if it cannot be opened."""
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
        """Finish pending changes and close the file; later changes are refused."""
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

    # -- for the operator ---------------------------------------------------------------------

    async def examine(self) -> Examination:
        """Report all sound resources and all damage; changes nothing.

        Also reads a file that :meth:`load` refuses. Raises :class:`~cosi.errors.StoreError` for a
        file that cannot be opened at all.
        """
        return await self._writer.run(partial(examine, marshaler=self._marshaler))

    async def rewrite(
        self,
        *,
        reading: Marshaler | None = None,
        drop: Callable[[Damage], bool] | None = None,
    ) -> int:
        """Rebuild the file from its contents, all or nothing, and return its number of records.

        Afterwards the old key of an encrypted store can be dropped. With ``reading`` (the marshaler
        that wrote the records) a store becomes encrypted, compressed or plain. It also shrinks to
        the size of its contents, and a damaged store can be used again.

        ``drop``
            Called in the store's thread for each damage; if it returns ``True``, the record is left
            out. Save ``record`` first: no other copy remains. Check ``intact``: a record that a
            wrong key or marshaler cannot read is not lost until it is dropped.

        Raises :class:`~cosi.errors.StoreError` for damage that is not dropped; then nothing has
        changed.
        """
        work = partial(_rewrite, reading or self._marshaler, self._marshaler, drop)
        return await self._writer.run(work)


def _always(durability: Durability) -> Callable[[Pointer], Durability]:
    return lambda pointer: durability


class _Loading:
    """Reads the records, and removes those that are not to be kept any more."""

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
            raise StoreError("the caller has been cancelled")  # ends the loop; never shown
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
