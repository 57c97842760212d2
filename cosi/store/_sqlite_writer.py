"""The thread that writes for everybody: what comes while it writes is its next transaction."""

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
    """Something to do in the writer's thread, and the task that waits for it."""

    def __init__(self, durable: bool, pointer: Pointer | None = None) -> None:
        self.durable = durable
        self.pointer = pointer
        self.error: CosiError | None = None
        self.result: Any = None
        self.done = Waker()


class _Change(_Job):
    """A record to keep at an address, or to forget (``None``); what is to be kept is made late."""

    def __init__(
        self, pointer: Pointer, record: Callable[[], bytes] | None, *, durable: bool
    ) -> None:
        super().__init__(durable, pointer)
        self.address: Address = (pointer.namespace, pointer.type, pointer.id)
        self.record = record


class _Errand(_Job):
    """Something else, alone; what it changes is in transactions of its own."""

    def __init__(self, work: Callable[[StoreFile], Any]) -> None:
        super().__init__(durable=True)
        self.work = work


class WriterThread:
    """One file, one thread, group commit.

    *Flow.* A caller's change is queued; the thread takes all that is queued, commits it with one
    flush of the disk, and then wakes all who waited. So a hundred writers cost one flush, and the
    first of them waits for no other. The queue is as long as there are callers who wait.

    *Guarantees.* What was queued is committed whole or not at all, in the order of the queue, also
    when the caller no longer waits. A change that cannot be made does not hurt those of its group.

    *Errors.* :class:`~cosi.errors.StoreError`, naming the file. One that cannot be opened is tried
    again by the next job.

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
        """Keep what ``record`` returns (in the thread); return once it is committed.

        ``durable`` means that it must survive the loss of power, too.
        """
        await self._done(_Change(pointer, record, durable=durable))

    async def destroy(self, pointer: Pointer, *, durable: bool) -> None:
        """Forget what is kept there; return once that is committed."""
        await self._done(_Change(pointer, None, durable=durable))

    async def run(self, work: Callable[[StoreFile], T]) -> T:
        """Do ``work`` with the file, while no other job is under way, and return its result."""
        return cast("T", await self._done(_Errand(work)))

    async def close(self) -> None:
        """Finish what is queued, close the file; later jobs are refused."""
        self.stop()
        if self._thread is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._thread.join)

    def stop(self) -> None:
        """Let the thread finish what is queued, and end; does not wait for it."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)

    async def _done(self, job: _Job) -> Any:
        if self._closed:
            raise StoreError(f"{self._name} is closed", job.pointer)
        if self._thread is None:
            self._loop = LoopThread()
            # A daemon: a program that forgets to close its store ends nevertheless.
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
            except BaseException as error:  # whatever it is: somebody waits to hear of it
                self._fail(jobs, error)
            else:
                self._serve(self._file, jobs)
            self._loop.call(partial(_announce, jobs))
        if self._file is not None:
            self._file.close()

    def _next_jobs(self) -> list[_Job]:
        """All that are queued, at least one; none if there will be no more."""
        jobs: list[_Job] = []
        while len(jobs) < _LARGEST_GROUP:
            try:
                job = self._queue.get(block=not jobs)
            except Empty:
                break
            if job is None:
                self._queue.put(None)  # the last one: it is met again, alone
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
        """Commit a group; if that fails, each for itself, to see whose fault it is."""
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
