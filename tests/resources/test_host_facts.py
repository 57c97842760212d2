"""The facts of the host as resources: their names, and the keys that Talos gives them."""

from typing import Any

import pytest
from pydantic import ValidationError

from cosi import Spec
from resources.network_status import NetworkStatus
from resources.path_status import PathStatus
from resources.probe_spec import HTTPProbe, ProbeSpec, TCPProbe
from resources.probe_status import ProbeStatus
from resources.time_status import TimeStatus


@pytest.mark.parametrize(
    ("kind", "type", "namespace", "keys"),
    [
        (
            NetworkStatus,
            "NetworkStatuses.net.talos.dev",
            "network",
            ["addressReady", "connectivityReady", "hostnameReady", "etcFilesReady"],
        ),
        (
            TimeStatus,
            "TimeStatuses.v1alpha1.talos.dev",
            "runtime",
            ["synced", "epoch", "syncDisabled"],
        ),
        (PathStatus, "PathStatuses.runtime.talos.dev", "runtime", ["present", "error"]),
        (ProbeStatus, "ProbeStatuses.net.talos.dev", "network", ["success", "lastError"]),
    ],
)
def test_types_namespaces_and_keys_are_those_of_talos(
    kind: type[Spec], type: str, namespace: str, keys: list[str]
) -> None:
    assert (kind.__cosi__.type, kind.__cosi__.default_namespace) == (type, namespace)
    assert list(kind().model_dump(by_alias=True)) == keys


def test_a_probe_has_the_defaults_of_talos() -> None:
    probe = ProbeSpec(tcp=TCPProbe(endpoint="192.0.2.1:53"))
    assert probe.model_dump(mode="json", by_alias=True, exclude_none=True) == {
        "interval": "1s",
        "failureThreshold": 0,
        "tcp": {"endpoint": "192.0.2.1:53", "timeout": "10s"},
        "layer": "configuration",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tcp": TCPProbe(endpoint="a:1"), "http": HTTPProbe(url="http://a")},
        {"tcp": TCPProbe(endpoint="a:1"), "interval": "0s"},
        {"tcp": TCPProbe(endpoint="a:1"), "failure_threshold": -1},
    ],
)
def test_a_probe_that_cannot_be_tried_cannot_be_made(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProbeSpec(**fields)
