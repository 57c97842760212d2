"""Which server a command asks, and what it says if there is none."""

from __future__ import annotations

import base64
import re
import socket
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from cosi.cli.connection_options import server_of
from cosi.cli.program import program
from cosi.cli.server import ClientTLS, Server, split_endpoint
from cosi.cli.talosconfig import TalosconfigError, read

OPTIONS = ("tls_ca", "tls_cert", "tls_key", "talosconfig", "context")
NOTHING: dict[str, Any] = {"endpoint": (), "node": (), **dict.fromkeys(OPTIONS)}


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("host:1", ("host", 1)),
        ("host", ("host", 50000)),
        ("https://host", ("host", 443)),
        ("https://host:6443/", ("host", 6443)),
        ("[::1]:50001", ("[::1]", 50001)),
        ("[::1]", ("[::1]", 50000)),
        ("[::1]:", ("[::1]", 50000)),
        ("::1", ("[::1]", 50000)),
        ("2001:db8::5", ("[2001:db8::5]", 50000)),
        ("fe80::1%eth0", ("[fe80::1%eth0]", 50000)),
        ("https://[2001:db8::5]", ("[2001:db8::5]", 443)),
        ("host:", ("host", 50000)),
    ],
)
def test_endpoints(endpoint: str, address: tuple[str, int]) -> None:
    assert split_endpoint(endpoint) == address


@pytest.mark.parametrize("endpoint", ["", ":1", "host:port", "http://host", "host:99999", "host:0"])
def test_what_is_no_endpoint_is_usage(endpoint: str) -> None:
    with pytest.raises(click.UsageError, match="is not HOST:PORT"):
        split_endpoint(endpoint)


def test_a_socket_shows_the_name_of_this_machine(tmp_path: Path) -> None:
    server = server_of(socket=tmp_path / "s", **NOTHING)
    assert server == Server(f"unix:{tmp_path}/s", socket.gethostname())


def test_an_endpoint_shows_its_host_and_takes_certificates(tmp_path: Path) -> None:
    for name in ("ca", "crt", "key"):
        (tmp_path / name).write_text(name)
    server = server_of(
        socket=tmp_path / "s",
        endpoint=("[::1]:5",),
        node=(),
        tls_ca=tmp_path / "ca",
        tls_cert=tmp_path / "crt",
        tls_key=tmp_path / "key",
        talosconfig=None,
        context=None,
    )
    assert server == Server("[::1]:5", "::1", ClientTLS(b"ca", b"crt", b"key"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tls_cert": Path("x"), "endpoint": ("h",)}, "--tls-cert and --tls-key go together"),
        ({"tls_ca": Path("x")}, "certificates need --endpoint"),
        ({"context": "x"}, "certificates need --endpoint"),
        ({"node": ("x",)}, "--node needs --endpoint"),
        ({"node": ("",), "endpoint": ("h",)}, "node '' is not a name"),
        ({"node": ("ü",), "endpoint": ("h",)}, "node 'ü' is not a name"),
    ],
)
def test_options_that_do_not_go_together_are_usage(given: dict[str, object], problem: str) -> None:
    with pytest.raises(click.UsageError, match=problem):
        server_of(socket=Path("s"), **{**NOTHING, **given})


def test_without_a_server_one_line_says_which_socket_and_how_to_start_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(program, ["get", "rd", "--socket", f"{tmp_path}/none.sock"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"cosi: no server at {tmp_path}/none.sock: No such file or directory; start one with "
        "`cosi run`, or give its address with --socket PATH or --endpoint HOST:PORT\n"
    )


def test_without_an_endpoint_that_answers_one_line_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = CliRunner().invoke(program, ["get", "rd", "--endpoint", f"127.0.0.1:{port}"])

    assert result.exit_code == 1
    assert re.fullmatch(rf"cosi: no server at 127\.0\.0\.1:{port}: .*\n", result.stderr)


# -- talosconfig ------------------------------------------------------------------------------


def _talosconfig(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "talosconfig"
    path.write_text(text)
    return path


def test_a_talosconfig_names_endpoint_and_certificates(tmp_path: Path) -> None:
    pem = base64.b64encode(b"pem").decode()
    text = f"context: a\ncontexts:\n  a: {{endpoints: [h1, h2], ca: {pem}}}\n  b: {{target: h3}}\n"
    path = _talosconfig(tmp_path, text)

    assert read(path).endpoints == ("h1", "h2")
    assert read(path).security == ClientTLS(ca=b"pem")
    assert read(path, "b").endpoints == ("h3",)
    given = {**NOTHING, "talosconfig": path}
    assert server_of(socket=Path("s"), **given).addresses == ("h1:50000", "h2:50000")


def test_a_node_is_asked_through_the_endpoint() -> None:
    """A proxy looks at the metadata (Talos 1.14: apid); tables show whom it asked."""
    server = server_of(socket=Path("s"), **{**NOTHING, "endpoint": ("h",), "node": ("n",)})

    assert (server.address, server.node, server.nodes) == ("h:50000", "n", ("n",))


def test_the_node_of_a_context_is_asked_and_not_its_endpoint(tmp_path: Path) -> None:
    """What is stopped would be a service of another machine."""
    text = "context: a\ncontexts: {a: {endpoints: [h], nodes: [n]}}"
    given = {**NOTHING, "talosconfig": _talosconfig(tmp_path, text)}

    assert server_of(socket=Path("s"), **given).nodes == ("n",)
    assert server_of(socket=Path("s"), **{**given, "node": ("m",)}).node == "m"


def test_the_nodes_of_a_context_are_all_meant_unless_some_are_named(tmp_path: Path) -> None:
    text = "context: a\ncontexts: {a: {endpoints: [h], nodes: [n, m]}}"
    given = {**NOTHING, "talosconfig": _talosconfig(tmp_path, text)}

    assert server_of(socket=Path("s"), **given).nodes == ("n", "m")
    assert server_of(socket=Path("s"), **{**given, "node": ("m",)}).nodes == ("m",)
    several = server_of(socket=Path("s"), **{**given, "node": ("a,b", "c", "a")})
    assert several.nodes == ("a", "b", "c")


def test_names_in_a_talosconfig_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    """talosctl reads texts; YAML 1.1 would make of them false, 1000.0 and 80."""
    text = "context: no\ncontexts: {no: {endpoints: ['::1', 1:20], nodes: [1e3], ca: null}}"
    found = read(_talosconfig(tmp_path, text))

    assert (found.endpoints, found.nodes, found.security) == (
        ("::1", "1:20"),
        ("1e3",),
        ClientTLS(),
    )


def test_an_endpoint_that_is_given_replaces_those_of_the_context(tmp_path: Path) -> None:
    path = _talosconfig(tmp_path, "context: a\ncontexts: {a: {nodes: [n]}}")
    server = server_of(
        socket=Path("s"), **{**NOTHING, "talosconfig": path, "endpoint": ("a,b:1", "a")}
    )

    assert (server.addresses, server.nodes) == (("a:50000", "b:1"), ("n",))


@pytest.mark.parametrize(
    ("text", "context", "problem"),
    [
        ("", None, "talos config file is empty"),
        ("context: a", None, 'default context "a" not found in config'),
        ("context: a", "b", 'context "b" not found in config'),
        ("context: a\ncontexts: {a: {ca: eA==}}", None, "failed to determine endpoints"),
        ("context: a\ncontexts: {a: {endpoints: [h], ca: '?'}}", None, "ca is not base64"),
        ("context: a\ncontexts: {a: {endpoints: h}}", None, "endpoints is not a list of names"),
        ("context: a\ncontexts: {a: {endpoints: [h], nodes: n}}", None, "nodes is not a list"),
        ("- x", None, 'default context "" not found'),
        ("a: [", None, "while parsing"),
    ],
)
def test_a_talosconfig_that_says_too_little_is_named(
    tmp_path: Path, text: str, context: str | None, problem: str
) -> None:
    path = _talosconfig(tmp_path, text)
    with pytest.raises(TalosconfigError, match=f"{re.escape(str(path))}: .*{problem}"):
        read(path, context)
