"""The writer thread: changes queued during a commit form the next group commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar, cast

import anyio
import anyio.to_thread

from cosi._aio.loop_thread import LoopThread
from cosi._aio.waker import Waker
from cosi.errors import CosiError, StoreError
from cosi.resource._pointer import Pointer
from cosi.store._sqlite_errors import sentence
from cosi.store._sqlite_file import StoreFile
from cosi.store._sqlite_records import Address, write

T = TypeVar("T")

_LARGEST_GROUP: Final = 1024


class _Job:
    """Work for the writer thread, and the task that waits for it."""

    def __init__(self, durable: bool, pointer: Pointer | None = None) -> None:
        self.durable = durable
        self.pointer = pointer
        self.error: CosiError | None = None
        self.result: Any = None
        self.done = Waker()


class _Change(_Job):
    """A record to store at an address, or (``None``) to delete; it is marshalled in the thread."""

    def __init__(
        self, pointer: Pointer, record: Callable[[], bytes] | None, *, durable: bool
    ) -> None:
        super().__init__(durable, pointer)
        self.address: Address = (pointer.namespace, pointer.type, pointer.id)
        self.record = record


class _Errand(_Job):
    """Other work, done alone; it changes the file in its own transactions."""

    def __init__(self, work: Callable[[StoreFile], Any]) -> None:
        super().__init__(durable=True)
        self.work = work


class WriterThread:
    """One file, one thread, group commit.

    *Flow.* A caller queues its change; the thread takes all queued changes, commits them with one
    flush of the disk, and then wakes the waiting callers. So a hundred writers cost one flush, and
    the first of them does not wait for the others. The queue is bounded by the number of callers
    that wait.

    *Guarantees.* A queued change is committed whole or not at all, in the order of the queue, even
    if its caller no longer waits. A change that fails does not affect the others of its group.

    *Errors.* :class:`~cosi.errors.StoreError`, with the name of the file. If the file cannot be
    opened, the next job tries again.

    It belongs to the event loop that uses it first.
    """

    def __init__(self, name: str, open_file: Callable[[], StoreFile]) -> None:
        self._name = name
        self._open = open_file
        self._file: StoreFile | None = None
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: LoopThread
        self._closed = False

    # -- in the event loop --------------------------------------------------------------------

    async def put(self, pointer: Pointer, record: Callable[[], bytes], *, durable: bool) -> None:
        """Store the bytes that ``record`` returns (in the thread); return once committed.

        A ``durable`` change survives a power failure, too.
        """
        await self._done(_Change(pointer, record, durable=durable))

    async def destroy(self, pointer: Pointer, *, durable: bool) -> None:
        """Delete the record at ``pointer``; return once committed."""
        await self._done(_Change(pointer, None, durable=durable))

    async def run(self, work: Callable[[StoreFile], T]) -> T:
        """Do ``work`` with the file, while no other job runs, and return its result."""
        return cast("T", await self._done(_Errand(work)))

    async def close(self) -> None:
        """Finish the queued jobs and close the file; later jobs are refused."""
        self.stop()
        if self._thread is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._thread.join)

    def stop(self) -> None:
        """Let the thread finish the queued jobs and end, without waiting for it."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)

    async def _done(self, job: _Job) -> Any:
        if self._closed:
            raise StoreError(f"{self._name} is closed", job.pointer)
        if self._thread is None:
            self._loop = LoopThread()
            # A daemon, so that a program that forgets to close its store can end.
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._queue.put(job)
        await job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while jobs := self._next_jobs():
            try:
                self._file = self._file or self._open()
            except BaseException as error:  # of any kind: the callers wait for a result
                self._fail(jobs, error)
            else:
                self._serve(self._file, jobs)
            self._loop.call(partial(_announce, jobs))
        if self._file is not None:
            self._file.close()

    def _next_jobs(self) -> list[_Job]:
        """All queued jobs, at least one; none after the last."""
        jobs: list[_Job] = []
        while len(jobs) < _LARGEST_GROUP:
            try:
                job = self._queue.get(block=not jobs)
            except Empty:
                break
            if job is None:
                self._queue.put(None)  # the end mark: found again, alone, by the next call
                break
            jobs.append(job)
        return jobs

    def _serve(self, file: StoreFile, jobs: list[_Job]) -> None:
        for kind, group in groupby(jobs, type):
            if kind is _Change:
                self._change(file, cast("list[_Change]", list(group)))
                continue
            for errand in cast("Iterable[_Errand]", group):
                self._do(file, errand)

    def _change(self, file: StoreFile, changes: list[_Change]) -> None:
        """Commit a group; if that fails, commit each change alone, to find the faulty one."""
        records: dict[Address, bytes | None] = {}
        made = [change for change in changes if self._make(change, records)]
        if not made:
            return
        try:
            with file.change(durable=any(change.durable for change in made)) as connection:
                write(connection, records)
        except BaseException as error:
            if len(made) == 1:
                self._fail(made, error)
                return
            for change in made:
                self._change(file, [change])

    def _make(self, change: _Change, records: dict[Address, bytes | None]) -> bool:
        try:
            records[change.address] = change.record() if change.record else None
        except BaseException as error:
            self._fail((change,), error)
            return False
        return True

    def _do(self, file: StoreFile, errand: _Errand) -> None:
        try:
            errand.result = errand.work(file)
        except BaseException as error:
            self._fail((errand,), error)

    def _fail(self, jobs: Iterable[_Job], error: BaseException) -> None:
        pointer = error.pointer if isinstance(error, StoreError) else None
        for job in jobs:
            job.error = StoreError(f"{self._name}: {sentence(error)}", pointer or job.pointer)
            job.error.__cause__ = error


def _announce(jobs: list[_Job]) -> None:
    for job in jobs:
        job.done.wake()
