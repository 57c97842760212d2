"""A slip in the class line of a payload is refused there, with the right spelling."""

from __future__ import annotations

from typing import Any

import pytest

from cosi import Spec, Value


def test_a_misspelt_class_keyword_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"Sofa: unknown class keyword 'colums'; did you mean 'columns'"
    ):

        class Sofa(Spec, type="Sofas.house.dev", colums={"On": "{.on}"}):
            on: bool = False


def test_a_keyword_of_pydantic_is_none_of_ours() -> None:
    class Sofa(Spec, type="Sofas.house.dev", title="A lamp"):
        on: bool = False

    assert Sofa.model_config["title"] == "A lamp"


def test_a_part_takes_no_keyword_of_a_payload() -> None:
    with pytest.raises(TypeError, match="Bulb: unknown class keyword 'type'"):

        class Bulb(Value, type="Bulbs.house.dev"):
            pass


def test_a_base_may_take_keywords_of_its_own() -> None:
    class Priced(Spec, type="Priceds.house.dev"):
        @classmethod
        def __pydantic_init_subclass__(cls, *, price: int = 0, **kwargs: Any) -> None:
            super().__pydantic_init_subclass__(**kwargs)
            cls.price_of_class = price  # type: ignore[attr-defined]  # what the test looks at

    class Sofa(Priced, type="Sofas.house.dev", price=3):
        pass

    assert Sofa.price_of_class == 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="unknown class keyword 'prize'; did you mean 'price'"):

        class Chair(Priced, type="Chairs.house.dev", prize=3):
            pass


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sofas.house.dev", "; did you mean 'Sofas.house.dev'?"),
        ("Sofas.House.dev", "; did you mean 'Sofas.house.dev'?"),
        ("Sofas", ""),
        (".house", ""),
        ("Sofas.", ""),
        ("La mps.house.dev", ""),
    ],
)
def test_a_type_name_that_no_state_takes_is_refused(written: str, meant: str) -> None:
    with pytest.raises(TypeError) as raised:

        class Sofa(Spec, type=written):
            pass

    assert str(raised.value) == (
        f'Sofa: type {written!r} is not NAME.GROUP, such as "ServiceGates.runtime.talos.dev"{meant}'
    )


def test_a_column_of_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no field 'brigthness'; did you mean 'brightness'"):

        class Sofa(Spec, type="Sofas.house.dev", columns={"Light": "{.brigthness}"}):
            brightness: int = 0


def test_a_column_by_the_name_in_python_is_refused_as_it_would_be_empty() -> None:
    with pytest.raises(TypeError, match=r"no field 'wanted_by'; did you mean 'wantedBy'"):

        class Sofa(Spec, type="Sofas.house.dev", columns={"By": "{.wanted_by}"}):
            wanted_by: str = ""
