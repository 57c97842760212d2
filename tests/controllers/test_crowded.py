"""A machine whose API is crowded: silent connections and dear queries, beside services that run.

The real program with 1,024 open files and no more, as in a small container. In ``make soak``: 450
silent connections and a query of 3 MiB, again and again.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import grpc
import pytest
from grpc.aio import AioRpcError

from controllers.machine_api.proto.machine_pb2 import ServiceRestartRequest
from cosi import AnySpec, Kind, Query, Resource
from cosi.api.certificates import GeneratedConfig, generate_config
from cosi.api.client import RemoteState, connect, open_channel
from cosi.api.proto.resource_pb2 import LabelQuery, LabelTerm
from cosi.api.proto.state_pb2 import ListOptions, ListRequest
from cosi.errors import LimitExceeded
from cosi.state import LabelOp
from cosi.state import LabelTerm as Term
from resources.service_state import ServicePhase, ServiceState
from tests.controllers.limited import Log, open_files, running
from tests.cosi.cli.program import ROOT
from tests.soak import Campaign, quantity

OPEN_FILES = 1_024
SILENT = quantity(150, 450)
QUERY_BYTES = quantity(700_000, 3 * 1024 * 1024)
ROUNDS = 10
RESOURCES = quantity(100, 1_000)
# On a machine that does much else beside; what this guards against took 13 s, or never ended.
ANSWER_SECONDS = 5.0
TIMEOUT_SECONDS = quantity(180, 600)
LOG_BYTES = 200_000
CROWD = Kind("crowd", "Crowds.test.cosi.dev", AnySpec)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # grpc.aio knows no other


@dataclass
class Crowded:
    """A machine that runs, where it listens, and what it logs."""

    pid: int
    log: Log
    local: str
    host: str
    port: int
    config: GeneratedConfig


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Crowded]:
    root = tmp_path / "rootfs"
    left_by_others = shutil.ignore_patterns("run", "var", "system")
    shutil.copytree(ROOT / "examples/rootfs", root, symlinks=True, ignore=left_by_others)
    config = generate_config(tmp_path / "certificates", ["127.0.0.1"])
    tls = ("--tls-cert", str(config.certificate), "--tls-key", str(config.key))
    options = ("--fixtures", str(ROOT / "examples/online.yaml"), "--log-format", "console")
    where = ("--root", str(root), "--listen", "127.0.0.1:0", "--client-ca", str(config.ca))
    with running(OPEN_FILES, "--runtime", "process", *options, *where, *tls) as (process, log):
        found = re.search(r"serving on (127\.0\.0\.1):(\d+)", log.until("serving on 127"))
        assert found is not None
        log.until("service[ext-greeter](Running)")
        local = f"unix:{root}/run/cosi/cosi.sock"
        yield Crowded(process.pid, log, local, found[1], int(found[2]), config)


@asynccontextmanager
async def asked_every_second(machine: Crowded) -> AsyncIterator[None]:
    """While a new client comes each second, over the Unix socket, and is answered in time."""

    async def ask() -> None:
        while True:
            with anyio.fail_after(ANSWER_SECONDS):
                async with connect(machine.local) as state:
                    service = await state.get(ServiceState, "ext-greeter")
            assert service.spec.phase is ServicePhase.RUNNING
            await anyio.sleep(1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        yield
        tasks.cancel_scope.cancel()


async def restart(machine: Crowded) -> None:
    """Have a service started anew: that takes descriptors, and so does what it runs."""
    async with open_channel(machine.local) as channel:
        call = channel.unary_unary("/machine.MachineService/ServiceRestart")
        with anyio.fail_after(30):
            await call(ServiceRestartRequest(id="ext-prepare").SerializeToString())


def silent(machine: Crowded, stack: ExitStack) -> None:
    """As many connections as can be made; a tenth begins to speak, and some even speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    for number in range(SILENT):
        connection = stack.enter_context(socket.create_connection((machine.host, machine.port)))
        connection.settimeout(5)
        try:
            if number % 10 == 1:
                connection.sendall(b"\x16")
            elif number % 20 == 2:
                stack.enter_context(context.wrap_socket(connection))
        except OSError:
            pass  # refused


@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_silent_connections_leave_supervision_what_it_needs(
    machine: Crowded, campaign: Campaign
) -> None:
    """At `ulimit -n 1024` about 450 ended the Unix-socket API, and every start of a service."""
    async with asked_every_second(machine):
        for _ in campaign("rounds", of=ROUNDS, suite=1):
            with ExitStack() as connections:
                await anyio.to_thread.run_sync(silent, machine, connections)
                assert open_files(machine.pid) < OPEN_FILES * 3 / 4
                await restart(machine)
                await anyio.sleep(2)  # they stay for some answers to others

    assert machine.log.size < LOG_BYTES
    assert "Too many open files" not in "".join(machine.log.lines)
    assert "connection refused: limit of 85 connections reached" in "".join(machine.log.lines)


def huge_query() -> bytes:
    """A List of more terms than anything needs, of ``QUERY_BYTES``."""
    term = LabelTerm(key="n", op=LabelTerm.LT_NUMERIC, value=["1000000"])
    count = QUERY_BYTES // (len(term.SerializeToString()) + 2)
    query = LabelQuery(terms=[term] * count)
    options = ListOptions(label_query=[query])
    request = ListRequest(namespace=CROWD.namespace, type=CROWD.type, options=options)
    return request.SerializeToString()


DEAR = Query(labels=(tuple(Term("n", LabelOp.LT_NUMERIC, ("1000000",)) for _ in range(256)),))


@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_huge_and_dear_queries_do_not_stop_the_machine(
    machine: Crowded, campaign: Campaign
) -> None:
    """One List with a label query of 0.7 MiB stopped the event loop for 13 s."""
    async with connect(machine.local) as state:
        for number in range(RESOURCES):
            labels = {"n": str(number)}
            await state.create(Resource.new(str(number), AnySpec("{}"), kind=CROWD, labels=labels))

    query = huge_query()
    async with (
        asked_every_second(machine),
        open_channel(machine.local) as channel,
        connect(machine.local) as state,
    ):
        for _ in campaign("rounds", of=ROUNDS, suite=1):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(refused, channel, query)
                    tasks.start_soon(answered, state)
            await restart(machine)


async def refused(channel: grpc.aio.Channel, query: bytes) -> None:
    call = channel.unary_stream("/cosi.resource.State/List")(query)
    with pytest.raises(AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def answered(state: RemoteState) -> None:
    """As large as a query may be: it is answered, or told that it takes too long."""
    with suppress(LimitExceeded):
        assert len(await state.list(CROWD, DEAR)) == RESOURCES
