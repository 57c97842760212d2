"""Reads probes from configuration documents (kinds ``TCPProbeConfig`` and ``HTTPProbeConfig``).

Fields and defaults are those of Talos 1.14.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field

from controllers.definitions.documents import Document
from cosi import Value
from resources.duration import Duration
from resources.go_format import (
    quote,
)
from resources.probe_spec import (
    HTTPProbe,
    ProbeSpec,
    TCPProbe,
    split_endpoint,
    without_credentials,
)
from resources.problem import (
    Mistake,
    Problem,
)


class ProbeDocument(Value):
    """The common fields of both kinds of probes."""

    name: str = ""
    """The name of the document."""
    interval: Duration = timedelta(seconds=1)
    """The time between two attempts."""
    failure_threshold: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """How many failures in a row are reported as a failure."""
    timeout: Duration = timedelta(seconds=10)
    """The time after which an attempt has failed."""

    def mistakes(self) -> Iterator[Mistake]:
        """All invalid fields."""
        if not self.name:
            yield ("name",), "name is required"
        if self.interval <= timedelta():
            yield ("interval",), "interval must be positive"
        if self.timeout <= timedelta():
            yield ("timeout",), "timeout must be positive"


class TCPProbeDocument(ProbeDocument):
    """A connection that must be accepted."""

    endpoint: str = ""
    """``host:port``."""

    def mistakes(self) -> Iterator[Mistake]:
        """All invalid fields."""
        yield from super().mistakes()
        try:
            split_endpoint(self.endpoint)
        except ValueError:
            yield ("endpoint",), f"endpoint {quote(self.endpoint)} is not host:port"

    def probe(self) -> tuple[str, ProbeSpec]:
        """The id and the resource."""
        tcp = TCPProbe(endpoint=self.endpoint, timeout=self.timeout)
        spec = ProbeSpec(interval=self.interval, failure_threshold=self.failure_threshold, tcp=tcp)
        return f"tcp:{self.endpoint}", spec


class HTTPProbeDocument(ProbeDocument):
    """A GET request that must succeed."""

    url: str = ""
    """``http://...`` or ``https://...``; it may have a user and a password."""

    def mistakes(self) -> Iterator[Mistake]:
        """All invalid fields."""
        yield from super().mistakes()
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            yield ("url",), f"url {quote(self.url)} is not http://host or https://host"

    def probe(self) -> tuple[str, ProbeSpec]:
        """The id and the resource."""
        http = HTTPProbe(url=self.url, timeout=self.timeout)
        spec = ProbeSpec(
            interval=self.interval, failure_threshold=self.failure_threshold, http=http
        )
        return f"http:{without_credentials(self.url)}", spec


PROBE_KINDS: Final[Mapping[str, type[TCPProbeDocument | HTTPProbeDocument]]] = {
    "TCPProbeConfig": TCPProbeDocument,
    "HTTPProbeConfig": HTTPProbeDocument,
}


def take_probe(document: Document, probes: dict[str, ProbeSpec]) -> tuple[Problem, ...]:
    """Read one document of these kinds into ``probes``, by id; the last one with an id counts."""
    decoded = document.decode(PROBE_KINDS[document.kind])
    if decoded.value is not None:
        id, probe = decoded.value.probe()
        probes[id] = probe
    return decoded.problems
