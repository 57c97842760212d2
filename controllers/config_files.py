"""ExtensionServiceConfig → (files), ExtensionServiceConfigStatus.

The files of each service's config are on disk before the status is published, and are removed with
the config. Nothing else stays in their directory: neither files of a previous run, nor those of
other programs. The files of one service do not depend on those of another: a config that cannot be
written is retried by itself.

Rules: Talos 1.14, ``runtime.ExtensionServiceConfigFilesController``.
"""

from __future__ import annotations

import logging

import anyio
import anyio.to_thread
from typing_extensions import override

from controllers.files.config_directory import (
    ConfigDirectory,
    is_directory_name,
)
from controllers.paths import Paths
from cosi import Output, QController, Resource, Skip, StrongInput, format_version
from resources.extension_service_config import ExtensionServiceConfig
from resources.extension_service_config_status import ExtensionServiceConfigStatus

log = logging.getLogger(__name__)


class ConfigFilesController(QController[ExtensionServiceConfig]):
    """Writes the config files of each service, and removes them with their config."""

    primary = StrongInput(ExtensionServiceConfig)
    statuses = Output(ExtensionServiceConfigStatus)

    def __init__(self, paths: Paths) -> None:
        self._directory = ConfigDirectory(paths.config_files, paths.beneath)
        self._services: set[str] | None = None  # services with directories that a sweep must keep
        self._stuck: frozenset[str] = frozenset()
        self._writing = anyio.Lock()

    async def background(self) -> None:
        """Sweep once, even if no service has a config: a previous run may have left files."""
        await self._sweep()

    @override
    async def reconcile(self, config: Resource[ExtensionServiceConfig], /) -> None:
        if not is_directory_name(config.id):
            log.error("config has an invalid name", extra={"resource": str(config.pointer)})
            raise Skip(f'config of "{config.id}" is not written: its name leaves the directory')
        async with self._writing:
            if self._services is not None:
                self._services.add(config.id)
            await anyio.to_thread.run_sync(self._directory.write, config.id, config.spec)
        await self._sweep()
        version = format_version(config.version)
        await self.statuses.apply(config.id, ExtensionServiceConfigStatus(spec_version=version))

    @override
    async def finalize(self, config: Resource[ExtensionServiceConfig], /) -> None:
        await self.statuses.remove(config.id)
        if not is_directory_name(config.id):
            return
        async with self._writing:
            if self._services is not None:
                self._services.discard(config.id)
            await anyio.to_thread.run_sync(self._directory.remove, config.id)

    async def _sweep(self) -> None:
        """Remove the files that belong to no config.

        The configs are listed once and then tracked, so a pass costs the same for ten services and
        for ten thousand. A file that cannot be removed is logged once, and delays nothing else.
        """
        async with self._writing:
            if self._services is None:
                self._services = {config.id for config in await self.primary.list()}
            stuck = await anyio.to_thread.run_sync(self._directory.sweep, set(self._services))
            for name in stuck.keys() - self._stuck:
                log.warning("left in the directory of config files: %s", stuck[name])
            self._stuck = frozenset(stuck)
