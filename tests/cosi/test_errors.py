"""Errors: one tree, and each names what it is about."""

import pickle

import pytest

import cosi.errors
from cosi import Conflict, CosiError, NotFound, Pointer

WHERE = Pointer("ns", "Things.a.b", "x")
ALL = [e for e in vars(cosi.errors).values() if isinstance(e, type) and issubclass(e, CosiError)]


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_in_the_tree_and_pickles(error: type[CosiError]) -> None:
    again = pickle.loads(pickle.dumps(error("what happened", WHERE)))
    assert type(again) is error
    assert (str(again), again.pointer) == ("what happened", WHERE)


def test_a_conflict_cannot_be_made_without_a_pointer() -> None:
    """differences: COSI 4: a version conflict without pointer crashed who asked what it is
    about.
    """
    with pytest.raises(TypeError):
        Conflict("what happened")  # type: ignore[call-arg]
    assert NotFound("what happened").pointer is None
