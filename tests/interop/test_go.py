"""COSI's own conformance suite and client, in Go, against this server."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from cosi import InMemoryState, Resource
from cosi.api.client import connect
from cosi.api.server import UnixListener, serve
from cosi.state import EventType, Namespace, Start, Watch
from cosi.state._meta import META_NAMESPACE
from tests.interop.toolchain import DOWNLOAD_AND_COMPILE_SECONDS, compiled

MODULE = Path(__file__).parent / "go"

pytestmark = [
    pytest.mark.go,
    pytest.mark.lengthy,
    pytest.mark.timeout(DOWNLOAD_AND_COMPILE_SECONDS),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"  # grpc.aio knows no other


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go tests as a program."""
    return compiled(MODULE, tmp_path_factory.mktemp("go"))


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    """A server with a fresh state."""
    path = tmp_path / "cosi.sock"
    async with serve(InMemoryState(), UnixListener(path)):
        yield path


async def run(suite: Path, test: str, socket: Path) -> str:
    done = await anyio.run_process(
        [suite, "-test.run", f"^{test}$", "-test.v"],
        env={"COSI_SOCKET": str(socket)},
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output


async def test_the_published_conformance_suite_passes_every_case(suite: Path, socket: Path) -> None:
    output = await run(suite, "TestConformance", socket)

    assert output.count("--- PASS") >= 24
    assert "--- SKIP" not in output


async def test_a_go_and_a_python_client_watch_each_others_changes(
    suite: Path, socket: Path
) -> None:
    hello = Resource.new(
        "python", Namespace(description="written by Python"), labels={"seen": "yes"}
    )
    contents = Start(contents=True)
    async with (
        connect(f"unix:{socket}") as state,
        state.watch(Namespace, start=contents) as events,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(run, suite, "TestEachOther", socket)
        theirs = await seen(events, "go", EventType.CREATED)
        assert theirs.spec.description == "written by Go"
        assert theirs.namespace == META_NAMESPACE

        await state.create(hello)
        held = await seen(events, "python", EventType.UPDATED)
        assert held.finalizers == ("go",)

        await state.teardown_and_destroy(Namespace, "python")
        await seen(events, "go", EventType.DESTROYED)


async def seen(events: Watch[Namespace], id: str, what: EventType) -> Resource[Namespace]:
    async for event in events:
        if event.type is what and event.resource.id == id:
            return event.resource
    raise AssertionError("a watch never ends by itself")
