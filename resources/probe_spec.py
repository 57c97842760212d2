"""A probe: a connection or a request, repeated to test the network's connectivity."""

from __future__ import annotations

from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from cosi import Spec, Value
from resources.duration import Duration


class TCPProbe(Value, proto={"endpoint": 1, "timeout": 2}):
    """A connection that must be accepted."""

    endpoint: str
    """``host:port`` or ``[v6]:port``."""
    timeout: Duration = timedelta(seconds=10)


class HTTPProbe(Value, proto={"url": 1, "timeout": 2}):
    """A GET request that must get a status of 200 to 399; redirects are not followed."""

    url: str
    timeout: Duration = timedelta(seconds=10)


class ProbeSpec(
    Spec,
    type="ProbeSpecs.net.talos.dev",
    default_namespace="network",
    proto={
        "interval": 1,
        "failureThreshold": 2,
        "tcp": 3,
        "layer": (4, ("default", "cmdline", "platform", "operator", "configuration")),
        "http": 5,
    },
):
    """One probe; the id is ``tcp:host:port``, or ``http:`` and the URL without credentials.

    The defaults are those of Talos 1.14 (``TCPProbeConfig``, ``HTTPProbeConfig``).
    """

    interval: Duration = timedelta(seconds=1)
    failure_threshold: int = Field(default=0, ge=0)
    """How many failures in a row are reported as a failure; 0 and 1 report the first one."""
    tcp: TCPProbe | None = None
    http: HTTPProbe | None = None
    layer: str = "configuration"
    """The source of the probe (Talos: ``ConfigLayer``)."""

    @model_validator(mode="after")
    def _one_way_to_try(self) -> Self:
        if (self.tcp is None) == (self.http is None):
            raise ValueError("a probe is either tcp or http")
        if self.interval <= timedelta():
            raise ValueError("the interval of a probe must be positive")
        return self


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[v6]:port``; raises ``ValueError``."""
    parts = urlsplit(f"//{endpoint}")
    if not parts.hostname or parts.port is None or parts.netloc != endpoint or "@" in endpoint:
        raise ValueError(f"address {endpoint}: not host:port")
    return parts.hostname, parts.port


def without_credentials(url: str) -> str:
    """The URL without user and password, so that it may be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
