"""The payload of a service: what it refuses by itself, and how it is shown."""

import pytest
from pydantic import ValidationError

from resources.extension_service import (
    Container,
    Dependency,
    ExtensionServiceSpec,
    Mount,
    Restart,
    service_id,
)
from resources.go_format import (
    quote,
    several,
)


def service(**changes: object) -> ExtensionServiceSpec:
    given = {"name": "a", "container": Container(entrypoint="x"), "restart": Restart.ALWAYS}
    return ExtensionServiceSpec.model_validate(given | changes)


def test_a_service_is_known_by_its_prefixed_name() -> None:
    assert service_id("hello-world") == service(name="hello-world").service_id == "ext-hello-world"


@pytest.mark.parametrize("name", ["", "A", "../a", "a/b", "a--b", "a b", "a\n"])
def test_a_service_whose_name_is_no_name_cannot_be_made(name: str) -> None:
    with pytest.raises(ValidationError, match="is invalid"):
        service(name=name)


def test_a_service_that_no_runtime_can_start_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="container endpoint can't be empty"):
        service(container=Container(entrypoint=""))
    with pytest.raises(ValidationError, match="mount destination can't be empty"):
        service(container=Container(entrypoint="x", mounts=(Mount(destination="", source="/a"),)))


def test_a_dependency_is_on_exactly_one_thing() -> None:
    with pytest.raises(ValidationError, match="no dependency specified"):
        Dependency()
    with pytest.raises(ValidationError, match="more than a single dependency is set"):
        Dependency(service="cri", time=True)


def test_the_schema_describes_the_definition_file() -> None:
    schema = ExtensionServiceSpec.model_json_schema(by_alias=True)
    assert set(schema["required"]) == {"name", "container", "restart"}
    assert schema["properties"]["logToConsole"]["type"] == "boolean"
    assert "maskedPaths" in schema["$defs"]["Security"]["properties"]
    assert schema["properties"]["name"]["description"].startswith("The name of the service")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('a"b\\', r'"a\"b\\"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x7f", r'"\x00\x7f"'),
        ("ä€😀", '"ä€😀"'),
        ("\u200b\U000e0001", r'"\u200b\U000e0001"'),
    ],
)
def test_texts_are_quoted_as_go_does(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_several_errors_are_listed_as_go_does() -> None:
    assert several(["a"]) == "1 error occurred:\n\t* a\n\n"
    assert several(["a", "b"]) == "2 errors occurred:\n\t* a\n\t* b\n\n"
