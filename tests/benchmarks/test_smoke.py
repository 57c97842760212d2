"""Each benchmark still runs; what it says is for `make bench`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import agreement
from tests.benchmarks.__main__ import benchmarks, table
from tests.benchmarks.measure import AtLeast, AtMost, Benchmark, Pair, Result, Scale, measure
from tests.benchmarks.pace import Pace
from tests.benchmarks.session import CERTAIN, Session

# They start programs, containers or servers, or wait for seconds to pass: `make bench` alone.
SLOW = (
    "against go",
    "api",
    "container:",
    "idle",
    "start:",
    "peak memory",
    "resident",
    "single-id",
    "durable",
    "restart from",
)
QUICK = [each for each in benchmarks() if not any(each.has(word) for word in SLOW)]


@pytest.mark.parametrize("benchmark", QUICK, ids=lambda each: each.title)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_benchmark_runs(benchmark: Benchmark) -> None:
    if reason := benchmark.missing():
        pytest.skip(reason)
    result = measure(replace(benchmark, repeats=1), Scale(quick=True, tiny=True))
    assert benchmark.title in table([result])


def result(limit: AtLeast | AtMost | None, ours: float, other: float | None) -> Result:
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"), limit=limit)
    return Result(benchmark, [ours], [] if other is None else [other])


def test_a_limit_is_met_or_not() -> None:
    assert result(AtLeast(10), 1, 10).met is True
    assert result(AtLeast(10), 1, 9).met is False
    assert result(AtMost(1.1), 1.05, 1).met is True
    assert result(AtMost(1.1), 1.2, 1).met is False
    assert result(AtMost(40), 39, None).met is True
    assert result(None, 1, 2).met is None


def test_ours_and_the_other_take_turns() -> None:
    turns: list[str] = []

    class Prepared:
        def __enter__(self) -> Pair:
            return Pair(lambda: float(len(turns.append("ours") or "1")), lambda: _other(turns))

        def __exit__(self, *_: object) -> None:
            turns.append("over")

    measure(Benchmark("b", "us", lambda _: Prepared(), repeats=2), Scale())
    assert turns == ["ours", "other", "other", "ours", "over"]


def _other(turns: list[str]) -> float:
    turns.append("other")
    return 1.0


def test_a_ratio_is_of_the_two_of_a_turn() -> None:
    """A machine that becomes three times slower between two turns changes nothing."""
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"))
    steady = Result(benchmark, [1, 3, 1, 3, 3], [10, 30, 10, 30, 30])
    assert (steady.advantage, steady.doubt) == (pytest.approx(10), pytest.approx(0))
    rate = Result(replace(benchmark, better="more"), [30, 10, 30], [3, 1, 3])
    assert rate.advantage == pytest.approx(10)


def test_turns_at_another_pace_do_not_count_if_there_are_enough_others() -> None:
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"))
    odd = Result(benchmark, [1, 2, 1, 1, 1, 1, 2], [10, 10, 10, 10, 10, 10, 10], {1, 6})
    assert (odd.ours, odd.advantage, odd.doubt) == (1, 10, 0)
    few = replace(odd, disturbed={1, 2, 6})
    assert len(few.turns) == 7
    assert few.doubt > 0


def test_a_machine_at_half_pace_is_noticed() -> None:
    at_first, paces = [1.0], iter([2.0, 1.0, 1.1, 1.1, 1.0, 1.3, 1.1])
    pace = Pace(lambda _: at_first[0] if at_first else next(paces))
    at_first.clear()
    assert pace.wait([0, 1])  # 2.0 and 1.0, then 1.1 twice
    assert not pace.full([0, 1])
    assert pace.full([1])


def test_what_is_alone_stays_on_the_fastest_processor() -> None:
    allowed = os.sched_getaffinity(0)
    fastest = max(allowed)
    pace = Pace(lambda processor: 1.0 if processor == fastest else 2.0)
    pace.processors = sorted(allowed)
    with pace.on_the_fastest() as processors:
        assert processors == [fastest]
        assert os.sched_getaffinity(0) == {fastest}
    assert os.sched_getaffinity(0) == allowed


def test_a_figure_below_nothing_has_no_ratio() -> None:
    """It ended `--quick` with a traceback: ten containers may weigh less than nothing."""
    benchmark = Benchmark("b", "KiB", lambda _: pytest.fail("not asked for"), limit=AtLeast(20))
    light = Result(benchmark, [-3.0, 5.0, 5.0], [100.0, 500.0, 500.0])
    assert (light.ratio, light.doubt) == (100, 0)
    lighter = Result(benchmark, [-3.0], [100.0])
    assert (lighter.ratio, lighter.doubt, lighter.met) == (None, 0, False)


def test_doubt_shrinks_with_every_repeat() -> None:
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"))
    few = Result(benchmark, [1, 1, 1], [9, 10, 11])
    many = Result(benchmark, [1] * 27, [9, 10, 11] * 9)
    assert few.doubt == pytest.approx(3 * many.doubt)
    assert 0.05 < few.doubt < 0.1
    assert Result(benchmark, [1], [2]).doubt == 0


def test_the_doubtful_ones_are_measured_again(capsys: pytest.CaptureFixture[str]) -> None:
    figures = iter([1.0, 2.0, 4.0, 8.0, 5.0, 5.0, *[5.0] * 2000])

    @contextmanager
    def uneven(_: Scale) -> Iterator[Pair]:
        yield Pair(lambda: next(figures), lambda: 10.0)

    @contextmanager
    def broken(_: Scale) -> Iterator[Pair]:
        raise ValueError("no luck")
        yield Pair(lambda: 1.0)

    chosen = [Benchmark("uneven", "us", uneven), Benchmark("broken", "us", broken)]
    [result] = Session(chosen, Scale(tiny=True)).run()
    assert result.doubt <= CERTAIN
    assert len(result.ours_each) > 5
    said = capsys.readouterr().err
    assert "[1/2] uneven ...\n" in said
    assert "failed: ValueError('no luck')" in said


def test_two_runs_agree_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(name: str, **ratios: float | None) -> Path:
        file = tmp_path / name
        results = [{"name": n, "against": "x", "ratio": r} for n, r in ratios.items()]
        file.write_text(json.dumps(results))
        return file

    first = run("first", one=1.0, two=10.0, alone=None)
    assert agreement.main(first, run("near", one=1.19, two=8.4, alone=None)) == 0
    assert capsys.readouterr().out == "2 of 2 ratios agree within 20%\n"
    assert agreement.main(first, run("far", one=1.19, two=8.3, alone=None)) == 1
    assert "two, against x: 10x and 8.3x, 20% apart" in capsys.readouterr().out
    assert agreement.main(first, run("empty")) == 1
