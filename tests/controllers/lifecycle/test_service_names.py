"""Ids that people mix up are found, and others are not."""

import pytest

from controllers.lifecycle.service_names import ServiceNames, to_be_registered


@pytest.mark.parametrize("said", ["hyperv-kvp", "hyperv_kvp", "ext_hyperv.kvp", "EXT-HypervKVP"])
def test_prefix_case_and_separators_make_no_other_service(said: str) -> None:
    assert ServiceNames(["ext-hyperv-kvp", "cri"]).like(said) == ("ext-hyperv-kvp",)


@pytest.mark.parametrize(
    ("said", "there"), [("ext-a", "ext-b"), ("ra", "ext-extra"), ("a", "a"), ("", "ext-a")]
)
def test_what_is_another_service_or_the_same_is_not_found(said: str, there: str) -> None:
    assert ServiceNames([there]).like(said) == ()


def test_extra_is_a_name_and_no_prefix() -> None:
    assert ServiceNames(["ext-extra"]).like("extra") == ("ext-extra",)


def test_what_was_taken_out_is_not_found() -> None:
    names = ServiceNames(["ext-a", "ext_a"])
    names.discard("ext-a")
    names.discard("ext-never")
    assert names.like("a") == ("ext_a",)
    names.discard("ext_a")
    assert names.like("a") == ()


def test_the_words() -> None:
    assert to_be_registered("a") == 'service "a" to be registered'
    assert to_be_registered("a", "b") == 'service "a" to be registered (did you mean "b"?)'
