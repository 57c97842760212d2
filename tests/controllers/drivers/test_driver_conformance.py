"""What every driver promises (`controllers/drivers/driver.py`), for each that works here."""

import os
import signal
from collections.abc import AsyncIterator

import pytest

from controllers.drivers.driver import DriverError, PreparationError, RunnerError, StartError
from controllers.drivers.local_driver import LocalDriver
from controllers.files.openat2 import (
    LINK_REFUSED,
)
from controllers.oci.overlay import mounted_overlays
from controllers.processes.processes import read_stat
from resources.container_spec import ContainerSpec
from tests.controllers.runs import Runs, zombies


@pytest.fixture
async def driver(runs: Runs, runtime: str) -> AsyncIterator[LocalDriver]:
    """Open; when it is closed, nothing is left of anything."""
    before = zombies()
    driver = runs.driver(runtime)
    async with driver.open():
        yield driver
    assert runs.left_behind() == []
    assert zombies() <= before


async def test_a_run_that_ends_says_how(driver: LocalDriver, runs: Runs) -> None:
    exit = await runs.run(driver, runs.shell("echo out; echo err >&2; exit 3"))
    assert exit.code == 3
    assert exit.last_log == "out\nerr"


async def test_a_run_that_is_well_ends_with_zero(driver: LocalDriver, runs: Runs) -> None:
    assert (await runs.run(driver, runs.shell("true"))).code == 0


async def test_death_by_signal_is_128_and_the_signal(driver: LocalDriver, runs: Runs) -> None:
    async with runs.running(driver, runs.shell("echo up; sleep 1000")) as task:
        await runs.says(driver, "up")
        os.kill(task.pid, signal.SIGKILL)
        assert (await task.wait()).code == 137


async def test_an_exit_is_told_again(driver: LocalDriver, runs: Runs) -> None:
    async with runs.running(driver, runs.shell("echo once; exit 7")) as task:
        assert await task.wait() == await task.wait()


async def test_the_pid_is_the_main_process(driver: LocalDriver, runs: Runs) -> None:
    async with runs.running(driver, runs.shell("echo up; read x < /bin; sleep 1000")) as task:
        await runs.says(driver, "up")
        assert (read_stat(task.pid) or pytest.fail("no such process")).parent == os.getpid()


async def test_a_signal_reaches_all_processes(driver: LocalDriver, runs: Runs) -> None:
    script = """
        trap 'echo parent; wait; exit 0' TERM
        sh -c 'trap "echo child; exit 0" TERM; echo up; while :; do sleep 0.01; done' &
        wait
    """
    async with runs.running(driver, runs.shell(script)) as task:
        await runs.says(driver, "up")
        await task.signal(signal.SIGTERM)
        assert (await task.wait()).code == 0
    assert {"child", "parent", "up"} <= set(runs.log().split())


async def test_a_signal_reaches_the_main_process_before_its_children(
    driver: LocalDriver, runs: Runs
) -> None:
    """Else a shell sees the end of its command before its own signal, and ends without its trap."""
    script = "trap 'exit 7' TERM; sh -c 'echo up; exec sleep 1000'; exit 1"
    for _ in range(10):
        async with runs.running(driver, runs.shell(script)) as task:
            await runs.says(driver, "up")
            await task.signal(signal.SIGTERM)
            assert (await task.wait()).code == 7


async def test_a_signal_to_what_is_over_is_no_error(driver: LocalDriver, runs: Runs) -> None:
    async with runs.running(driver, runs.shell("true")) as task:
        await task.wait()
        await task.signal(signal.SIGTERM)
        await task.clean_up()
        await task.signal(signal.SIGTERM)


async def test_cleaning_up_kills_what_is_left(driver: LocalDriver, runs: Runs) -> None:
    script = "trap '' TERM; sh -c 'sleep 1000' & sleep 1000 & echo up; wait"
    async with runs.running(driver, runs.shell(script)) as task:
        await runs.says(driver, "up")
        await task.clean_up()
        await task.clean_up()
        assert read_stat(task.pid) is None
        assert runs.processes() == []


async def test_what_a_main_process_leaves_behind_goes_with_it(
    driver: LocalDriver, runs: Runs
) -> None:
    async with runs.running(driver, runs.shell("(sleep 1000 &); echo up")) as task:
        assert (await task.wait()).code == 0
    assert runs.processes() == []


async def test_a_service_can_be_run_again(driver: LocalDriver, runs: Runs) -> None:
    """As a restart by policy does: prepared once, run three times."""
    preparation = await driver.prepare("ext-a", runs.shell("echo run"))
    await driver.create_runner(preparation)
    for _ in range(3):
        task = await driver.create_and_start(preparation)
        assert (await task.wait()).last_log == "run"
        await task.clean_up()
    await driver.release(preparation)
    await driver.release(preparation)
    assert runs.log() == "run\nrun\nrun\n"


async def test_arguments_are_passed_verbatim(driver: LocalDriver, runs: Runs) -> None:
    container = runs.shell('printf "[%s]" "$@"')
    container = container.evolve(args=(*container.args, "sh", "a b", "", "$HOME", "*"))
    assert await runs.output(driver, container) == "[a b][][$HOME][*]"


async def test_a_program_is_told_its_name_as_it_was_given(driver: LocalDriver, runs: Runs) -> None:
    container = runs.shell('echo "$0"').evolve(entrypoint="./bin/sh")
    assert await runs.output(driver, container) == "./bin/sh\n"


async def test_the_working_directory_is_the_root_filesystem(
    driver: LocalDriver, runs: Runs
) -> None:
    runs.shell("")
    rootfs = runs.paths.rootfs("a")
    (rootfs / "hello").write_text('#!/bin/sh\necho "$0 $1"; cat "$2"\n')
    (rootfs / "hello").chmod(0o755)
    (rootfs / "config.ini").write_text("[hello]\n")
    container = ContainerSpec(
        name="a", entrypoint="./hello", args=("--config", "config.ini"), environment=("PATH=/bin",)
    )
    said = await runs.output(driver, container)
    if driver.name == "crun":
        # It executes `//./hello`: a script is named by what was executed, whatever its name is.
        said = said.lstrip("/")
    assert said == "./hello --config\n[hello]\n"


async def test_the_environment_is_what_was_asked_for(driver: LocalDriver, runs: Runs) -> None:
    file = runs.paths.root / "variables"
    container = runs.shell('echo "$A $B $C"; test -z "${COSI_TEST+set}" && echo clean')
    file.write_text("A=file\nB='from file'\n")
    container = container.evolve(environment=("A=given", "C=1", "C=2"), environment_file=str(file))
    os.environ["COSI_TEST"] = "the supervisor's own"
    try:
        assert await runs.output(driver, container) == "given from file 2\nclean\n"
    finally:
        del os.environ["COSI_TEST"]


async def test_nothing_can_be_read_from_standard_input(driver: LocalDriver, runs: Runs) -> None:
    assert await runs.output(driver, runs.shell("cat; echo end")) == "end\n"


async def test_binary_output_is_kept_as_it_is(driver: LocalDriver, runs: Runs) -> None:
    await runs.run(driver, runs.shell(r"printf '\377\000\033[31m'"))
    assert runs.paths.log("ext-a").read_bytes() == b"\xff\x00\x1b[31m"


async def test_much_output_is_kept_without_loss(driver: LocalDriver, runs: Runs) -> None:
    await runs.run(driver, runs.shell("seq 1 200000"))
    assert runs.log() == "".join(f"{number}\n" for number in range(1, 200001))


async def test_the_console_gets_whole_lines_of_who_asks_for_it(
    driver: LocalDriver, runs: Runs
) -> None:
    await runs.run(driver, runs.shell("echo quiet"))
    await runs.run(driver, runs.shell("echo one; printf tw; echo o", log_to_console=True))
    assert runs.console == [("ext-a", "one"), ("ext-a", "two")]


async def test_a_missing_root_filesystem_is_named(driver: LocalDriver, runs: Runs) -> None:
    with pytest.raises(PreparationError) as caught:
        await driver.prepare("ext-b", ContainerSpec(name="b", entrypoint="./b"))
    where = runs.paths.rootfs("b")
    assert str(caught.value) == f"openfs failed: {where}: no such file or directory"


async def test_a_missing_entrypoint_is_named_with_where_it_was_looked_for(
    driver: LocalDriver, runs: Runs
) -> None:
    preparation = await driver.prepare("ext-a", runs.shell("").evolve(entrypoint="./hello"))
    with pytest.raises(RunnerError) as caught:
        await driver.create_runner(preparation)
    await driver.release(preparation)
    where = runs.paths.rootfs("a") / "hello"
    assert str(caught.value) == f'entrypoint "./hello" not found: no {where}'


async def test_a_program_that_cannot_be_started_leaves_nothing(
    driver: LocalDriver, runs: Runs
) -> None:
    preparation = await driver.prepare("ext-a", runs.shell("").evolve(entrypoint="no-such-program"))
    await driver.create_runner(preparation)
    for _ in range(2):
        with pytest.raises(StartError, match=r'^failed to create task: "ext-a": .*no-such-program'):
            await driver.create_and_start(preparation)
    await driver.release(preparation)
    assert list(runs.paths.containers.iterdir()) == []
    assert not runs.paths.log("ext-a").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"A=1\nB", "error on line 2: missing ="),
        (None, "open {path}: no such file or directory"),
    ],
)
async def test_a_wrong_environment_file_is_named(
    driver: LocalDriver, runs: Runs, content: bytes | None, text: str
) -> None:
    path = runs.paths.root / "variables"
    if content is not None:
        path.write_bytes(content)
    preparation = await driver.prepare("ext-a", runs.shell("", environment_file=str(path)))
    with pytest.raises(RunnerError) as caught:
        await driver.create_runner(preparation)
    await driver.release(preparation)
    said = text.format(path=path)
    assert str(caught.value) == f'failed to parse environment file "{path}": {said}'


async def test_a_linked_directory_of_filesystems_is_not_mounted_over(
    driver: LocalDriver, runs: Runs, runtime: str
) -> None:
    """A link planted there would have a layer mounted over what it leads to, `/etc` for one."""
    elsewhere = runs.paths.root.with_name("elsewhere")
    elsewhere.mkdir()
    (runs.paths.root / "usr").mkdir(parents=True)
    (runs.paths.root / "usr/local").symlink_to(elsewhere)
    container = runs.shell("echo hello")
    if runtime == "process":  # nothing is mounted, and who may write there says what runs
        assert await runs.output(driver, container) == "hello\n"
        return
    with pytest.raises(PreparationError) as caught:
        await driver.prepare("ext-a", container)
    link = runs.paths.root / "usr/local"
    assert str(caught.value) == f"openfs failed: {link}: {LINK_REFUSED}"
    assert not [path for path in mounted_overlays() if path.is_relative_to(elsewhere)]


async def test_nothing_is_taken_over_where_nothing_runs(driver: LocalDriver) -> None:
    assert await driver.adopt() == {}


async def test_there_is_one_supervisor_for_a_tree(
    driver: LocalDriver, runs: Runs, runtime: str
) -> None:
    with pytest.raises(DriverError, match="another supervisor holds"):
        async with runs.driver(runtime).open():
            pytest.fail("two of them")


async def test_what_is_left_running_is_taken_over(runs: Runs, runtime: str) -> None:
    script = "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.01; done"
    first = runs.driver(runtime)
    container = runs.shell(script, log_to_console=True)
    async with first.open():
        preparation = await first.prepare("ext-a", container)
        await first.create_runner(preparation)
        task = await first.create_and_start(preparation)
        await runs.says(first, "up")
    second = runs.driver(runtime)
    async with second.open():
        adopted = (await second.adopt())["ext-a"]
        assert adopted.digest == container.digest
        assert adopted.task.pid == task.pid
        with second.logs.get("ext-a").reader() as reader:
            assert await anext(reader) == b"up\n"
        await adopted.task.signal(signal.SIGTERM)
        exit = await adopted.task.wait()
        assert exit.code == 4
        assert exit.last_log.endswith("bye")
        await adopted.task.clean_up()
        assert adopted.preparation
        await second.release(adopted.preparation)
    assert runs.left_behind() == []
    assert runs.log().startswith("up\n")
    assert runs.log().endswith("bye\n")


async def test_what_ended_meanwhile_is_reported(runs: Runs, runtime: str) -> None:
    """An exit that was not seen is reported as unknown, not made up (differences: race
    talos@9a521f6).
    """
    first = runs.driver(runtime)
    async with first.open():
        preparation = await first.prepare("ext-a", runs.shell("sleep 1000"))
        await first.create_runner(preparation)
        task = await first.create_and_start(preparation)
    os.kill(task.pid, signal.SIGKILL)
    os.waitpid(task.pid, 0)  # noqa: ASYNC222 dead already; as process 1 would
    second = runs.driver(runtime)
    async with second.open():
        adopted = (await second.adopt())["ext-a"]
        assert (await adopted.task.wait()).code is None
        await adopted.task.clean_up()
        assert adopted.preparation
        await second.release(adopted.preparation)
    assert runs.left_behind() == []


async def test_an_id_that_another_process_has_got_is_not_taken_over(
    runs: Runs, runtime: str
) -> None:
    first = runs.driver(runtime)
    async with first.open():
        preparation = await first.prepare("ext-a", runs.shell("sleep 1000"))
        await first.create_runner(preparation)
        task = await first.create_and_start(preparation)
    state = runs.paths.container("ext-a") / "state.json"
    mine = str(os.getpid())
    state.write_text(state.read_text().replace(f'"pid": {task.pid}', f'"pid": {mine}'))
    os.kill(task.pid, signal.SIGKILL)
    os.waitpid(task.pid, 0)  # noqa: ASYNC222 dead already
    second = runs.driver(runtime)
    async with second.open():
        adopted = (await second.adopt())["ext-a"]
        await adopted.task.signal(signal.SIGKILL)  # reaches nobody, not me
        assert (await adopted.task.wait()).code is None
        await adopted.task.clean_up()
        assert adopted.preparation
        await second.release(adopted.preparation)
    assert runs.left_behind() == []
