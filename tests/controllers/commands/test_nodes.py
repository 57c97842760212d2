"""The commands about services, for several nodes behind a proxy, as talosctl asks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from controllers.machine_api.proto import machine_pb2
from cosi import InMemoryState
from cosi.api.server import UnixListener, serve
from cosi.cli.program import program
from tests.controllers.commands.scripted import ScriptedInspection, ScriptedMachine, event, info
from tests.cosi.cli.proxy import proxy


@dataclass
class Cluster:
    machines: dict[str, ScriptedMachine]
    options: tuple[str, ...]

    def cosi(self, *arguments: str, nodes: str = "n,m") -> Result:
        return CliRunner().invoke(program, [*self.options, "--node", nodes, *arguments])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """``n`` has a service that ``m`` does not have, and both have containerd."""
    containerd = info("containerd", "Running", True, "Health check successful")
    hello = info("ext-hello-world", "Running", None, "Started")
    happened = event("1", machine_pb2.ServiceStateEvent(service="containerd"))
    machines = {
        "n": ScriptedMachine([containerd, hello], b"one\ntwo", [happened]),
        "m": ScriptedMachine([containerd], b"three\n", [happened]),
    }
    sockets = {name: tmp_path / f"{name}.sock" for name in machines}
    with start_blocking_portal("asyncio") as portal, ExitStack() as stack:
        for name, machine in machines.items():
            services = (machine, ScriptedInspection([]))
            served = serve(InMemoryState(), UnixListener(sockets[name]), services=services)
            stack.enter_context(portal.wrap_async_context_manager(served))
        proxied = portal.wrap_async_context_manager(proxy(tmp_path / "tls", sockets))
        endpoint, files = stack.enter_context(proxied)
        context = ("--talosconfig", str(files.talosconfig), "--endpoint", endpoint)
        yield Cluster(machines, context)


def _rows(text: str) -> list[list[str]]:
    return [re.split(" {3,}", line) for line in text.splitlines()]


@pytest.mark.parametrize("command", ["services", "service"])
def test_the_services_of_all_nodes_are_one_table(cluster: Cluster, command: str) -> None:
    result = cluster.cosi(command)

    assert [row[:3] for row in _rows(result.stdout)] == [
        ["NODE", "SERVICE", "STATE"],
        ["n", "containerd", "Running"],
        ["n", "ext-hello-world", "Running"],
        ["m", "containerd", "Running"],
    ]


def test_what_some_answer_is_shown_though_others_fail(cluster: Cluster) -> None:
    result = cluster.cosi("services", nodes="gone,m")

    assert result.exit_code == 1
    assert [row[0] for row in _rows(result.stdout)] == ["NODE", "m"]
    assert result.stderr.startswith("cosi: error from node gone: ")


def test_a_service_is_shown_from_the_nodes_that_have_it(cluster: Cluster) -> None:
    both, one = cluster.cosi("service", "containerd"), cluster.cosi("service", "ext-hello-world")
    none = cluster.cosi("service", "ext-no")

    assert re.findall(r"^NODE +(\w)$", both.stdout, re.MULTILINE) == ["n", "m"]
    assert re.findall(r"^NODE +(\w)$", one.stdout, re.MULTILINE) == ["n"]
    assert (one.exit_code, none.exit_code) == (0, 1)
    assert none.stderr == 'cosi: service "ext-no" is not registered on any nodes\n'


def test_a_service_is_restarted_on_every_node(cluster: Cluster) -> None:
    result = cluster.cosi("service", "containerd", "restart")

    assert [machine.done for machine in cluster.machines.values()] == [["restart containerd"]] * 2
    assert _rows(result.stdout) == [
        ["NODE", "RESPONSE"],
        ["n", 'Service "containerd" restarted'],
        ["m", 'Service "containerd" restarted'],
    ]


def test_a_node_without_the_service_is_named_after_those_that_have_it(cluster: Cluster) -> None:
    result = cluster.cosi("service", "ext-hello-world", "stop")

    assert cluster.machines["n"].done == ["stop ext-hello-world"]
    assert _rows(result.stdout)[1:] == [["n", 'Service "ext-hello-world" stoped']]
    assert "error from node m: " in result.stderr
    assert 'service "ext-hello-world" not defined' in result.stderr


def test_logs_events_and_versions_come_from_every_node(cluster: Cluster) -> None:
    logs, events = cluster.cosi("logs", "containerd"), cluster.cosi("events")
    versions = cluster.cosi("version", "--short")

    assert logs.stdout == "n: one\nn: two\nm: three\n"
    assert [row[0] for row in _rows(events.stdout)] == ["NODE", "n", "m"]
    assert versions.stdout.splitlines()[1:] == ["n v0.1.0", "m v0.1.0"]


def test_a_drawing_is_of_one_node(cluster: Cluster) -> None:
    """As talosctl's is; a drawing of two graphs would be read as one."""
    result = cluster.cosi("inspect", "dependencies")

    assert result.exit_code == 2
    assert "ask exactly one node, with --node NAME: n, m" in result.stderr
    assert cluster.cosi("inspect", "dependencies", nodes="m").exit_code == 0
