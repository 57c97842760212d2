"""The prober: one attempt to reach an endpoint, by a TCP connection or an HTTP request."""

from __future__ import annotations

import base64
import functools
import http.client
import os
import socket
import ssl
from typing import Protocol, cast
from urllib.parse import SplitResult, unquote, urlsplit

import anyio
import anyio.to_thread

from cosi import CosiError
from resources.probe_spec import HTTPProbe, ProbeSpec, TCPProbe, split_endpoint, without_credentials


class ProbeFailed(CosiError):
    """The endpoint could not be reached, or did not respond with success."""


class Prober(Protocol):
    """Makes the attempt that a probe describes."""

    async def attempt(self, probe: ProbeSpec) -> None:
        """Return on success; raises :class:`ProbeFailed`, at latest after the probe's timeout."""
        ...


class NetworkProber:
    """The :class:`Prober` that uses the network."""

    async def attempt(self, probe: ProbeSpec) -> None:
        """See :class:`Prober`."""
        if probe.tcp:
            await _connect(probe.tcp)
        elif probe.http:
            await _get(probe.http)


async def _connect(probe: TCPProbe) -> None:
    try:
        host, port = split_endpoint(probe.endpoint)
        with anyio.fail_after(probe.timeout.total_seconds()):
            stream = await anyio.connect_tcp(host, port)
        await anyio.aclose_forcefully(stream)
    except (OSError, ValueError) as error:
        raise ProbeFailed(f"dial tcp {probe.endpoint}: {_reason(error)}") from error


async def _get(probe: HTTPProbe) -> None:
    seconds = probe.timeout.total_seconds()
    try:
        with anyio.fail_after(seconds):
            # The thread ends by itself: each of its steps has the same timeout.
            status = await anyio.to_thread.run_sync(
                _status, probe.url, seconds, abandon_on_cancel=True
            )
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ProbeFailed(f'Get "{without_credentials(probe.url)}": {_reason(error)}') from error
    if not 200 <= status < 400:
        raise ProbeFailed(f"received non-success status code: {status}")


def _status(url: str, timeout: float) -> int:
    parts = urlsplit(url)
    connection = _connection(parts, timeout)
    try:
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        connection.request("GET", target, headers={"Connection": "close", **_credentials(parts)})
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(parts: SplitResult, timeout: float) -> http.client.HTTPConnection:
    if not parts.hostname:
        raise ValueError("no host in request URL")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout, context=_tls()
        )
    raise ValueError(f'unsupported protocol scheme "{parts.scheme}"')


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _credentials(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    # "All connection attempts failed": its cause has the reasons.
    behind: BaseException | None = error.__cause__
    while isinstance(behind, ExceptionGroup):
        behind = cast("ExceptionGroup[Exception]", behind).exceptions[-1]
    return _words(error if behind is None else behind)


def _words(error: BaseException) -> str:
    own_numbers = isinstance(error, ssl.SSLError | socket.gaierror)
    number = error.errno if isinstance(error, OSError) and not own_numbers else None
    text = os.strerror(number) if number else str(error)
    return f"{text[:1].lower()}{text[1:]}" or type(error).__name__
