"""A file is recognised by what is in it, whichever kind it was taken for."""

from pathlib import Path

import pytest

from controllers.definitions.kinds import is_configuration
from controllers.definitions.service import read_service
from controllers.definitions.service_config import read_service_configs
from controllers.definitions.validation import validate
from resources.problem import (
    Severity,
)
from tests.controllers.definitions.files import HELLO

MACHINE_CONFIG = """\
version: v1alpha1 # Indicates the schema used to decode the contents.
debug: false
persist: true
machine:
  type: controlplane
  token: xxx
  env: {GRPC_GO_LOG_SEVERITY_LEVEL: info}
  kubelet: {image: kubelet}
cluster:
  controlPlane: {endpoint: "https://127.0.0.1:6443"}
"""
THERE = "; it belongs in a configuration file (etc/cosi/config.yaml, or --config FILE)"
CONFIG = (
    "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: hello-world\nenvironment: [A=B]\n"
)


@pytest.mark.parametrize(
    "text",
    [
        MACHINE_CONFIG,
        "machine: {}\n",
        "cluster: {}\n",
        "machine:\n  network: {hostname: x}\n",
        "# a patch\n---\n---\nmachine: {}\n",
        f"{MACHINE_CONFIG}---\n{CONFIG}",
        f"{CONFIG}---\n{MACHINE_CONFIG}",
        "version: v1alpha1\nmachine: {}\nname: stray\n",
        CONFIG,
        "apiVersion: v1alpha1\n",
        "kind: HostnameConfig\n",
    ],
)
def test_a_plain_machine_config_is_no_service_definition(text: str, tmp_path: Path) -> None:
    """Issue 14, item 28: it was taken for one that lacks a name and a container."""
    assert is_configuration(text.encode())
    path = tmp_path / "x.yaml"
    path.write_text(text)
    texts = [finding.problem.text for finding in validate([path])]
    assert not any("container" in text or "restart" in text for text in texts)


def test_a_machine_config_validates_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "controlplane.yaml"
    path.write_text(MACHINE_CONFIG)
    assert list(validate([path])) == []


@pytest.mark.parametrize(
    "text",
    [
        HELLO,
        HELLO + "---\n" + CONFIG,
        HELLO + "version: 3\n",
        "name: a\n",
        "container: {}\n",
        "",
        "- a\n",
        "just words",
        "{}",
        "name: [",
    ],
)
def test_everything_else_is_read_as_a_definition(text: str) -> None:
    assert not is_configuration(text.encode())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MACHINE_CONFIG, f"this is a machine configuration, not a service definition{THERE}"),
        (
            CONFIG,
            (
                'this is a document of kind "ExtensionServiceConfig", not a service definition'
                f"{THERE}"
            ),
        ),
        (
            "apiVersion: apps/v1\nkind: Pod\n",
            'this is a document of kind "Pod", not a service definition',
        ),
    ],
)
def test_configuration_among_the_definitions_is_told_what_it_is_and_where_it_belongs(
    text: str, problem: str
) -> None:
    reading = read_service(text.encode())
    assert reading.spec is None
    assert reading.message  # Talos's words, which the log has
    assert [found.text for found in reading.problems] == [problem]


def test_a_definition_among_the_configuration_is_told_what_it_is_and_where_it_belongs() -> None:
    """It was passed over in silence."""
    reading = read_service_configs((CONFIG + "---\n" + HELLO).encode())
    assert reading.configs == {}
    assert reading.message == (
        "this is a service definition, not a configuration document; it belongs in a file of its "
        "own in the definition directory (usr/local/etc/containers)"
    )
    assert reading.problems[0].line == 6


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "version: v1alpha1\nmachin: {}\n",
            'unknown key "machin" in a machine configuration is ignored; did you mean "machine"?',
        ),
        (
            CONFIG.replace("ServiceConfig", "ServicesConfig"),
            (
                'kind "ExtensionServicesConfig" is not read here; did you mean '
                '"ExtensionServiceConfig"?'
            ),
        ),
        (
            "apiVersion: v1alpha1\nkind: EnviromentConfig\n",
            'kind "EnviromentConfig" is not read here; did you mean "EnvironmentConfig"?',
        ),
    ],
)
def test_what_is_nearly_ours_is_not_passed_over_in_silence(text: str, warning: str) -> None:
    (problem,) = read_service_configs(text.encode()).problems
    assert (problem.severity, problem.text) == (Severity.WARNING, warning)


@pytest.mark.parametrize(
    "kind",
    [
        "HostnameConfig",
        "UserVolumeConfig",
        "KmsgLogConfig",
        "TimeSyncConfig",
        "SideroLinkConfig",
        "TrustedRootsConfig",
        "ContainerConfig",
        "EventSinkConfig",
        "ResolverConfig",
        "NetworkRuleConfig",
    ],
)
def test_other_kinds_of_talos_are_left_alone(kind: str) -> None:
    reading = read_service_configs(f"apiVersion: v1alpha1\nkind: {kind}\nname: x\n".encode())
    assert reading.problems == ()
