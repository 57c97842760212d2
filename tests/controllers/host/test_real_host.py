"""The controllers with the real kernel behind them."""

from pathlib import Path

from controllers.host.paths import HostPaths
from controllers.network_status import NetworkStatusController
from controllers.path_status import PathStatusController
from controllers.time_status import TimeStatusController
from cosi.testing import Harness
from resources.extension_service import Container, Dependency, ExtensionServiceSpec, Restart
from resources.network_status import NetworkStatus
from resources.path_status import PathStatus
from resources.time_status import TimeStatus

THERE, NOT_THERE = PathStatus(present=True), PathStatus(present=False)


def service(*paths: str) -> ExtensionServiceSpec:
    return ExtensionServiceSpec(
        name="a",
        container=Container(entrypoint="./run"),
        depends=tuple(Dependency(path=path) for path in paths),
        restart=Restart.ALWAYS,
    )


async def test_whoever_asks_for_a_path_is_not_settled_before_there_is_an_answer(
    cosi: Harness, tmp_path: Path
) -> None:
    (tmp_path / "there").touch()
    cosi.start(PathStatusController(HostPaths(tmp_path)))
    await cosi.given("a", service("/there", "/missing"))
    assert await cosi.list(PathStatus) == {"/there": THERE, "/missing": NOT_THERE}


async def test_a_path_is_below_the_root_directory(cosi: Harness, tmp_path: Path) -> None:
    cosi.start(PathStatusController(HostPaths(tmp_path)))
    await cosi.given("a", service("/var/lib/x"))
    async with cosi.state.watch(PathStatus, "/var/lib/x") as events:
        await events.batch()
        (tmp_path / "var/lib").mkdir(parents=True)
        (tmp_path / "var/lib/x").touch()
        (event,) = await events.batch()
        assert event.resource.spec == THERE


async def test_a_machine_is_not_settled_before_somebody_has_looked_at_it(cosi: Harness) -> None:
    cosi.start(NetworkStatusController(), TimeStatusController())
    network = await cosi.resource(NetworkStatus, "status")
    assert (network.version, dict(network.metadata.annotations)) == (1, {})
    assert network.spec.hostname_ready
    assert not (await cosi.get(TimeStatus, "node")).sync_disabled
