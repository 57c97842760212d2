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
