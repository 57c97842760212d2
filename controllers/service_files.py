"""(*.yaml) → ServiceFileStatus, ExtensionServiceSpec.

Every file of the definition directory has a status, whatever its content; every valid one defines a
service. A definition that changes is replaced; one that is removed is torn down, and destroyed when
no finalizer holds it, which means that its container is gone.

Rules: Talos 1.14, ``runtime.ExtensionServiceController``, which reads the directory only once and
reports refused files only in its log (differences: Talos 1, Talos 2). ``definitions/claims.py`` has
the rules for two files that define one service, and for a file that becomes invalid.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from typing_extensions import override

from controllers.definitions.claims import Claims
from controllers.definitions.scanner import Scanner, Seen
from controllers.definitions.service import Fault
from controllers.host.file_watcher import FileWatcher, HostFiles
from controllers.host.reader import keep_following
from controllers.paths import Paths
from cosi import Controller, Output, Reason, Wakeups
from resources.extension_service import ExtensionServiceSpec
from resources.problem import (
    Severity,
)
from resources.service_file_status import (
    ServiceFileStatus,
)

log = logging.getLogger(__name__)


class ServiceFilesController(Controller):
    """Reads the definitions of services, and keeps reading them."""

    statuses = Output(ServiceFileStatus)
    services = Output(ExtensionServiceSpec, defer=True)

    def __init__(self, paths: Paths, watcher: FileWatcher | None = None) -> None:
        """The default ``watcher`` watches the real machine."""
        self._scanner = Scanner(paths.definitions, paths.rootfs)
        self._directory = paths.definitions
        self._watcher = watcher or HostFiles()
        self._claims = Claims()
        self._seen: dict[Path, Seen] = {}
        self._touched: set[Path] = set()
        self._distrusted = False  # whether to read files again whose stamp is unchanged
        # The writes still to do; they survive a pass that fails.
        self._files_to_tell: set[str] = set()
        self._services_to_write: set[str] = set()

    @override
    async def run(self, wakeups: Wakeups, /) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                keep_following, "definitions", self._watcher, self._changed, self._unwatched
            )
            await super().run(wakeups)

    @override
    def reload(self) -> None:
        """Read every file again, even if its stamp is unchanged."""
        self._distrusted = True
        self._changed({self._directory})

    def _changed(self, paths: Set[Path]) -> None:
        self._touched |= paths
        self.wake()

    def _unwatched(self, reason: str) -> None:
        """Without a watch, look at the directory at each retry of the watch."""
        self._changed({self._directory})

    @override
    async def reconcile(self) -> None:
        first = any(cause.reason in {Reason.STARTED, Reason.RESTARTED} for cause in self.woken_by)
        if first:
            self._touched.add(self._directory)
        await self._look()
        if first:
            await self._forget_previous_run()
        for service in sorted(self._services_to_write):
            await self._write(service)
        for file in sorted(self._files_to_tell):
            if await self._tell(file):
                self._files_to_tell.discard(file)

    async def _look(self) -> None:
        """Take in what has changed on disk since the last look."""
        touched, self._touched = self._touched, set()
        if not touched:
            return
        trust, self._distrusted = not self._distrusted, False
        scan = partial(self._scanner.scan, dict(self._seen), touched, trust=trust)
        try:
            found = await anyio.to_thread.run_sync(scan)
        except BaseException:
            self._touched |= touched
            self._distrusted |= not trust
            raise
        for path, seen in found.items():
            self._take_in(path, seen)
        links = (path for path, seen in self._seen.items() if seen.is_link)
        self._watcher.aim([self._directory, *links])

    def _take_in(self, path: Path, seen: Seen | None) -> None:
        if seen is None:
            self._seen.pop(path, None)
            self._concerns(path.name, self._claims.drop(path.name))
        else:
            self._seen[path] = seen
            self._concerns(path.name, self._claims.take(path.name, seen.reading))

    def _concerns(self, file: str, services: Set[str]) -> None:
        self._services_to_write |= services
        self._files_to_tell.add(file)
        for service in services:
            self._files_to_tell.update(self._claims.claimants(service))

    async def _forget_previous_run(self) -> None:
        """Remove definitions and statuses of a previous run that no file has any more.

        A state that outlives the program may hold them. Those with finalizers are removed later,
        like those of files that are removed while the program runs.
        """
        ours = [each.id for each in await self.services.list() if each.owner == self.name]
        self._services_to_write.update(set(ours) - self._claims.services)
        ours = [each.id for each in await self.statuses.list() if each.owner == self.name]
        self._files_to_tell.update(set(ours) - self._claims.files)

    async def _write(self, service: str) -> None:
        """Write, or remove, the definition of a service.

        If the old one is still held, it is written when that is free; if another owner defines the
        service, when that definition is gone. Then the statuses of its files change to in force.
        """
        definition = self._claims.definition(service)
        if definition is None:
            written = await self.services.remove(service)
        else:
            stored = await self.services.apply(service, definition)
            written = stored.owner == self.name and not stored.tearing_down
        self._files_to_tell.update(self._claims.claimants(service))
        if written:
            self._services_to_write.discard(service)

    async def _tell(self, file: str) -> bool:
        """Write the status of a file, or remove it; ``False`` if the old one is still held."""
        if file not in self._claims.files:
            return await self.statuses.remove(file)
        status = self._claims.status(file)
        if status.in_force:
            defined = await self.services.find(status.service)
            if defined is not None and defined.owner != self.name:
                other = f'{defined.pointer} is owned by "{defined.owner}"; left alone'
                status = status.evolve(in_force=False, message=other)
        before = await self.statuses.find(file)
        stored = await self.statuses.apply(file, status)
        if before is None or before.spec != status:
            _log(file, status, self._claims.fault(file))
        return not stored.tearing_down


def _log(file: str, status: ServiceFileStatus, fault: Fault | None) -> None:
    """Log one line for the file, with Talos's message, and one for each warning."""
    if fault is None:
        log.info("loaded extension service spec", extra={"file": file, "service": status.service})
    else:
        log.error(fault.value, extra={"file": file, "error": status.message})
    for problem in status.problems:
        if problem.severity is Severity.WARNING:
            log.warning("extension service spec", extra={"file": file, "problem": str(problem)})
