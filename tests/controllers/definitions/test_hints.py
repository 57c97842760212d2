"""What a message says besides what is wrong: the allowed words, the right level, what is meant."""

from __future__ import annotations

import pytest

from controllers.definitions.meanings import KEYS, WORDS
from controllers.definitions.schema import RecordSchema, record
from controllers.definitions.service import read_service
from controllers.definitions.service_config import read_service_configs
from resources.extension_service import ExtensionServiceSpec, NetworkCheck, Restart
from resources.problem import (
    Severity,
)

GOOD = "name: a\ncontainer:\n  entrypoint: ./a\nrestart: always\n"
CONFIG = "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\n"


def said(text: str) -> list[str]:
    return [problem.text for problem in read_service(text.encode()).problems]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("once", "never"),
        ("no", "never"),
        ("forever", "always"),
        ("unless-stopped", "always"),
        ("on-failure", "untilSuccess"),
        ("On-Failure", "untilSuccess"),
        ("alway", "always"),
    ],
)
def test_a_wrong_restart_word_lists_the_allowed_ones_and_suggests_by_meaning(
    word: str, meant: str
) -> None:
    """Issue 14, item 29; at first ``forever`` suggested ``never``, whose letters are like it."""
    assert said(GOOD.replace("restart: always", f"restart: {word}")) == [
        (
            f"{word} does not belong to RestartKind values: always, never, untilSuccess; "
            f'did you mean "{meant}"?'
        )
    ]


def test_a_word_that_means_nothing_of_ours_gets_the_list_alone() -> None:
    (text,) = said(GOOD.replace("always", "random"))
    assert text == "random does not belong to RestartKind values: always, never, untilSuccess"


def test_alternatives_copied_from_a_manual_page_are_to_be_chosen_from() -> None:
    (text,) = said(GOOD.replace("always", "never|always|untilSuccess"))
    assert text.endswith("values: always, never, untilSuccess; choose one")


@pytest.mark.parametrize(
    ("word", "meant"), [("dns", "etcfiles"), ("online", "connectivity"), ("adresses", "addresses")]
)
def test_every_enum_lists_its_words_network_checks_too(word: str, meant: str) -> None:
    assert said(GOOD + f"depends: [{{network: [{word}]}}]\n") == [
        (
            f"{word} does not belong to Status values: addresses, connectivity, hostname, "
            f'etcfiles; did you mean "{meant}"?'
        )
    ]


def test_a_missing_enum_says_which_words_there_are() -> None:
    assert said(GOOD.replace("restart: always\n", "")) == [
        "restart kind is invalid: RestartKind(0); restart is one of always, never, untilSuccess"
    ]


def test_a_wrong_flag_says_what_to_write() -> None:
    assert said(GOOD + "logToConsole: 1\n") == [
        "cannot construct !!int `1` into bool; write true or false"
    ]


def test_talos_own_message_stays_as_it_is() -> None:
    """People search for it."""
    message = read_service(GOOD.replace("always", "forever").encode()).message
    assert message.endswith("line 4: forever does not belong to RestartKind values")


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("entrypoint: ./b", "entrypoint", "it belongs under container"),
        ("environment: []", "environment", "it belongs under container"),
        ("maskedPaths: []", "maskedPaths", "it belongs under container.security"),
        ("service: cri", "service", "it belongs in an item of depends"),
        ("uidmappings: []", "uidmappings", "it belongs in an item of container.mounts"),
        ("envirnoment: []", "envirnoment", 'did you mean "environment", which belongs under'),
        ("command: ./b", "command", 'did you mean "entrypoint", which belongs under container?'),
        ("volumes: []", "volumes", 'did you mean "mounts", which belongs under container?'),
        ("requires: []", "requires", 'did you mean "depends"?'),
        ("depends_on: []", "depends_on", 'did you mean "depends"?'),
    ],
)
def test_a_known_key_at_the_wrong_level_says_where_it_belongs(
    text: str, key: str, hint: str
) -> None:
    """Issue 14, item 29."""
    (found,) = said(f"{GOOD}{text}\n")
    assert found.startswith(f'unknown key "{key}" is ignored; {hint}')


def test_a_key_of_the_top_level_inside_of_another_says_so() -> None:
    (found,) = said(GOOD.replace("  entrypoint", "  restart: never\n  entrypoint"))
    assert found == 'unknown key "restart" is ignored; it belongs at the top level'


def test_levels_are_known_in_configuration_documents_too() -> None:
    reading = read_service_configs((CONFIG + "content: x\nenvironment: [A=B]\n").encode())
    assert [problem.text for problem in reading.problems] == [
        'unknown key "content"; it belongs in an item of configFiles'
    ]


@pytest.mark.parametrize("value", ["$HOME/x", "${HOME}", "${HOME:-/root}", "$(HOME)", "a:$PATH"])
def test_a_variable_in_environment_warns_that_nothing_is_expanded(value: str) -> None:
    """Issue 14, item 29: ``$PATH`` is five letters to Talos, and to us."""
    text = GOOD.replace("  entrypoint", f'  environment: ["X={value}"]\n  entrypoint')
    reading = read_service(text.encode())
    assert [(p.line, p.severity, p.text) for p in reading.problems] == [
        (
            3,
            Severity.WARNING,
            '"$" in the value of "X" is literal: variables are not expanded',
        )
    ]
    assert reading.spec is not None


@pytest.mark.parametrize("value", ["5$", "$1", "$$HOME", "a$ b", "${}"])
def test_a_dollar_that_begins_no_name_warns_of_nothing(value: str) -> None:
    assert said(GOOD.replace("  entrypoint", f'  environment: ["X={value}"]\n  entrypoint')) == []


@pytest.mark.parametrize(
    ("container", "text"),
    [
        ("args: [--ip=$IP]", 'variables are not expanded: the argument is literally "--ip=$IP"'),
        (
            "mounts: [{source: /x/$A, destination: /y, type: bind}]",
            'variables are not expanded: source is literally "/x/$A"',
        ),
    ],
)
def test_a_variable_elsewhere_in_a_definition_warns_too(container: str, text: str) -> None:
    assert said(GOOD.replace("  entrypoint", f"  {container}\n  entrypoint")) == [text]


def test_what_a_shell_is_given_it_expands_itself() -> None:
    assert said(GOOD.replace("./a", "/bin/sh\n  args: [-c, echo $HOME]")) == []


def test_the_warning_about_a_config_names_its_key_and_never_the_secret() -> None:
    """Configs are sensitive, the status that holds the warning is not."""
    reading = read_service_configs((CONFIG + "environment: [TOKEN=s3cr$et]\n").encode())
    (problem,) = reading.problems
    assert problem.severity is Severity.WARNING
    assert problem.text == '"$" in the value of "TOKEN" is literal: variables are not expanded'


def test_the_error_about_a_config_names_its_key_and_never_the_secret() -> None:
    reading = read_service_configs((CONFIG + 'environment: ["TOKEN=s3cret\\0"]\n').encode())
    assert [problem.text for problem in reading.problems] == [
        'environment "TOKEN" has a NUL character'
    ]


def test_every_meaning_is_of_a_word_or_key_that_there_is() -> None:
    assert set(WORDS) == {Restart, NetworkCheck}
    theirs = [word for words in WORDS.values() for meant in words.values() for word in meant]
    assert all(word == word.casefold() for word in theirs)
    assert set(KEYS) <= keys_of(record(ExtensionServiceSpec)) | {"configFiles", "mountPath"}


def keys_of(shape: RecordSchema) -> set[str]:
    found = set(shape.keys)
    for field in shape.keys.values():
        inner = getattr(field.shape, "item", field.shape)
        if isinstance(inner, RecordSchema):
            found |= keys_of(inner)
    return found
