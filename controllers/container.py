"""ExtensionServiceSpec, ExtensionServiceConfig, Environment → ContainerSpec."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from typing_extensions import override

from cosi import EVERY, Mapped, Output, QController, Resource, StrongInput, format_version
from resources.container_spec import ContainerSpec, MountedConfigFile
from resources.environment import ENVIRONMENT_ID, Environment
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ExtensionServiceConfig


class ContainerController(QController[ExtensionServiceSpec]):
    """Renders a service, its config and the machine's environment into one container.

    With ``awaits_environment`` no container is rendered before an :class:`Environment` exists: if a
    controller writes one, a service must not start without it, only to be restarted at once.
    """

    primary = StrongInput(ExtensionServiceSpec)
    configs = Mapped(ExtensionServiceConfig, live_only=True)
    environment = Mapped(Environment, to=EVERY, id=ENVIRONMENT_ID, live_only=True)
    containers = Output(ContainerSpec)

    def __init__(self, *, awaits_environment: bool = False) -> None:
        self.awaits_environment = awaits_environment

    @override
    async def reconcile(self, service: Resource[ExtensionServiceSpec]) -> None:
        machine = await self.environment.find()
        if machine is None and self.awaits_environment:
            return
        config = await self.configs.find(service.id)
        container = render_container(service.spec, config, machine.spec if machine else None)
        await self.containers.apply(service.spec.service_id, container)

    @override
    async def finalize(self, service: Resource[ExtensionServiceSpec]) -> None:
        # The runner holds the ContainerSpec until the container is removed, and this the service.
        await self.containers.remove(service.spec.service_id)


def render_container(
    service: ExtensionServiceSpec,
    config: Resource[ExtensionServiceConfig] | None = None,
    machine: Environment | None = None,
) -> ContainerSpec:
    """The container of a service; a config is applied whenever it exists (Talos 1.14)."""
    asked = service.container
    added = config.spec if config else ExtensionServiceConfig()
    environment = (*asked.environment, *added.environment)
    return ContainerSpec(
        name=service.name,
        entrypoint=asked.entrypoint,
        args=asked.args,
        environment=environment,
        machine_environment=_left_of(machine.variables if machine else (), environment),
        environment_file=asked.environment_file,
        mounts=asked.mounts,
        config_files=_config_files(added),
        config_version=format_version(config.version) if config else "",
        security=asked.security,
        restart=service.restart,
        log_to_console=service.log_to_console,
        needs_config=any(dependency.configuration for dependency in service.depends),
        depends_digest=service.depends_digest,
    )


def _left_of(base: Iterable[str], environment: Iterable[str]) -> tuple[str, ...]:
    """The items of ``base`` that ``environment`` neither sets nor removes."""
    own = {item.partition("=")[0] for item in environment}
    return tuple(item for item in base if item.partition("=")[0] not in own)


def _config_files(config: ExtensionServiceConfig) -> tuple[MountedConfigFile, ...]:
    # The last file for a mount path counts.
    by_path = {file.mount_path: file for file in config.files}
    return tuple(
        MountedConfigFile(
            mount_path=path,
            file_name=config.file_names[path],
            sha256=hashlib.sha256(file.content.encode()).hexdigest(),
        )
        for path, file in by_path.items()
    )
