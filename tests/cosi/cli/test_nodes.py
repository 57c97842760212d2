"""Several nodes behind a proxy, and several endpoints of which some are dead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal
from click.testing import CliRunner, Result

from cosi import InMemoryState
from cosi.api.certificates import generate_config
from cosi.api.server import TLSListener, UnixListener, serve
from cosi.cli._listeners import register_known_types
from cosi.cli.program import program
from tests.cosi.cli.proxy import proxy
from tests.cosi.cli.things import Lamp, lamp

DESK = "metadata: {type: Lamps.house.example.dev, namespace: house, id: new}\nspec: {}\n"


@dataclass
class Cluster:
    """The machines ``n`` and ``m``, and a proxy that knows them."""

    portal: BlockingPortal
    states: dict[str, InMemoryState]
    endpoint: str
    talosconfig: Path

    def context(self, **changes: object) -> None:
        """Say in the talosconfig what else there is."""
        config = yaml.safe_load(self.talosconfig.read_text())
        for context in config["contexts"].values():
            context.update({"endpoints": [self.endpoint], "nodes": ["n", "m"]}, **changes)
        self.talosconfig.write_text(yaml.safe_dump(config))

    def cosi(self, *arguments: str, input: str | None = None) -> Result:
        options = ("--talosconfig", str(self.talosconfig))
        return CliRunner().invoke(program, [*options, *arguments], input=input)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    sockets = {name: tmp_path / f"{name}.sock" for name in "nm"}
    states = {name: InMemoryState() for name in sockets}
    with start_blocking_portal("asyncio") as portal:
        for state in states.values():
            portal.call(register_known_types, state)
        served = [
            portal.wrap_async_context_manager(serve(states[name], UnixListener(sockets[name])))
            for name in states
        ]
        proxied = portal.wrap_async_context_manager(proxy(tmp_path / "tls", sockets))
        with served[0], served[1], proxied as (endpoint, files):
            cluster = Cluster(portal, states, endpoint, files.talosconfig)
            cluster.context()
            portal.call(states["n"].create, lamp("desk"))
            portal.call(states["m"].create, lamp("hall"))
            yield cluster


@contextmanager
def dead() -> Iterator[str]:
    """An endpoint at which nothing listens, and nothing will."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def _cells(result: Result) -> list[list[str]]:
    return [line.split()[:5] for line in result.stdout.splitlines()]


def test_all_nodes_of_a_context_are_asked_and_shown_in_one_table(cluster: Cluster) -> None:
    result = cluster.cosi("get", "lamps")

    assert (result.exit_code, result.stderr) == (0, "")
    assert _cells(result) == [
        ["NODE", "NAMESPACE", "TYPE", "ID", "VERSION"],
        ["n", "house", "Lamp", "desk", "1"],
        ["m", "house", "Lamp", "hall", "1"],
    ]


def test_the_documents_of_all_nodes_are_one_stream(cluster: Cluster) -> None:
    shown = yaml.safe_load_all(cluster.cosi("get", "lamps", "-o", "yaml").stdout)

    assert [(one["node"], one["metadata"]["id"]) for one in shown] == [("n", "desk"), ("m", "hall")]


def test_a_node_that_fails_does_not_hide_the_others_and_is_named(cluster: Cluster) -> None:
    result = cluster.cosi("get", "lamps", "--node", "gone,m", "--node", "lost")

    assert result.exit_code == 1
    assert _cells(result)[1:] == [["m", "house", "Lamp", "hall", "1"]]
    lines = result.stderr.splitlines()
    assert lines[0].startswith("cosi: error from node gone: ")
    assert lines[1].startswith("error from node lost: ")
    assert "no machine lost" in lines[1]


def test_what_is_applied_and_deleted_is_so_on_every_node(cluster: Cluster) -> None:
    applied = cluster.cosi("apply", "-f", "-", input=DESK)
    there = [cluster.portal.call(state.find, Lamp, "new") for state in cluster.states.values()]
    deleted = cluster.cosi("delete", "lamp", "new")
    gone = [cluster.portal.call(state.find, Lamp, "new") for state in cluster.states.values()]

    assert applied.stdout == "Lamps.house.example.dev(house/new) created\n" * 2
    assert None not in there
    assert deleted.stdout == "Lamps.house.example.dev(house/new) deleted\n" * 2
    assert gone == [None, None]


def test_a_watch_of_nodes_that_all_fail_ends_and_names_each(cluster: Cluster) -> None:
    result = cluster.cosi("get", "nothing", "--watch")

    assert result.exit_code == 1
    assert sorted(line.partition(": resource")[0] for line in result.stderr.splitlines()) == [
        "cosi: error from node m",
        "cosi: error from node n",
    ]


def test_a_dead_endpoint_is_passed_over(cluster: Cluster) -> None:
    with dead() as first, dead() as second:
        cluster.context(endpoints=[first, second, cluster.endpoint])
        result = cluster.cosi("get", "lamps")
        given = cluster.cosi(
            "get", "lamps", "--endpoint", first, "--endpoint", f"{second},{cluster.endpoint}"
        )

    assert (result.exit_code, result.stderr) == (0, "")
    assert given.stdout == result.stdout


def test_if_all_endpoints_are_dead_they_are_all_named(cluster: Cluster) -> None:
    with dead() as first, dead() as second:
        cluster.context(endpoints=[first, second], nodes=["n"])
        result = cluster.cosi("get", "lamps")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"cosi: no server at {first}, {second}: ")


def test_an_endpoint_that_is_not_trusted_is_passed_over(cluster: Cluster, tmp_path: Path) -> None:
    """A server with a certificate of another CA listens; it must not be asked."""
    other = generate_config(tmp_path / "other", ["127.0.0.1"])
    listener = TLSListener("127.0.0.1:0", other.certificate, other.key)
    stranger = serve(cluster.states["n"], listener)
    with cluster.portal.wrap_async_context_manager(stranger) as addresses:
        cluster.context(endpoints=[addresses[0], cluster.endpoint], nodes=["m"])
        result = cluster.cosi("get", "lamps")

    assert _cells(result)[1:] == [["m", "house", "Lamp", "hall", "1"]]


def test_without_nodes_the_endpoint_that_answers_is_the_one_that_is_shown(
    cluster: Cluster, tmp_path: Path
) -> None:
    config = tmp_path / "tls"
    listener = TLSListener("127.0.0.1:0", config / "server.crt", config / "server.key")
    machine = serve(cluster.states["n"], listener)
    with cluster.portal.wrap_async_context_manager(machine) as addresses, dead() as first:
        cluster.context(endpoints=[first.replace("127.0.0.1", "[::1]"), addresses[0]], nodes=[])
        result = cluster.cosi("get", "lamps")

    assert _cells(result)[1:] == [["127.0.0.1", "house", "Lamp", "desk", "1"]]
