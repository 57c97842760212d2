"""The runtime itself: registration, the graph, metrics, the end."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterable

import anyio
import pytest

from cosi import (
    Controller,
    InMemoryState,
    Input,
    Mapped,
    Output,
    Resource,
    Runtime,
    StrongInput,
    Wakeups,
    transform,
)
from cosi._aio.gc_tuning import THRESHOLDS
from cosi.api.prometheus import registry
from cosi.errors import RegistrationError
from cosi.state import Measured, MeteredState, Sample
from cosi.testing import Harness, running
from tests.cosi.runtime.things import Number, Sentence, Text


@transform(Number, to=Text)
def spell(number: Resource[Number]) -> Text:
    return Text(text=str(number.spec.value))


class Reader(Controller):
    texts = StrongInput(Text)
    one = Input(Number, id="one")
    sentences = Output(Sentence, shared=True)

    async def reconcile(self) -> None:
        pass


class Interrupt(BaseException):
    """What is nobody's failure, as KeyboardInterrupt is."""


# -- registration --


async def test_what_is_no_controller_is_refused(cosi: Harness) -> None:
    class Neither:
        pass

    for wrong in (Neither(), Reader, spell.function, None):
        with pytest.raises(RegistrationError, match="is not a controller"):
            cosi.start(wrong)  # type: ignore[arg-type]  # these are the mistakes


async def test_a_controller_has_a_name(cosi: Harness) -> None:
    reader = Reader()
    reader.name = ""
    with pytest.raises(RegistrationError, match="has no name"):
        cosi.start(reader)


async def test_a_declaration_has_one_name(cosi: Harness) -> None:
    class Twice(Controller):
        texts = Input(Text)
        again = texts

        async def reconcile(self) -> None:
            pass

    with pytest.raises(RegistrationError, match="are the same declaration"):
        cosi.start(Twice())


async def test_a_subclass_may_take_a_declaration_away(cosi: Harness) -> None:
    class Less(Reader):
        one = None  # type: ignore[assignment]  # taken away

    cosi.start(Less())
    assert {edge.resource_type for edge in cosi.runtime.graph.edges} == {
        "Texts.test.dev",
        "Sentences.test.dev",
    }


async def test_a_loop_has_nothing_to_map_to(cosi: Harness) -> None:
    """COSI: "invalid input kind". It was taken for a plain input, and ``to=`` was never called."""

    class Loop(Controller):
        texts = Mapped(Text, to=lambda _: "one")

        async def reconcile(self) -> None:
            pass

    with pytest.raises(RegistrationError, match=r'"Loop" is not keyed: .* texts = StrongInput'):
        cosi.start(Loop())


async def test_an_attribute_that_hides_a_declaration_is_named(cosi: Harness) -> None:
    """It was an AttributeError about ``kind``, from within."""

    class Hidden(Reader):
        def __init__(self, texts: object) -> None:
            self.texts = texts  # type: ignore[assignment]  # this is the mistake

    text = r"Hidden\.texts is declared as StrongInput, but the instance sets it to a list"
    with pytest.raises(RegistrationError, match=text):
        cosi.start(Hidden(["a", "b"]))


async def test_a_declaration_belongs_to_the_class(cosi: Harness) -> None:
    """It was no input at all, and ``self.more.list()`` was an AttributeError at each pass."""

    class Late(Reader):
        def __init__(self) -> None:
            self.more = Input(Number)

    with pytest.raises(RegistrationError, match=r"Late\.more is declared on the instance"):
        cosi.start(Late())


async def test_who_registers_with_a_runtime_that_has_ended_is_told() -> None:
    """It was taken in, never ran, and ``settled()`` waited for its first pass for ever."""
    async with running() as cosi:
        pass
    with pytest.raises(RegistrationError, match="the runtime has ended"):
        cosi.start(Reader())
    await cosi.runtime.settled()


async def test_a_namesake_is_not_unregistered(cosi: Harness) -> None:
    reader = Reader()
    cosi.start(reader)
    with pytest.raises(RegistrationError, match='"Reader" is registered, but is another one'):
        await cosi.runtime.unregister(Reader())
    assert cosi.runtime.controllers == ("Reader",)
    await cosi.runtime.unregister(reader)


async def test_a_bound_controller_is_refused_elsewhere(cosi: Harness) -> None:
    reader = Reader()
    cosi.start(reader)
    other = Runtime(InMemoryState())
    with pytest.raises(RegistrationError, match='"Reader" already registered'):
        other.register(reader)


async def test_one_may_leave_before_the_runtime_has_run() -> None:
    runtime = Runtime(InMemoryState(), tune_gc=False)
    reader = Reader()
    runtime.register(reader)
    assert runtime.busy == 1
    await runtime.unregister(reader)
    assert (runtime.busy, runtime.controllers) == (0, ())


async def test_one_may_leave_before_its_task_has_begun(cosi: Harness) -> None:
    reader = Reader()
    cosi.start(reader)
    await cosi.runtime.unregister(reader)
    await cosi.settled()
    assert cosi.runtime.controllers == ()


async def test_inputs_may_be_aimed_before_registration(cosi: Harness) -> None:
    reader = Reader()
    reader.one.retarget(ids=["two", "three"], namespace="elsewhere")
    cosi.start(reader)
    edges = [edge for edge in cosi.runtime.graph.edges if edge.id]
    assert [(edge.namespace, edge.id) for edge in edges] == [
        ("elsewhere", "three"),
        ("elsewhere", "two"),
    ]


def test_importing_is_not_running() -> None:
    """A runtime is made, and controllers registered, outside of any event loop."""
    runtime = Runtime(InMemoryState(), tune_gc=False)
    runtime.register(Reader(), spell)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            await runtime.settled()
            tasks.cancel_scope.cancel()

    anyio.run(main)


# -- graph and causes --


async def test_the_graph_is_data_and_drawn(cosi: Harness) -> None:
    cosi.start(spell, Reader())
    assert cosi.runtime.mermaid() == cosi.runtime.graph.mermaid()
    assert 'label="Texts.test.dev"' in cosi.runtime.graph.dot()
    await cosi.given("a", Number())
    live = await cosi.runtime.live_graph()
    assert "Numbers<br/>a@2" in live.mermaid()
    assert 'label="test/Texts.test.dev/a"' in live.dot()


async def test_the_causes_of_a_controller_that_has_not_run(cosi: Harness) -> None:
    cosi.start(spell)
    await cosi.settled()
    assert cosi.why("spell") == ()
    with pytest.raises(RegistrationError):
        cosi.why("nobody")


# -- metrics --


async def test_metrics_have_the_names_of_cosi(cosi: Harness) -> None:
    cosi.start(spell, Reader())
    await cosi.given("a", Number())
    assert isinstance(cosi.runtime, Measured)
    samples = {
        (sample.name, sample.labels.get("controller")): sample.value
        for sample in cosi.runtime.samples()
    }
    assert {name for name, _ in samples} == {
        "controller_crashes",
        "controller_wakeups",
        "controller_reads",
        "controller_writes",
        "qcontroller_crashes",
        "qcontroller_skips",
        "qcontroller_requeues",
        "qcontroller_processed",
        "qcontroller_mapped_in",
        "qcontroller_mapped_out",
        "qcontroller_queue_length",
        "qcontroller_reconcile_busy",
        "reconcile_busy",
        "watch_resyncs",
    }
    assert samples["qcontroller_processed", "spell"] == 1
    assert samples["controller_writes", "spell"] == 2


async def test_an_exporter_asks_at_the_scrape(cosi: Harness) -> None:
    class Other:
        def samples(self) -> Iterable[Sample]:
            yield Sample("level", "gauge", "A level.", 2.5)

    state = MeteredState(cosi.state)
    exported = registry(cosi.runtime, Other(), state)
    cosi.start(spell)
    await cosi.given("a", Number())
    await state.find(Number, "a")
    labels = {"controller": "spell"}
    assert exported.get_sample_value("cosi_qcontroller_processed_total", labels) == 1
    assert exported.get_sample_value("cosi_level") == 2.5
    outcome = {"verb": "get", "outcome": "ok"}
    assert exported.get_sample_value("cosi_state_operations_total", outcome) == 1


# -- the end --


async def test_the_collector_is_tuned_while_a_runtime_runs() -> None:
    before = gc.get_threshold()
    async with running(Runtime(InMemoryState())) as cosi:
        await cosi.settled()
        assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == before


FREEZING = """
import asyncio, gc, sys
from cosi import InMemoryState, Runtime

async def counts():
    runtime = Runtime(InMemoryState())
    task = asyncio.create_task(runtime.run())
    await runtime.settled()
    during = gc.get_freeze_count()
    task.cancel()
    await asyncio.wait([task])
    return during, gc.get_freeze_count()

if sys.argv[1:]:
    gc.freeze()
before = gc.get_freeze_count()
during, after = asyncio.run(counts())
print(during > before, during == before, after == (before if sys.argv[1:] else 0))
"""


@pytest.mark.parametrize(("frozen", "shown"), [("", "True False True"), ("x", "False True True")])
def test_what_a_program_has_frozen_stays_frozen(frozen: str, shown: str) -> None:
    command = (sys.executable, "-c", FREEZING, *filter(None, [frozen]))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == shown


async def test_an_interrupt_ends_the_runtime() -> None:
    class Interrupted(Controller):
        async def reconcile(self) -> None:
            raise Interrupt

    runtime = Runtime(InMemoryState(), tune_gc=False)
    runtime.register(Interrupted())
    with pytest.raises(BaseExceptionGroup) as ended:
        await runtime.run()
    assert ended.value.split(Interrupt)[1] is None
    assert runtime.busy == 0


async def test_a_runtime_that_breaks_fails_the_test_that_looks() -> None:
    class Breaks(Controller):
        async def run(self, wakeups: Wakeups, /) -> None:
            raise Interrupt

    async with running() as cosi:
        cosi.start(Breaks())
        with pytest.raises(BaseExceptionGroup):
            await cosi.settled()


async def test_the_other_controllers_are_awaited_when_it_ends() -> None:
    ended: list[str] = []

    class Slow(Controller):
        async def run(self, wakeups: Wakeups, /) -> None:
            try:
                async for _ in wakeups:
                    pass
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.01)
                ended.append(self.name)

    async with running() as cosi:
        one, two = Slow(), Slow()
        two.name = "two"
        cosi.start(one, two)
        await cosi.settled()
    assert sorted(ended) == ["Slow", "two"]


async def test_a_keyed_chain_of_ten_thousand_is_no_relisting(cosi: Harness) -> None:
    """D5: what scales with the number of services is keyed. A guard, not a benchmark."""
    cosi.start(spell)
    for id in range(2_000):
        await cosi.state.create(Resource.new(str(id), Number()))
    await cosi.settled()
    before = cosi.runtime.statistics()["spell"].reads
    await cosi.given("7", Number(value=7))
    assert cosi.runtime.statistics()["spell"].reads - before <= 3
