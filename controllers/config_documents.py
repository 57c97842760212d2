"""(config documents), ExtensionServiceSpec → ExtensionServiceConfig, ProbeSpec, Environment, ConfigSourceStatus.

Reads the files that the user has named, each with one or more documents, and again when they
change. A file counts as a whole: if it becomes invalid, its last valid content stays in force; if
it is removed, its content is void. If a later file configures the same again, it is refused, and
the first one stays in force.

Rules: Talos 1.14, ``runtime.ExtensionServiceConfigController``; there, the documents are parts of
the one machine configuration, which the API refuses as a whole.
"""  # noqa: E501  # the signature is one line

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from typing_extensions import override

from controllers.definitions.bounded_read import failure, read_bounded
from controllers.definitions.crosscheck import without_service
from controllers.definitions.decoder import in_order
from controllers.definitions.machine_config import Variables, merged
from controllers.definitions.service import unreadable
from controllers.definitions.service_config import ConfigReading, read_service_configs
from controllers.definitions.shares import FileShare, shares
from controllers.host.file_watcher import FileWatcher, HostFiles
from controllers.host.reader import keep_following
from cosi import Controller, Input, Output, Reason, Wakeups
from resources.config_source_status import ConfigSourceStatus
from resources.environment import ENVIRONMENT_ID, Environment
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ExtensionServiceConfig
from resources.probe_spec import ProbeSpec
from resources.problem import (
    Severity,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Source:
    """One file: its current reading, and its last valid one."""

    now: ConfigReading
    good: ConfigReading


class ConfigDocumentsController(Controller):
    """Reads the configuration of services from files."""

    services = Input(ExtensionServiceSpec)
    configs = Output(ExtensionServiceConfig, defer=True)
    probes = Output(ProbeSpec, defer=True)
    environments = Output(Environment, defer=True)
    statuses = Output(ConfigSourceStatus)

    def __init__(self, files: Iterable[str | Path], watcher: FileWatcher | None = None) -> None:
        """The order of ``files`` decides between duplicates; the default watcher is real."""
        self._paths = {str(file): Path(file).absolute() for file in files}
        self._watcher = watcher or HostFiles()
        self._sources: dict[str, _Source] = {}
        self._logged: dict[str, ConfigSourceStatus] = {}
        self._touched: set[Path] = set()

    @override
    async def run(self, wakeups: Wakeups, /) -> None:
        self._watcher.aim(self._paths.values())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                keep_following, "configuration", self._watcher, self._changed, self._unwatched
            )
            await super().run(wakeups)

    @override
    def reload(self) -> None:
        """Read every file again."""
        self._changed(set(self._paths.values()))

    def _changed(self, paths: Set[Path]) -> None:
        self._touched |= paths
        self.wake()

    def _unwatched(self, reason: str) -> None:
        """Without a watch, read the files at each retry of the watch."""
        self._changed(set(self._paths.values()))

    @override
    async def reconcile(self) -> None:
        if any(cause.reason in {Reason.STARTED, Reason.RESTARTED} for cause in self.woken_by):
            self._touched.update(self._paths.values())
        touched, self._touched = self._touched, set()
        for name, path in self._paths.items():
            if path in touched:
                await self._read(name, path)
        counted = shares({name: source.good for name, source in self._sources.items()})
        await self._write(counted)
        async with self.statuses.track() as statuses:
            defined = await self._defined()
            for name, source in self._sources.items():
                status = _status(source, counted[name])
                self._log(name, status)
                strangers = without_service(source.good, defined)
                problems = in_order([*status.problems, *strangers])
                await statuses.apply(name, status.evolve(problems=problems))
        await self._write_environment(counted)

    async def _defined(self) -> frozenset[str]:
        """The names of all services; empty, without a read, if no file configures one."""
        if not any(source.good.configs for source in self._sources.values()):
            return frozenset()
        return frozenset(service.id for service in await self.services.list())

    async def _write(self, counted: Mapping[str, FileShare]) -> None:
        async with self.configs.track() as configs, self.probes.track() as probes:
            for share in counted.values():
                for service, config in share.configs.items():
                    await configs.apply(service, config)
                for id, probe in share.probes.items():
                    await probes.apply(id, probe)

    async def _write_environment(self, counted: Mapping[str, FileShare]) -> None:
        """Write it last of all: a controller that waits for the environment finds the rest, too."""
        layers: dict[str, Variables] = {}
        for share in counted.values():
            layers.update(share.environment)
        async with self.environments.track() as environments:
            environment = Environment(variables=merged(layers))
            await environments.apply(ENVIRONMENT_ID, environment)

    async def _read(self, name: str, path: Path) -> None:
        now = await anyio.to_thread.run_sync(_reading, path)
        before = self._sources.get(name)
        self._sources[name] = _Source(now, before.good if before and now.message else now)

    def _log(self, name: str, status: ConfigSourceStatus) -> None:
        """Log a changed status, without warnings of missing services, which may be read later."""
        if self._logged.get(name) == status:
            return
        self._logged[name] = status
        if not status.present:
            log.info("no configuration", extra={"file": name})
        elif status.accepted:
            counts = {"documents": status.documents, "variables": status.variables}
            log.info("loaded configuration", extra={"file": name, **counts})
        for problem in status.problems:
            level = logging.ERROR if problem.severity is Severity.ERROR else logging.WARNING
            log.log(level, "configuration", extra={"file": name, "problem": str(problem)})


def _reading(path: Path) -> ConfigReading:
    try:
        return read_service_configs(read_bounded(path))
    except FileNotFoundError:
        return ConfigReading(present=False)
    except OSError as error:
        return ConfigReading(problems=unreadable(failure(path, error)).problems)


def _status(source: _Source, share: FileShare) -> ConfigSourceStatus:
    rejected = share.without(source.good)
    if source.now.message:
        rejected |= source.now.names | source.good.configs.keys()
    return ConfigSourceStatus(
        present=source.now.present,
        accepted=not source.now.message and not share.refused,
        documents=len(share.configs),
        message=source.now.message or next((problem.text for problem in share.refused), ""),
        problems=(*share.refused, *source.now.problems),
        services=tuple(sorted(share.configs)),
        rejected=tuple(sorted(rejected)),
        variables=sum(len(variables.values) for variables in share.environment.values()),
    )
