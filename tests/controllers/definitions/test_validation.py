"""``cosi validate``: paths in, lines out."""

from pathlib import Path

import pytest

from controllers.definitions.validation import validate
from tests.controllers.definitions.files import HELLO, definition

EXAMPLES = Path(__file__).parents[3] / "examples"


def lines(*paths: Path, below: Path) -> list[str]:
    return [str(finding).replace(f"{below}/", "") for finding in validate(paths)]


def test_a_directory_stands_for_its_definition_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HELLO)
    (tmp_path / "b.yaml").write_text(HELLO.replace("restart", "restrat"))
    (tmp_path / "c.yaml").write_text(HELLO)
    (tmp_path / "d.yml").write_text("[")
    assert lines(tmp_path, below=tmp_path) == [
        (
            "b.yaml:1:1: error: restart kind is invalid: RestartKind(0); "
            "restart is one of always, never, untilSuccess"
        ),
        'b.yaml:4:1: warning: unknown key "restrat" is ignored; did you mean "restart"?',
        'c.yaml:1:7: error: duplicate service spec: "hello-world" is defined by a.yaml',
    ]


def test_two_files_given_by_name_are_not_one_machine(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(definition("x"))
    assert lines(tmp_path / "a", tmp_path / "b", below=tmp_path) == []


def test_the_text_says_what_kind_of_file_it_is(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\nfoo: 1\n")
    found = lines(config, below=tmp_path)
    assert found == [
        'config.yaml:1:1: error: no config files found for extension "a"',
        'config.yaml:4:1: error: unknown key "foo"',
    ]


@pytest.mark.parametrize(
    ("name", "text"), [("missing", "open missing: no such file or directory"), (".", None)]
)
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str | None) -> None:
    expected = [f"{name}:1:1: error: {text}"] if text else []
    assert lines(tmp_path / name, below=tmp_path) == expected


def test_a_finding_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text('name: "a\\nb"\nrestart: always\ncontainer: {entrypoint: ./x}\n"k\\nk": 1\n')
    findings = list(validate([path]))
    assert [finding.is_error for finding in findings] == [True, False]
    assert all("\n" not in str(finding) for finding in findings)


def test_the_examples_are_valid() -> None:
    definitions = EXAMPLES / "rootfs/usr/local/etc/containers"
    assert list(validate([definitions, *EXAMPLES.rglob("config.yaml")])) == []


# -- across the files of one machine -------------------------------------------


def depending(name: str, *services: str) -> str:
    return definition(name) + "depends:\n" + "".join(f"  - service: {s}\n" for s in services)


def config(*names: str) -> str:
    head = "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\n"
    return "".join(f"{head}name: {name}\nenvironment: [A=B]\n" for name in names)


@pytest.mark.parametrize("said", ["hyperv-kvp", "hyperv_kvp", "ext_hyperv_kvp", "Ext-Hyperv-KVP"])
def test_a_dependency_on_a_name_where_the_id_is_meant_is_an_error(
    tmp_path: Path, said: str
) -> None:
    (tmp_path / "a.yaml").write_text(depending("a", "cri", said))
    (tmp_path / "z.yaml").write_text(definition("hyperv-kvp"))
    assert lines(tmp_path, below=tmp_path) == [
        (
            f'a.yaml:7:14: error: waits for service "{said}" to be registered '
            '(did you mean "ext-hyperv-kvp"?)'
        )
    ]


def test_the_prefix_before_a_service_of_talos_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(depending("a", "ext-containerd"))
    assert lines(tmp_path, below=tmp_path) == [
        (
            'a.yaml:6:14: error: waits for service "ext-containerd" to be registered '
            '(did you mean "containerd"?)'
        )
    ]


def test_a_dependency_on_an_unknown_service_is_a_warning(tmp_path: Path) -> None:
    """The machine may have services that no file defines."""
    (tmp_path / "a.yaml").write_text(depending("a", "ext-rcpbind", "nothing", "udevd"))
    (tmp_path / "b.yaml").write_text(definition("rpcbind"))
    waits = 'warning: waits for service "{}" to be registered'
    assert lines(tmp_path, below=tmp_path) == [
        f'a.yaml:6:14: {waits.format("ext-rcpbind")} (did you mean "ext-rpcbind"?)',
        f"a.yaml:7:14: {waits.format('nothing')}",
    ]


def test_every_member_of_a_cycle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(depending("a", "ext-b"))
    (tmp_path / "b.yaml").write_text(depending("b", "cri", "ext-a"))
    (tmp_path / "c.yaml").write_text(depending("c", "ext-a"))
    (tmp_path / "d.yaml").write_text(depending("d", "ext-d"))
    assert lines(tmp_path, below=tmp_path) == [
        'a.yaml:6:14: error: waits for service "ext-a" -> "ext-b" -> "ext-a"',
        'b.yaml:7:14: error: waits for service "ext-b" -> "ext-a" -> "ext-b"',
        'd.yaml:6:14: error: waits for service "ext-d" -> "ext-d"',
    ]


def test_config_documents_for_no_service_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(definition("tailscale"))
    (tmp_path / "config.yaml").write_text(config("tailscale", "ext-tailscale", "other"))
    assert lines(tmp_path, below=tmp_path) == [
        (
            'config.yaml:9:7: warning: no service has the name "ext-tailscale" '
            '(did you mean "tailscale"?)'
        ),
        'config.yaml:14:7: warning: no service has the name "other"',
    ]


def test_a_config_file_beside_a_directory_is_that_machines(tmp_path: Path) -> None:
    directory, other = tmp_path / "definitions", tmp_path / "a.yaml"
    directory.mkdir()
    (directory / "a.yaml").write_text(definition("a"))
    other.write_text(config("b"))
    assert lines(other, directory, below=tmp_path) == [
        'a.yaml:4:7: warning: no service has the name "b"'
    ]


def test_a_document_that_two_files_have_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(config("x"))
    (tmp_path / "b.yaml").write_text(config("x"))
    assert lines(tmp_path, below=tmp_path) == [
        ("b.yaml:4:7: error: duplicate document: ExtensionServiceConfig/x is already in a.yaml")
    ]


def test_a_file_given_alone_is_judged_by_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(depending("a", "ext-b", "b"))
    assert lines(path, below=tmp_path) == []
    path.write_text(depending("a", "ext-a"))
    assert lines(path, below=tmp_path) == [
        'a.yaml:6:14: error: waits for service "ext-a" -> "ext-a"'
    ]


def test_a_definition_that_is_refused_defines_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(depending("a", "ext-b"))
    (tmp_path / "b.yaml").write_text(definition("b", restart="forever"))
    found = lines(tmp_path, below=tmp_path)
    assert found[0] == 'a.yaml:6:14: warning: waits for service "ext-b" to be registered'
