"""Section 2.1: configuration documents, what they may say and how it is refused."""

import pytest

from controllers.definitions.documents import config_documents
from controllers.definitions.service_config import ConfigReading, read_service_configs
from cosi import Value
from resources.duration import Duration
from resources.extension_service_config import ConfigFile, ExtensionServiceConfig

NUT = """\
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: nut-client
configFiles:
  - content: MONITOR ${upsmonHost} 1 remote
    mountPath: /usr/local/etc/nut/upsmon.conf
environment:
  - NUT_UPS=upsname
"""
FOO = "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: foo\n"


def read(text: str) -> ConfigReading:
    return read_service_configs(text.encode())


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def test_talos_two_documents() -> None:
    """Talos: TestReconcileExtensionServiceConfig; content is literal, whatever it looks like."""
    assert read(NUT + "---\n" + FOO + "environment: [A=B]\n").configs == {
        "nut-client": ExtensionServiceConfig(
            files=(
                ConfigFile(
                    content="MONITOR ${upsmonHost} 1 remote",
                    mount_path="/usr/local/etc/nut/upsmon.conf",
                ),
            ),
            environment=("NUT_UPS=upsname",),
        ),
        "foo": ExtensionServiceConfig(environment=("A=B",)),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'no config files found for extension "foo"'),
        ("configFiles: []", 'no config files found for extension "foo"'),
        (
            "configFiles: [{mountPath: /a}]",
            'extension content is required for extension "foo"',
        ),
        (
            "configFiles: [{content: x}]",
            'extension mount path is required for extension "foo"',
        ),
        (
            "configFiles: [{content: x, mountPath: /a/../b}]",
            'extension mount path "/a/../b" leaves its directory',
        ),
        ("configFiles: [{content: x, mountPath: ..}]", 'mount path ".." leaves its directory'),
        ("environment: [A=B]\nfoo: x", 'unknown key "foo"'),
        (
            "environment: [A=B]\nconfigfiles: []",
            'unknown key "configfiles"; did you mean "configFiles"?',
        ),
        ("environment: A=B", "cannot construct !!str `A=B` into []string"),
    ],
)
def test_a_document_that_is_refused(text: str, problem: str) -> None:
    reading = read(FOO + text)
    assert reading.configs == {}
    assert reading.message.endswith(problem)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("''", "name is required"),
        ("~", "name is required"),
        ("../foo", 'name "../foo" leaves its directory'),
        ("a/b", 'name "a/b" leaves its directory'),
        ("..", 'name ".." leaves its directory'),
    ],
)
def test_a_name_that_is_refused(name: str, problem: str) -> None:
    """Guards differences: Talos 10: a name with ``../`` escapes the directory."""
    text = FOO.replace("foo", name) + "environment: [A=B]"
    assert [line.partition("error: ")[2] for line in problems(text)] == [problem]


def test_all_problems_of_all_documents_are_told_and_nothing_is_taken() -> None:
    text = f"{NUT}---\n{FOO}configFiles:\n  - content: x\n  - mountPath: /b\n"
    assert problems(text) == [
        '14:5: error: extension mount path is required for extension "foo"',
        '15:5: error: extension content is required for extension "foo"',
    ]
    assert read(text).configs == {}


def test_duplicate_documents_are_refused() -> None:
    assert read(f"{NUT}---\n{NUT}").message == (
        "duplicate document v1alpha1/ExtensionServiceConfig/nut-client is not allowed (line 10)"
    )


def test_a_missing_or_misspelt_api_version() -> None:
    """Talos: decoder, "misspelled apiVersion"."""
    text = NUT.replace("apiVersion", "apiversion")
    assert problems("\n" + text) == [
        (
            "2:1: error: error decoding document /ExtensionServiceConfig/ (line 2): "
            'missing apiVersion; did you mean "apiVersion"?'
        )
    ]
    text = NUT.replace("apiVersion: v1alpha1\n", "")
    assert read("\n" + text).message == (
        "error decoding document /ExtensionServiceConfig/ (line 2): missing apiVersion"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("apiVersion: v1alpha1\nname: x", "missing kind"),
        ("apiVersion: v2\nkind: X", '"X" "v2": not registered; the version is v1alpha1'),
        ("- a", "a configuration document is a mapping with apiVersion and kind"),
    ],
)
def test_a_header_that_is_refused(text: str, problem: str) -> None:
    assert read(text).message == problem


def test_a_broken_document_takes_those_before_it_with_it() -> None:
    reading = read(NUT + "---\n[")
    assert reading.configs == {}
    assert reading.message == "yaml: did not find expected node content"


def test_other_kinds_and_the_main_configuration_are_left_alone() -> None:
    text = "version: v1alpha1\nmachine: {}\n---\n" + NUT + "---\n---\n"
    text += "apiVersion: v1alpha1\nkind: HostnameConfig\nname: x\nanything: at all\n"
    assert list(read(text).configs) == ["nut-client"]
    assert problems(text) == []


def test_what_cannot_be_meant_is_a_warning() -> None:
    files = "configFiles:\n- {content: a, mountPath: /a}\n- {content: b, mountPath: /a}\n"
    assert problems(FOO.replace("foo", "Foo") + files) == [
        '3:7: warning: no service can have this name: name "Foo" is invalid',
        '5:27: warning: mount path "/a" is given again; the last one counts',
    ]


class Probe(Value):
    """A document of another kind, read by the same reader."""

    name: str
    interval: Duration
    count: int = 0


def test_any_kind_can_be_decoded() -> None:
    text = "apiVersion: v1alpha1\nkind: Probe\nname: x\ninterval: 1m30s\ncount: 3\n"
    (document,) = config_documents(text.encode()).documents
    assert (document.kind, document.name, document.line) == ("Probe", "x", 1)
    decoded = document.decode(Probe)
    assert decoded.value is not None
    assert (decoded.value.interval.total_seconds(), decoded.value.count) == (90, 3)


def test_what_pydantic_refuses_has_a_place_too() -> None:
    text = "apiVersion: v1alpha1\nkind: Probe\ninterval: soon\n"
    (document,) = config_documents(text.encode()).documents
    assert [str(problem) for problem in document.decode(Probe).problems] == [
        "3:11: error: invalid duration 'soon': write it like 1m30s or 500ms",
    ]


def test_a_bomb_in_a_document_does_not_go_off() -> None:
    text = FOO + "x: &x [" + "y," * 2_000 + "]\nenvironment: *x\n"
    many = "configFiles: [" + "{content: c, mountPath: /x, extra: 1}," * 3_000 + "]\n"
    reading = read(text + many)
    assert reading.configs == {}
    assert len(reading.problems) <= 101
