"""Types and namespaces as resources."""

import pytest

from cosi import InMemoryState, Spec
from cosi.errors import AlreadyExists, InvalidResource
from cosi.resource._yaml_form import spec_to_yaml
from cosi.state import (
    Namespace,
    PrintColumn,
    ResourceDefinition,
    register_defaults,
    register_namespace,
    register_types,
)
from cosi.state._meta import define, resource_definition


class SecretTable(
    Spec, type="SecretTables.meta.example.org", sensitive=True, columns={"Rows": "{.rows}"}
):
    rows: int = 0


def test_the_definition_of_definitions_is_cosis() -> None:
    definition = resource_definition(ResourceDefinition)
    assert definition.id == "resourcedefinitions.meta.cosi.dev"
    assert definition.namespace == "meta"
    assert definition.spec == ResourceDefinition(
        type="ResourceDefinitions.meta.cosi.dev",
        display_type="ResourceDefinition",
        default_namespace="meta",
        aliases=("api-resources", "resourcedefinition", "rd", "rds"),
        all_aliases=(
            "resourcedefinitions",
            "resourcedefinitions.meta",
            "resourcedefinitions.meta.cosi",
            "api-resources",
            "resourcedefinition",
            "rd",
            "rds",
        ),
        print_columns=(PrintColumn(name="Aliases", json_path="{.aliases[:]}"),),
    )
    assert resource_definition(Namespace).spec.aliases == ("ns", "namespace")


def test_what_is_not_said_is_not_written() -> None:
    plain = spec_to_yaml(define("Names.aa.bb", "aa"))
    assert "sensitivity" not in plain
    assert "skipAutomaticAliases" not in plain
    other = spec_to_yaml(
        define("Names.aa.bb", "aa", sensitivity="sensitive", automatic_aliases=False)
    )
    assert "sensitivity: sensitive\n" in other
    assert "skipAutomaticAliases: true\n" in other


def test_sensitivity_and_columns_come_from_the_class() -> None:
    spec = resource_definition(SecretTable).spec
    assert spec.sensitivity == "sensitive"
    assert spec.print_columns == (PrintColumn(name="Rows", json_path="{.rows}"),)


def test_without_automatic_aliases_there_are_only_those_given() -> None:
    spec = define("Names.aa.bb", "aa", aliases=("n",), automatic_aliases=False)
    assert spec.aliases == spec.all_aliases == ("n",)


def test_initials_that_end_in_s_have_no_plural() -> None:
    assert define("LinkStatuses.aa", "aa").aliases == ("linkstatus", "ls")


@pytest.mark.parametrize(
    ("type", "singular"),
    [
        ("Sms.aa", "Sms"),
        ("Statuses.aa", "Status"),
        ("Addresses.aa", "Address"),
        ("Policies.aa", "Policy"),
        ("Canvases.aa", "Canvas"),
    ],
)
def test_singulars_are_those_of_go(type: str, singular: str) -> None:
    """``Sms`` was ``Sm``. Thousands of words are compared in tests/interop/test_go_answers.py."""
    assert define(type, "aa").display_type == singular


def test_a_singular_may_be_given_where_english_does_not_help() -> None:
    assert define("SystemInformation.aa", "aa", singular="SystemInformation").display_type == (
        "SystemInformation"
    )


@pytest.mark.parametrize(
    ("type", "problem"),
    [
        ("Names", "missing suffix"),
        (".aa", "name is empty"),
        ("Names.", "suffix is empty"),
        ("names.aa", "name should be in CamelCase"),
        ("Na_mes.aa", 'name doesn\'t match "^[A-Z][A-Za-z0-9-]+$"'),
        ("N.aa", 'name doesn\'t match "^[A-Z][A-Za-z0-9-]+$"'),
        ("Names.aa\n", 'suffix doesn\'t match "^[a-z][a-z0-9-]+(\\\\.[a-z][a-z0-9-]+)*$"'),
        ("Names.a", 'suffix doesn\'t match "^[a-z][a-z0-9-]+(\\\\.[a-z][a-z0-9-]+)*$"'),
        ("SystemInformation.aa", "name should be plural"),
    ],
)
def test_a_type_name_is_checked_in_cosis_order_and_words(type: str, problem: str) -> None:
    with pytest.raises(InvalidResource) as caught:
        define(type, "aa")
    assert str(caught.value) == f'error validating resource definition "{type}": {problem}'
    assert caught.value.pointer is not None


def test_sensitivity_is_checked_last() -> None:
    with pytest.raises(InvalidResource, match='unknown sensitivity "very"'):
        define("Names.aa", "aa", sensitivity="very")


async def test_registering_twice_in_the_same_words_is_fine() -> None:
    state = InMemoryState()
    for _ in range(2):
        await register_defaults(state)
        await register_types(state, SecretTable)
    assert [r.id for r in await state.list(ResourceDefinition)] == [
        "namespaces.meta.cosi.dev",
        "resourcedefinitions.meta.cosi.dev",
        "secrettables.meta.example.org",
    ]
    (namespace,) = await state.list(Namespace)
    assert (namespace.id, namespace.owner) == ("meta", "meta")
    with pytest.raises(AlreadyExists):
        await register_namespace(state, "meta", "something else")
