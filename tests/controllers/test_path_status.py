"""PathStatus: only what somebody waits for, and what the file system says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.path_status import PathStatusController, WantedPaths, waited_for
from cosi.testing import Harness
from resources.extension_service import Container, Dependency, ExtensionServiceSpec, Restart
from resources.path_status import PathStatus
from tests.controllers.host.fakes import FakePaths

THERE, NOT_THERE = PathStatus(present=True), PathStatus(present=False)


def service(*paths: str, name: str = "a", environment_file: str = "") -> ExtensionServiceSpec:
    return ExtensionServiceSpec(
        name=name,
        container=Container(entrypoint="./run", environment_file=environment_file),
        depends=tuple(Dependency(path=path) for path in paths),
        restart=Restart.ALWAYS,
    )


def test_a_service_waits_for_its_paths_and_its_environment_file() -> None:
    assert waited_for(service()) == frozenset()
    both = service("/dev/zfs", "/run/x", environment_file="/etc/env")
    assert waited_for(both) == {"/dev/zfs", "/run/x", "/etc/env"}


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.frozensets(st.sampled_from(["/1", "/2", "/3", "/4"]))


@given(st.lists(st.tuples(NAMES, PATHS)))
def test_wishes_are_exactly_those_of_the_services(steps: list[tuple[str, frozenset[str]]]) -> None:
    wanted_paths, model = WantedPaths(), dict[str, frozenset[str]]()
    for name, paths in steps:
        before = frozenset[str]().union(*model.values())
        model[name] = paths
        after = frozenset[str]().union(*model.values())
        assert wanted_paths.set(name, paths) == before ^ after
        assert wanted_paths.paths() == after
        assert wanted_paths.services() == {name for name, paths in model.items() if paths}


async def test_a_path_has_a_status_while_somebody_waits_for_it(cosi: Harness) -> None:
    paths = FakePaths("/there")
    cosi.start(PathStatusController(paths))
    assert await cosi.list(PathStatus) == {}
    await cosi.given("a", service("/there", "/missing"))
    assert await cosi.list(PathStatus) == {"/there": THERE, "/missing": NOT_THERE}
    await cosi.given("a", service("/missing"))
    assert await cosi.list(PathStatus) == {"/missing": NOT_THERE}
    assert await cosi.gone(ExtensionServiceSpec, "a")
    assert await cosi.list(PathStatus) == {}
    assert paths.asked == set()


async def test_services_that_were_there_before_count_too(cosi: Harness) -> None:
    await cosi.given("a", service("/x"))
    cosi.start(PathStatusController(FakePaths()))
    assert await cosi.list(PathStatus) == {"/x": NOT_THERE}


async def test_a_path_that_two_wait_for_goes_with_the_second(cosi: Harness) -> None:
    cosi.start(PathStatusController(FakePaths()))
    await cosi.given("a", service("/x"))
    await cosi.given("b", service(name="b", environment_file="/x"))
    await cosi.gone(ExtensionServiceSpec, "a")
    assert await cosi.list(PathStatus) == {"/x": NOT_THERE}
    await cosi.gone(ExtensionServiceSpec, "b")
    assert await cosi.list(PathStatus) == {}


async def test_the_status_follows_the_path(cosi: Harness) -> None:
    paths = FakePaths()
    cosi.start(PathStatusController(paths))
    await cosi.given("a", service("/x"))
    paths.create("/x")
    assert await cosi.get(PathStatus, "/x") == THERE
    paths.delete("/x")
    assert await cosi.get(PathStatus, "/x") == NOT_THERE


async def test_a_path_that_cannot_be_looked_at_says_why_until_it_can(cosi: Harness) -> None:
    """differences: Talos 4: in Talos such an error ends the wait, and is reported late."""
    paths = FakePaths()
    paths.errors["/a/b"] = "stat /a/b: not a directory"
    cosi.start(PathStatusController(paths))
    await cosi.given("a", service("/a/b"))
    assert await cosi.get(PathStatus, "/a/b") == PathStatus(error="stat /a/b: not a directory")
    del paths.errors["/a/b"]
    paths.create("/a/b")
    assert await cosi.get(PathStatus, "/a/b") == THERE


async def test_one_path_that_changes_is_one_write(cosi: Harness) -> None:
    paths = FakePaths()
    cosi.start(PathStatusController(paths))
    for number in range(20):
        await cosi.given(f"s{number}", service(f"/{number}", name=f"s{number}"))
    paths.create("/7")
    await cosi.settled()
    versions = {r.id: r.version for r in await cosi.state.list(PathStatus)}
    assert versions == {f"/{number}": 2 if number == 7 else 1 for number in range(20)}


async def test_a_status_that_is_given_is_left_alone_until_it_goes(cosi: Harness) -> None:
    await cosi.given("/x", THERE)
    paths = FakePaths()
    cosi.start(PathStatusController(paths))
    await cosi.given("a", service("/x"))
    paths.create("/x")
    paths.delete("/x")
    assert await cosi.get(PathStatus, "/x") == THERE
    await cosi.gone(PathStatus, "/x")
    assert await cosi.get(PathStatus, "/x") == NOT_THERE
    assert (await cosi.resource(PathStatus, "/x")).owner == "PathStatusController"


async def test_what_is_given_stays_when_nobody_waits_for_it_any_more(cosi: Harness) -> None:
    await cosi.given("/x", THERE)
    cosi.start(PathStatusController(FakePaths()))
    await cosi.given("a", service("/x"))
    await cosi.gone(ExtensionServiceSpec, "a")
    assert await cosi.list(PathStatus) == {"/x": THERE}


async def test_what_an_earlier_life_has_left_behind_goes(cosi: Harness) -> None:
    await cosi.given("/old", THERE, owner="PathStatusController")
    await cosi.given("/wanted", THERE, owner="PathStatusController")
    await cosi.given("a", service("/wanted"))
    cosi.start(PathStatusController(FakePaths()))
    assert await cosi.list(PathStatus) == {"/wanted": NOT_THERE}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_without_a_reader_every_path_says_so(cosi: Harness, when: str) -> None:
    paths = FakePaths()
    paths.failure = "no inotify here"
    if when == "before":
        await cosi.given("a", service("/x"))
    cosi.start(PathStatusController(paths))
    await cosi.settled()
    await cosi.given("a", service("/x"))
    text = "paths cannot be watched: no inotify here"
    assert await cosi.get(PathStatus, "/x") == PathStatus(error=text)
