"""The extension services as an application: all controllers of the flow, and the final report.

``extension_services`` is for programs that embed them; ``cosi run`` loads ``application``, whose
parameters are options there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from controllers.commands.service_text import service_block, service_table, shown
from controllers.config_documents import ConfigDocumentsController
from controllers.config_files import ConfigFilesController
from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.choose import RuntimeUnavailable, choose_driver
from controllers.drivers.driver import Driver
from controllers.drivers.local_driver import LocalDriver
from controllers.machine_api.rejections import (
    services_and_rejections,
)
from controllers.network_status import NetworkStatusController
from controllers.path_status import PathStatusController
from controllers.paths import Paths
from controllers.probes import ProbeController
from controllers.processes.instance_lock import LockError, instance_lock
from controllers.requests import RequestsController, restore_requests
from controllers.runner import OnExit, RunnerController
from controllers.service_files import ServiceFilesController
from controllers.supervision.checkpoints import CheckpointFiles
from controllers.time_status import TimePolicy, TimeStatusController
from cosi import Runtime, State
from cosi.cli.application import Application, CannotStart
from resources.service_state import ServiceState

if TYPE_CHECKING:
    from cosi.api.rpc import Service

NODE = "localhost"


def extension_services(
    paths: Paths,
    driver: Driver,
    *,
    config: Sequence[Path] | None = None,
    on_exit: OnExit = OnExit.STOP,
    time: TimePolicy | None = None,
) -> list[Any]:
    """All controllers of the flow, from the files of ``paths`` to containers run by ``driver``.

    ``config`` are the files of machine configuration, by default the one of ``paths``. With a state
    that ends with the program, await :func:`~controllers.requests.restore_requests` before they
    run: then services that a user has stopped stay stopped, and show it.
    """
    return [
        ServiceFilesController(paths),
        ConfigDocumentsController([paths.config] if config is None else config),
        ConfigFilesController(paths),
        NetworkStatusController(),
        TimeStatusController(time or TimePolicy()),
        PathStatusController(),
        ProbeController(),
        DependencyController(requires=driver.requires),
        ContainerController(awaits_environment=True),
        RequestsController(paths),
        RunnerController(
            driver, on_exit=on_exit, checkpoints=CheckpointFiles(paths.services, paths.beneath)
        ),
    ]


def application(
    *,
    root: Annotated[Path, "Root of definitions, filesystems, logs and run files."] = Path("/"),
    config: Annotated[
        tuple[Path, ...],
        "Machine configuration documents; may be repeated. [default: ROOT/etc/cosi/config.yaml]",
    ] = (),
    runtime: Annotated[
        Literal["auto", "runc", "crun", "process"], "The container runtime."
    ] = "auto",
    on_exit: Annotated[Literal["stop", "leave"], "What to do with containers at the end."] = "stop",
    time_sync: Annotated[
        Literal["auto", "disabled"], "Check whether the clock is set, or assume it."
    ] = "auto",
    once: bool = False,
) -> Application:
    """The extension services of a machine.

    Raises :class:`~cosi.cli.application.CannotStart` if the runtime does not work here, or if the
    run directory is locked or cannot be made: then no service could ever run, and files of another
    supervisor might be damaged.
    """
    if not root.is_dir():
        raise CannotStart(f"--root {root}: there is no such directory")
    paths = Paths(root)
    try:
        driver = choose_driver(runtime, paths, console=_console)
    except RuntimeUnavailable as error:
        raise CannotStart(f"--runtime {runtime}: {error}") from error
    try:
        with instance_lock(paths.run, paths.beneath):
            pass  # the driver takes it when it is opened
    except LockError as error:
        raise CannotStart(f"--root {root}: {error}") from error
    driver.debug = once  # a single run is for looking at: show all output
    controllers = extension_services(
        paths,
        driver,
        config=config or None,
        on_exit=OnExit(on_exit),
        time=TimePolicy(disabled=time_sync == "disabled"),
    )
    return Application(
        controllers,
        report=_report,
        prepare=partial(restore_requests, paths=paths),
        services=partial(_services, driver),
        finish=partial(_finish, controllers),
        status=_status,
        leave=partial(_leave, controllers),
    )


def _leave(controllers: Sequence[Any]) -> None:
    """The next run takes over what the runners have started, whatever `--on-exit` says."""
    for each in controllers:
        if isinstance(each, RunnerController):
            each.on_exit = OnExit.LEAVE


async def _finish(controllers: Sequence[Any]) -> list[str]:
    """Finish the runners; return a line for each service that could not be stopped."""
    found = [await each.finish() for each in controllers if isinstance(each, RunnerController)]
    return [f"{id or 'services'}: {why}" for left in found for id, why in left.items()]


def _services(driver: LocalDriver, runtime: Runtime) -> Iterable[Service]:
    """The machine API; called, and imported, only if gRPC is served."""
    from controllers.machine_api.api import MachineService

    return [MachineService(runtime.state, driver.logs)]


def _console(id: str, line: str) -> None:
    """Print a line of a service's output to stdout, unchanged by the log's format."""
    print(f"{id}: {line}", flush=True)  # noqa: T201  # this is the console


async def _status(state: State) -> list[str]:
    """A line for each service."""
    lines: list[str] = []
    for service in await state.list(ServiceState):
        spec = service.spec
        main = "" if spec.pid is None else f" (PID {spec.pid})"
        restarts = f", restarted {spec.restarts} times" if spec.restarts else ""
        lines.append(f"service[{service.id}]({spec.phase}){main}{restarts}: {spec.message}")
    return lines


async def _report(state: State) -> str:
    """The table of services, then a block with the events of each."""
    services = [shown(*service) for service in await services_and_rejections(state)]
    now = datetime.now(UTC)
    blocks = [service_block(NODE, service, now) for service in services]
    return "\n\n".join((service_table([(NODE, service) for service in services], now), *blocks))
