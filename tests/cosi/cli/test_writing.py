"""`cosi apply` and `cosi delete` against a real server on a socket."""

from pathlib import Path

from cosi.resource._envelope import kind_of
from tests.cosi.cli.conftest import Served
from tests.cosi.cli.things import Lamp, lamp

DESK = """\
metadata:
    namespace: house
    type: Lamps.house.example.dev
    id: desk
spec:
    colors: [red]
"""
POINTER = "Lamps.house.example.dev(house/desk)"


def test_apply_creates_updates_and_leaves_alone(served: Served) -> None:
    def apply(text: str) -> str:
        return served.cosi("apply", "-f", "-", input=text).stdout

    assert apply(DESK) == f"{POINTER} created\n"
    assert apply(DESK) == f"{POINTER} unchanged\n"
    assert apply(DESK.replace("red", "blue")) == f"{POINTER} updated\n"
    assert served.portal.call(served.state.get, Lamp, "desk").spec.colors == ("blue",)


def test_a_resource_without_a_class_here_is_left_alone_however_it_is_written(
    served: Served,
) -> None:
    text = DESK.replace("Lamps.house.example.dev", "Shades.house.example.dev")
    written = [
        text.replace("spec:\n    colors: [red]\n", spec)
        for spec in ("spec: {colors: [red], n: 1}\n", "spec:\n  n: 1\n  colors:\n  - red\n")
    ]
    done = [
        served.cosi("apply", "--allow-unknown", "-f", "-", input=each).stdout.split()[-1]
        for each in (*written, written[0])
    ]
    assert done == ["created", "unchanged", "unchanged"]


def test_what_get_shows_can_be_applied(served: Served) -> None:
    served.given(lamp("desk"), lamp("hall"))
    shown = served.cosi("get", "lamps", "-o", "yaml").stdout

    result = served.cosi("apply", "-f", "-", input=shown)

    assert result.stdout.count("unchanged") == 2


def test_a_mistake_in_any_file_is_found_before_anything_is_written(
    served: Served, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(DESK)
    bad.write_text(DESK.replace("colors", "colours"))

    result = served.cosi("apply", "-f", str(good), "-f", str(bad))

    assert result.exit_code == 1
    assert f"cosi: {bad}:6:5: spec.colours: " in result.stderr
    assert served.portal.call(served.state.find, Lamp, "desk") is None


def test_a_resource_of_a_controller_is_changed_in_its_name_only(served: Served) -> None:
    served.given(lamp("desk").evolve(owner="LampController"))

    refused = served.cosi("apply", "-f", "-", input=DESK)
    allowed = served.cosi(
        "apply", "-f", "-", input=DESK.replace("id: desk", "id: desk\n    owner: LampController")
    )

    assert refused.exit_code == 1
    assert "LampController" in refused.stderr
    assert allowed.stdout == f"{POINTER} updated\n"


def test_nothing_to_apply_is_said(served: Served) -> None:
    result = served.cosi("apply", "-f", "-", input="---\n")
    assert result.exit_code == 1
    assert result.stderr == "cosi: stdin: contains no resource\n"


def test_delete_destroys(served: Served) -> None:
    served.given(lamp("desk"))

    assert served.cosi("delete", "lamp", "desk").stdout == f"{POINTER} deleted\n"
    assert served.portal.call(served.state.find, Lamp, "desk") is None
    assert served.cosi("delete", "lamp", "desk").exit_code == 1


def test_delete_says_who_holds_the_resource(served: Served) -> None:
    served.given(lamp("desk"))
    served.portal.call(served.state.add_finalizer, Lamp, "desk", "Reader", "Sleeper")

    result = served.cosi("delete", "lamp", "desk", "--timeout", "0.05")

    assert result.exit_code == 1
    assert "is being torn down but still has finalizers: Reader, Sleeper" in result.stderr
    assert served.portal.call(served.state.get, Lamp, "desk").tearing_down


def test_delete_waits_for_those_who_let_go(served: Served) -> None:
    served.given(lamp("desk"))
    served.portal.call(served.state.add_finalizer, Lamp, "desk", "Reader")

    async def let_go() -> None:
        await served.state.watch_for(kind_of(Lamp), "desk", lambda resource: resource.tearing_down)
        await served.state.remove_finalizer(Lamp, "desk", "Reader")

    letting_go = served.portal.start_task_soon(let_go)
    assert served.cosi("delete", "lamp", "desk").stdout == f"{POINTER} deleted\n"
    letting_go.result()


def test_delete_refuses_what_a_controller_owns(served: Served) -> None:
    served.given(lamp("desk").evolve(owner="LampController"))

    result = served.cosi("delete", "lamp", "desk")

    assert result.exit_code == 1
    assert "LampController" in result.stderr
    assert not served.portal.call(served.state.get, Lamp, "desk").tearing_down
