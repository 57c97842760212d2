"""Documents that ask for probes."""

from datetime import timedelta

import pytest

from controllers.definitions.service_config import read_service_configs
from resources.probe_spec import HTTPProbe, ProbeSpec, TCPProbe

HEADER = "apiVersion: v1alpha1\nkind: TCPProbeConfig\n"


def problems(text: str) -> list[tuple[int, str]]:
    reading = read_service_configs(text.encode())
    assert not reading.probes
    return [(problem.line, problem.text) for problem in reading.problems]


def test_documents_become_probes_with_the_defaults_of_talos() -> None:
    reading = read_service_configs(b"""
apiVersion: v1alpha1
kind: TCPProbeConfig
name: proxy
endpoint: proxy.example.com:3128
---
apiVersion: v1alpha1
kind: HTTPProbeConfig
name: web
url: https://me:secret@example.com/healthz
interval: 1m30s
failureThreshold: 3
timeout: 500ms
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: not-a-probe
environment: [A=B]
""")
    assert not reading.problems
    assert reading.probes == {
        "tcp:proxy.example.com:3128": ProbeSpec(tcp=TCPProbe(endpoint="proxy.example.com:3128")),
        "http:https://example.com/healthz": ProbeSpec(
            interval=timedelta(seconds=90),
            failure_threshold=3,
            http=HTTPProbe(
                url="https://me:secret@example.com/healthz", timeout=timedelta(milliseconds=500)
            ),
        ),
    }


def test_the_last_document_about_one_target_counts() -> None:
    one = HEADER + "name: one\nendpoint: a:1\n"
    two = HEADER + "name: two\nendpoint: a:1\ninterval: 2s\n"
    probes = read_service_configs(f"{one}---\n{two}".encode()).probes
    assert [probe.interval.total_seconds() for probe in probes.values()] == [2]


@pytest.mark.parametrize(
    ("body", "line", "text"),
    [
        ("endpoint: a:1", 1, "name is required"),
        ("name: a\nendpoint: a", 4, 'endpoint "a" is not host:port'),
        ("name: a\nendpoint: a:1\ninterval: 0s", 5, "interval must be positive"),
        ("name: a\nendpoint: a:1\ntimeout: -1s", 5, "timeout must be positive"),
        (
            "name: a\nendpoint: a:1\ninterval: soon",
            5,
            "invalid duration 'soon': write it like 1m30s or 500ms",
        ),
        (
            "name: a\nendpoint: a:1\ntimeuot: 1s",
            5,
            'unknown key "timeuot"; did you mean "timeout"?',
        ),
    ],
)
def test_what_makes_no_probe_is_refused_with_its_place(body: str, line: int, text: str) -> None:
    found = problems(HEADER + body)
    assert [said for _, said in found] == [text]
    assert text == "name is required" or found[0][0] == line


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com", "http://", "http://a:x/"])
def test_a_url_that_nobody_can_get_is_refused(url: str) -> None:
    text = f"apiVersion: v1alpha1\nkind: HTTPProbeConfig\nname: web\nurl: '{url}'\n"
    assert problems(text) == [(4, f'url "{url}" is not http://host or https://host')]


def test_one_mistake_refuses_the_whole_file() -> None:
    good = HEADER + "name: one\nendpoint: a:1\n"
    assert problems(f"{good}---\n{HEADER}name: two\n")
