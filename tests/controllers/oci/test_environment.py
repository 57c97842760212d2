"""What is in the environment of a container's process, and who wins."""

from controllers.oci.environment import merge, process_environment


def test_an_item_replaces_its_key_in_place() -> None:
    assert merge(["A=1", "B=2", "C=3"], ["B=x"]) == ["A=1", "B=x", "C=3"]


def test_a_new_key_is_appended() -> None:
    assert merge(["A=1"], ["B=2"]) == ["A=1", "B=2"]


def test_an_item_without_a_value_removes_the_key_that_was_there_before() -> None:
    assert merge(["A=1", "B=2"], ["A"]) == ["B=2"]
    assert merge([], ["A=1", "A"]) == ["A=1"]


def test_duplicates_within_a_step_are_all_appended() -> None:
    assert merge([], ["A=1", "A=2"]) == ["A=1", "A=2"]


def test_a_value_may_hold_an_equals_sign_and_be_empty() -> None:
    assert merge(["A=1"], ["A=b=c", "B="]) == ["A=b=c", "B="]


def test_every_key_is_there_once_and_the_last_wins() -> None:
    """differences: Talos 16: duplicates relied on runc to keep the last."""
    assert process_environment((), {}, ["A=1", "B=2", "A=3"]) == ["B=2", "A=3"]


def test_config_wins_over_the_definition_over_the_file_over_the_machine() -> None:
    environment = process_environment(
        ["A=machine", "B=machine", "C=machine", "D=machine"],
        {"B": "file", "C": "file", "D": "file"},
        ["C=definition", "D=definition", "D=config"],
    )
    assert sorted(environment) == ["A=machine", "B=file", "C=definition", "D=config"]


def test_nothing_is_added_by_itself() -> None:
    assert process_environment((), {}, ()) == []


def test_a_literal_dollar_path_stays_literal() -> None:
    path = "PATH=/usr/bin:$PATH"
    assert process_environment(["PATH=/bin"], {}, [path]) == [path]
