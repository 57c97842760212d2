"""The machine's environment in configuration documents: ``machine.env``, ``EnvironmentConfig``."""

import pytest

from controllers.definitions.machine_config import merged
from controllers.definitions.service_config import ConfigReading, read_service_configs

MACHINE = "version: v1alpha1\nmachine:\n  type: worker\n  env:\n    {}\ncluster: {{}}\n"
DOCUMENT = "---\napiVersion: v1alpha1\nkind: EnvironmentConfig\nvariables:\n  {}\n"


def read(text: str) -> ConfigReading:
    return read_service_configs(text.encode())


def environment(text: str) -> tuple[str, ...]:
    reading = read(text)
    assert reading.problems == ()
    return merged(reading.environment)


def test_both_documents_say_variables_and_environment_config_wins() -> None:
    """Specification 5.4: kernel arguments, then ``machine.env``, then ``EnvironmentConfig``."""
    text = MACHINE.format("{B: machine, A: machine}") + DOCUMENT.format("{B: document, C: ''}")
    assert environment(text) == ("A=machine", "B=document", "C=")
    reordered = DOCUMENT.format("{B: document}") + "---\n" + MACHINE.format("{B: machine}")
    assert environment(reordered) == ("B=document",)


@pytest.mark.parametrize(
    ("value", "taken"), [("1", "1"), ("true", "true"), ("0x10", "0x10"), ("~", ""), ("a=b", "a=b")]
)
def test_values_are_texts_as_they_are_spelt(value: str, taken: str) -> None:
    assert environment(DOCUMENT.format(f"A: {value}")) == (f"A={taken}",)


def test_a_machine_config_without_environment_says_none() -> None:
    assert environment("version: v1alpha1\nmachine: {type: worker, env: ~}\n") == ()
    assert environment("version: v1alpha1\ncluster: {}\n") == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DOCUMENT.format("1A: x"), 'invalid environment variable name: "1A"'),
        (DOCUMENT.format("A-B: x"), 'invalid environment variable name: "A-B"'),
        (DOCUMENT.format("A: [x]"), "cannot construct !!seq into string"),
        (DOCUMENT.format("- A=B"), "cannot construct !!seq into map[string]string"),
        (DOCUMENT.format("A: x\nname: y"), 'unknown key "name"'),
        (
            DOCUMENT.format("A: x\nvariable: {}"),
            'unknown key "variable"; did you mean "variables"?',
        ),
        (MACHINE.format("- A=B"), "cannot construct !!seq into map[string]string"),
        (MACHINE.format("'A=B': x"), 'invalid environment variable name: "A=B"'),
        (MACHINE.format('A: "s3cret\\0"'), 'the value of "A" has a NUL character'),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    reading = read(text)
    assert reading.message == problem
    assert reading.environment == {}


def test_a_name_that_is_none_of_posix_is_taken_from_the_main_document_as_talos_does() -> None:
    assert environment(MACHINE.format("a.b: x")) == ("a.b=x",)


def test_two_documents_of_the_environment_in_one_file_are_refused() -> None:
    assert "duplicate document v1alpha1/EnvironmentConfig is not allowed" in (
        read(DOCUMENT.format("A: x") + DOCUMENT.format("B: x")).message
    )


def test_a_variable_in_a_value_warns_that_nothing_is_expanded_and_keeps_the_secret() -> None:
    (problem,) = read(DOCUMENT.format("A: pa$sword")).problems
    assert (problem.line, problem.column) == (5, 6)
    assert problem.text == '"$" in the value of "A" is literal: variables are not expanded'
