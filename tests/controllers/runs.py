"""Runs services under a driver, as the runner does, and looks at what is left of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import CancelScope

from controllers.drivers.choose import choose_driver
from controllers.drivers.driver import (
    Task,
)
from controllers.drivers.local_driver import LocalDriver
from controllers.lifecycle.stages import (
    Exited,
)
from controllers.oci.cgroups import Cgroups
from controllers.oci.overlay import mounted_overlays
from controllers.paths import Paths
from controllers.processes.processes import all_processes
from resources.container_spec import ContainerSpec
from resources.extension_service import service_id


def zombies() -> set[int]:
    """Our children that have ended, and that nobody has waited for."""
    return {stat.pid for stat in all_processes() if stat.dead and stat.parent == os.getpid()}


class Runs:
    """The services of one tree."""

    def __init__(self, paths: Paths, rootfs: Callable[[str], Path]) -> None:
        self.paths = paths
        self._rootfs = rootfs
        self._begin: dict[str, int] = {}
        self.console: list[tuple[str, str]] = []

    def driver(self, name: str) -> LocalDriver:
        return choose_driver(name, self.paths, console=self._show)

    def shell(self, script: str, name: str = "a", **fields: Any) -> ContainerSpec:
        """A service that runs a shell script; its root filesystem is made if need be."""
        if not self.paths.rootfs(name).exists():
            self._rootfs(name)
        known: dict[str, Any] = {"name": name, "entrypoint": "/bin/sh", "args": ("-c", script)}
        return ContainerSpec.model_validate(known | fields)

    @asynccontextmanager
    async def running(self, driver: LocalDriver, container: ContainerSpec) -> AsyncIterator[Task]:
        id = service_id(container.name)
        self._begin[id] = driver.logs.register(id).end
        preparation = await driver.prepare(id, container)
        try:
            await driver.create_runner(preparation)
            task = await driver.create_and_start(preparation)
            try:
                yield task
            finally:
                with CancelScope(shield=True):
                    await task.clean_up()
        finally:
            with CancelScope(shield=True):
                await driver.release(preparation)

    async def run(self, driver: LocalDriver, container: ContainerSpec) -> Exited:
        async with self.running(driver, container) as task:
            return await task.wait()

    async def output(self, driver: LocalDriver, container: ContainerSpec) -> str:
        """What the service writes until it ends by itself."""
        await self.run(driver, container)
        return self._written(driver, service_id(container.name)).decode()

    async def says(self, driver: LocalDriver, line: str, name: str = "a") -> None:
        """Wait until the service has written a line in its present run."""
        id = service_id(name)
        with driver.logs.get(id).reader(lines=0, follow=True) as reader:
            while line.encode() + b"\n" not in self._written(driver, id):
                await anext(reader)

    def _written(self, driver: LocalDriver, id: str) -> bytes:
        log = driver.logs.get(id)
        return log.tail(self._begin.get(id, 0), log.end)

    def log(self, name: str = "a") -> str:
        return self.paths.log(service_id(name)).read_text()

    def left_behind(self) -> list[str]:
        """Everything that should be gone when all services are stopped."""
        root = str(self.paths.root)
        mounts = [f"mount {path}" for path in mounted_overlays() if str(path).startswith(root)]
        runs = [str(path) for path in self.paths.run.rglob("*")] if self.paths.run.exists() else []
        return mounts + runs + self.cgroups("*") + [f"process {pid}" for pid in self.processes()]

    def cgroups(self, name: str) -> list[str]:
        """The cgroups of services of this tree."""
        trees = Cgroups().directories(self.paths.tree)
        return [str(path) for tree in trees for path in tree.glob(f"system/extensions/{name}/")]

    def processes(self) -> list[int]:
        """Who has something of this tree open or as its root, zombies of ours included."""
        return [stat.pid for stat in all_processes() if self._is_ours(stat.pid)]

    def _is_ours(self, pid: int) -> bool:
        root = str(self.paths.root)
        try:
            links = [Path(f"/proc/{pid}/{name}").readlink() for name in ("cwd", "fd/1", "fd/2")]
        except OSError:
            return False
        return any(str(link).startswith(root) for link in links)

    def _show(self, id: str, line: str) -> None:
        self.console.append((id, line))
