"""ExtensionServiceSpec, ExtensionServiceConfig → ContainerSpec."""

from __future__ import annotations

import hashlib

from typing_extensions import override

from cosi import Mapped, Output, QController, Resource, StrongInput
from cosi.metadata import format_version
from resources.container_spec import ConfigFile, ContainerSpec
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ExtensionServiceConfig


class ContainerController(QController[ExtensionServiceSpec]):
    """Renders what a service asks for, and what its config adds, into one container."""

    primary = StrongInput(ExtensionServiceSpec)
    configs = Mapped(ExtensionServiceConfig)
    containers = Output(ContainerSpec)

    @override
    async def reconcile(self, service: Resource[ExtensionServiceSpec]) -> None:
        config = await self.configs.find(service.id)
        if config is not None and config.tearing_down:
            config = None
        await self.containers.apply(service.spec.service_id, render_container(service.spec, config))

    @override
    async def finalize(self, service: Resource[ExtensionServiceSpec]) -> None:
        # The runner holds it until nothing of the container is left; so does this the service.
        await self.containers.remove(service.spec.service_id)


def render_container(
    service: ExtensionServiceSpec, config: Resource[ExtensionServiceConfig] | None = None
) -> ContainerSpec:
    """The container of a service; a config is applied whenever it is there (Talos 1.14)."""
    asked = service.container
    added = config.spec if config else ExtensionServiceConfig()
    return ContainerSpec(
        name=service.name,
        entrypoint=asked.entrypoint,
        args=asked.args,
        environment=(*asked.environment, *added.environment),
        environment_file=asked.environment_file,
        mounts=asked.mounts,
        config_files=_config_files(added),
        config_version=format_version(config.version) if config else "",
        security=asked.security,
        restart=service.restart,
        log_to_console=service.log_to_console,
    )


def _config_files(config: ExtensionServiceConfig) -> tuple[ConfigFile, ...]:
    # Of two files for one mount path the last one counts.
    by_path = {file.mount_path: file for file in config.files}
    return tuple(
        ConfigFile(
            mount_path=path,
            file_name=config.file_names[path],
            sha256=hashlib.sha256(file.content.encode()).hexdigest(),
        )
        for path, file in by_path.items()
    )
