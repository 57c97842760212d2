"""services, service, logs, events, version and inspect, over a socket, as talosctl shows them."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from controllers.commands.client import Machine
from controllers.machine_api.proto import common_pb2, inspect_pb2, machine_pb2
from cosi import InMemoryState
from cosi.api.client import RemoteState
from cosi.api.server import UnixListener, serve
from cosi.cli.connection import Connection, Server, connect
from cosi.cli.program import program
from cosi.errors import InvalidResource, Unsupported
from resources.service_state import ServiceState
from tests.controllers.commands.scripted import ScriptedInspection, ScriptedMachine, event, info

NODE = socket.gethostname()
STARTED = "Started task ext-hello-world (PID 1100) for container ext-hello-world"


@dataclass
class Served:
    machine: ScriptedMachine
    inspection: ScriptedInspection
    socket: Path

    def cosi(self, *arguments: str) -> Result:
        return CliRunner().invoke(program, arguments, env={"COSI_SOCKET": str(self.socket)})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(ScriptedMachine(), ScriptedInspection([]), tmp_path / "cosi.sock")
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(_serving(served)),
    ):
        yield served


@asynccontextmanager
async def _serving(served: Served) -> AsyncIterator[None]:
    services = (served.machine, served.inspection)
    async with serve(InMemoryState(), UnixListener(served.socket), services=services):
        yield


@pytest.fixture
def machine(served: Served) -> ScriptedMachine:
    served.machine.services = [
        info("containerd", "Running", True, "Health check successful"),
        info("ext-hello-world", "Running", None, "Starting service", STARTED),
    ]
    return served.machine


def _lines(text: str) -> list[str]:
    """Without what is different at every run: widths, the node, and seconds gone by."""
    text = re.sub(r"\d+m\d+s ago", "AGO", text).replace(NODE, "n")
    return re.sub(" {4,}", "   ", text).splitlines()


@pytest.mark.parametrize("command", ["services", "service"])
def test_services_are_a_table(served: Served, machine: ScriptedMachine, command: str) -> None:
    result = served.cosi(command)

    assert _lines(result.stdout) == [
        "NODE   SERVICE   STATE   HEALTH   LAST CHANGE   LAST EVENT",
        "n   containerd   Running   OK   AGO   Health check successful",
        f"n   ext-hello-world   Running   ?   AGO   {STARTED}",
    ]


def test_one_service_is_a_block(served: Served, machine: ScriptedMachine) -> None:
    assert _lines(served.cosi("service", "ext-hello-world").stdout) == [
        "NODE   n",
        "ID   ext-hello-world",
        "STATE   Running",
        "HEALTH   ?",
        f"EVENTS   [Running]: {STARTED} (AGO)",
        "   [Running]: Starting service (AGO)",
    ]


def test_a_service_that_nobody_knows(served: Served, machine: ScriptedMachine) -> None:
    result = served.cosi("service", "ext-x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == 'cosi: service "ext-x" is not registered on any nodes\n'

    result = served.cosi("service", "ext-x", "stop")
    assert (result.exit_code, result.stderr) == (1, 'cosi: service "ext-x" not defined\n')


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_a_service_does_as_it_is_asked(
    served: Served, machine: ScriptedMachine, action: str
) -> None:
    result = served.cosi("service", "ext-hello-world", action)

    assert machine.done == [f"{action} ext-hello-world"]
    assert [line.split(maxsplit=1) for line in result.stdout.splitlines()] == [
        ["NODE", "RESPONSE"],
        [NODE, f'Service "ext-hello-world" {action}ed'],
    ]


def test_an_action_that_there_is_not_is_usage(served: Served) -> None:
    result = served.cosi("service", "ext-x", "kill")
    assert result.exit_code == 2
    assert 'unsupported service action: "kill"' in result.stderr


def test_logs_are_lines_with_their_node(served: Served, machine: ScriptedMachine) -> None:
    machine.log = b"one\ntwo\n\xffthree"

    assert served.cosi("logs", "ext-hello-world").stdout_bytes == (
        f"{NODE}: one\n{NODE}: two\n".encode() + NODE.encode() + b": \xffthree\n"
    )
    assert served.cosi("logs", "ext-hello-world", "--tail", "1").stdout_bytes == (
        NODE.encode() + b": \xffthree\n"
    )


def test_a_log_that_is_not_there(served: Served, machine: ScriptedMachine) -> None:
    result = served.cosi("logs", "ext-x")
    assert (result.exit_code, result.stderr) == (1, 'cosi: log "ext-x" was not registered\n')


def test_an_event_is_one_line(served: Served, machine: ScriptedMachine) -> None:
    """differences: Talos 19: talosctl breaks each of them in two."""
    action = machine_pb2.ServiceStateEvent.Action
    machine.events = [
        event(
            "id1", machine_pb2.ServiceStateEvent(service="s", action=action.RUNNING, message="m")
        ),
        event("id2", machine_pb2.ServiceStateEvent(service="s", action=action.FAILED), "someone"),
        event("id3", common_pb2.Data()),  # of no type that anybody knows here
    ]
    url = "talos/runtime/machine.ServiceStateEvent"

    lines = served.cosi("events").stdout.replace(NODE, "n").splitlines()

    assert [line.split() for line in lines] == [
        ["NODE", "ID", "EVENT", "ACTOR", "SOURCE", "MESSAGE"],
        ["n", "id1", url, "s", "RUNNING:", "m"],
        ["n", "id2", url, "someone", "s", "FAILED:"],
    ]
    assert len(served.cosi("events", "--tail", "1").stdout.splitlines()) == 1


def test_only_one_way_to_the_past(served: Served) -> None:
    assert served.cosi("events", "--tail", "1", "--since", "x").exit_code == 2
    assert served.cosi("events", "--duration", "1 fortnight").exit_code == 2
    assert "error parsing tail_id" in served.cosi("events", "--since", "x").stderr


def test_the_versions_of_both_sides(served: Served) -> None:
    text = served.cosi("version").stdout

    own, _, other = text.partition("Server:\n")
    assert re.match(r"Client:\n\tTag: +v\d", own)
    assert other == (
        f"\tNODE:        {NODE}\n"
        "\tTag:         v0.1.0\n"
        "\tSHA:\n"
        "\tBuilt:\n"
        "\tGo version:  python3\n"
        "\tOS/Arch:     l/a\n"
        "\tEnabled:     RBAC\n"
    )
    assert served.cosi("version", "--short").stdout.splitlines()[1] == f"{NODE} v0.1.0"


def test_the_version_of_this_side_needs_no_server(tmp_path: Path) -> None:
    result = CliRunner().invoke(program, ["version", "--client", "--socket", f"{tmp_path}/none"])
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("options", "begin"),
    [
        ((), "digraph  {\n\tn1["),
        (("--with-resources",), "digraph"),
        (("-o", "mermaid"), "flowchart"),
    ],
)
def test_dependencies_are_drawn(served: Served, options: tuple[str, ...], begin: str) -> None:
    served.inspection.edges = [
        inspect_pb2.ControllerDependencyEdge(
            controller_name="Runner",
            edge_type=inspect_pb2.DependencyEdgeType.OUTPUT_SHARED,
            resource_namespace="runtime",
            resource_type="Services.v1alpha1.talos.dev",
        )
    ]
    result = served.cosi("inspect", "dependencies", *options)
    assert result.stdout.startswith(begin), result.stderr
    if not options:
        assert 'n1->n2[style="solid"];' in result.stdout


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # gRPC


async def test_every_call_says_which_node_it_is_for(tmp_path: Path) -> None:
    """Two nodes are refused, which shows that they were sent."""
    socket, twice = tmp_path / "cosi.sock", (("node", "a"), ("node", "b"))
    async with (
        serve(InMemoryState(), UnixListener(socket), services=[ScriptedMachine()]),
        connect(Server(f"unix:{socket}", "n")) as connected,
    ):
        state = RemoteState(connected.channel, metadata=twice)
        connection = Connection("n", connected.channel, state, twice)
        machine = Machine(connection)
        for call in (
            machine.services(),
            machine.logs("x", bytearray().extend, follow=False, tail=-1),
            connection.state.list(ServiceState),
        ):
            with pytest.raises(InvalidResource, match="node metadata must be single-valued"):
                await call


async def test_a_server_that_is_no_machine_says_what_it_does_not_offer(tmp_path: Path) -> None:
    socket = tmp_path / "cosi.sock"
    async with (
        serve(InMemoryState(), UnixListener(socket)),
        connect(Server(f"unix:{socket}", "n")) as connection,
    ):
        with pytest.raises(Unsupported, match=r"not offer ServiceList of machine\.MachineService"):
            await Machine(connection).services()
        with pytest.raises(Unsupported, match=r"not offer Logs of machine\.MachineService"):
            await Machine(connection).logs("x", bytearray().extend, follow=False, tail=-1)
