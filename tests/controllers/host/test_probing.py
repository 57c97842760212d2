"""Single attempts, over the loopback interface, against servers that do this and that."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from controllers.host.probing import (
    NetworkProber,
    ProbeFailed,
)
from resources.probe_spec import (
    HTTPProbe,
    ProbeSpec,
    TCPProbe,
    split_endpoint,
    without_credentials,
)


def tcp(endpoint: str, seconds: float = 5) -> ProbeSpec:
    return ProbeSpec(tcp=TCPProbe(endpoint=endpoint, timeout=timedelta(seconds=seconds)))


def http(url: str, seconds: float = 5) -> ProbeSpec:
    return ProbeSpec(http=HTTPProbe(url=url, timeout=timedelta(seconds=seconds)))


async def failure_of(probe: ProbeSpec) -> str:
    with pytest.raises(ProbeFailed) as failure:
        await NetworkProber().attempt(probe)
    return str(failure.value)


def endpoint_of(server: socket.socket) -> str:
    host, port = server.getsockname()
    return f"{host}:{port}"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def nobody() -> str:
    """An endpoint that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return endpoint_of(server)


async def test_a_connection_that_is_accepted_succeeds(listener: socket.socket) -> None:
    await NetworkProber().attempt(tcp(endpoint_of(listener)))


async def test_a_connection_that_is_refused_says_so(nobody: str) -> None:
    assert await failure_of(tcp(nobody)) == f"dial tcp {nobody}: connection refused"


async def test_a_name_that_does_not_exist_says_so() -> None:
    text = await failure_of(tcp("nothing.invalid:80"))
    assert text.startswith("dial tcp nothing.invalid:80: ")


async def test_a_connection_that_is_not_answered_times_out() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        endpoint = endpoint_of(server)
        # The first connections fill the queue of those not accepted; the kernel drops the next.
        with socket.create_connection(server.getsockname()):
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(server.getsockname())
            assert await failure_of(tcp(endpoint, 0.05)) == f"dial tcp {endpoint}: i/o timeout"
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize(
    "endpoint", ["", "host", "host:", ":80", "a@host:80", "host:80/x", "h:99999"]
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"Port|not host:port"):
        split_endpoint(endpoint)


def test_endpoints_are_split() -> None:
    assert split_endpoint("example.com:443") == ("example.com", 443)
    assert split_endpoint("[2001:db8::1]:53") == ("2001:db8::1", 53)


class Answers(BaseHTTPRequestHandler):
    """Answers ``/404`` by 404, and so on; remembers the credentials."""

    credentials: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.credentials.append(self.headers.get("Authorization", ""))
        self.send_response(int(self.path[1:4]))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Tests are quiet."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint_of(server.socket)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answers)) as endpoint:
        yield endpoint


@pytest.mark.parametrize("status", [200, 204, 301, 302, 399])
async def test_a_good_answer_succeeds_and_a_redirect_is_not_followed(web: str, status: int) -> None:
    await NetworkProber().attempt(http(f"http://{web}/{status}?query"))


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_a_bad_answer_says_its_status(web: str, status: int) -> None:
    text = await failure_of(http(f"http://{web}/{status}"))
    assert text == f"received non-success status code: {status}"


async def test_credentials_are_sent_and_never_shown(web: str, nobody: str) -> None:
    Answers.credentials.clear()
    await NetworkProber().attempt(http(f"http://me:p%40ss@{web}/200"))
    assert Answers.credentials == ["Basic bWU6cEBzcw=="]
    text = await failure_of(http(f"http://me:secret@{nobody}/"))
    assert text == f'Get "http://{nobody}/": connection refused'
    assert without_credentials("https://u:p@[::1]:8/x?y#z") == "https://[::1]:8/x?y#z"


async def test_a_server_that_does_not_answer_times_out(listener: socket.socket) -> None:
    url = f"http://{endpoint_of(listener)}/"
    assert await failure_of(http(url, 0.05)) == f'Get "{url}": i/o timeout'


async def test_a_server_that_speaks_something_else_fails(web: str) -> None:
    assert "ssl" in (await failure_of(http(f"https://{web}/200"))).lower()


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://", "nonsense"])
async def test_what_is_no_url_fails(url: str) -> None:
    assert (await failure_of(http(url))).startswith("Get ")
