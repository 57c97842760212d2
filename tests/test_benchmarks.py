"""Each benchmark still runs; what it says is for `make bench`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import agreement
from benchmarks.__main__ import benchmarks, table
from benchmarks.measure import AtLeast, AtMost, Benchmark, Pair, Scale, measure
from benchmarks.processors import on_the_fastest
from benchmarks.result import Result
from benchmarks.session import CERTAIN, Session

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
    result = Result(replace(benchmark, repeats=1))
    measure(result, Scale(quick=True, tiny=True))
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

    result = Result(Benchmark("b", "us", lambda _: Prepared(), repeats=2))
    measure(result, Scale())
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


def test_what_is_alone_stays_on_the_fastest_processor() -> None:
    allowed = os.sched_getaffinity(0)
    for favourite in sorted(allowed)[:2]:
        with on_the_fastest(lambda each, best=favourite: abs(each - best)) as processor:
            assert processor == favourite
            assert os.sched_getaffinity(0) == {favourite}
        assert os.sched_getaffinity(0) == allowed


def test_a_machine_of_two_paces_has_a_ratio_in_between() -> None:
    """A median would be 10 or 20, whichever of them was seen once more."""
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"))
    torn = Result(benchmark, [1, 2] * 4, [20] * 8)
    assert torn.advantage == pytest.approx(10 * 2**0.5)
    odd = Result(benchmark, [1] * 8, [10, 10, 10, 1000, 10, 10, 10, 10])
    assert odd.advantage == pytest.approx(10)


def test_a_figure_below_nothing_has_no_ratio() -> None:
    """It ended `--quick` with a traceback: ten containers may weigh less than nothing."""
    benchmark = Benchmark("b", "KiB", lambda _: pytest.fail("not asked for"), limit=AtLeast(20))
    light = Result(benchmark, [-3.0, 5.0, 5.0], [100.0, 500.0, 500.0])
    assert light.ratio == pytest.approx(100)
    assert light.doubt == 0
    lighter = Result(benchmark, [-3.0], [100.0])
    assert (lighter.ratio, lighter.doubt, lighter.met) == (None, 0, False)


def test_doubt_shrinks_with_every_repeat() -> None:
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"))
    few = Result(benchmark, [1, 1, 1], [9, 10, 11])
    many = Result(benchmark, [1] * 27, [9, 10, 11] * 9)
    assert few.doubt == pytest.approx(3 * many.doubt)
    assert 0.04 < few.doubt < 0.06
    assert Result(benchmark, [1], [2]).doubt == 0


def test_visits_that_differ_are_doubted_more_than_their_turns() -> None:
    benchmark = Benchmark("b", "us", lambda _: pytest.fail("not asked for"))
    steady = Result(benchmark, [1] * 40, [10, 11] * 20, visits=[0, 20])
    moody = Result(benchmark, [1] * 40, [10, 11] * 10 + [20, 22] * 10, visits=[0, 20])
    assert steady.doubt < 0.01
    assert moody.doubt == pytest.approx(0.35, abs=0.01)


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


def test_a_turn_that_fails_halfway_is_none() -> None:
    """What was measured before is still in the table."""
    figures = iter([10.0, 20.0, 10.0, 20.0, 10.0])

    @contextmanager
    def stumbling(_: Scale) -> Iterator[Pair]:
        yield Pair(lambda: 1.0, lambda: next(figures))

    result = Result(Benchmark("b", "us", stumbling, repeats=3))
    measure(result, Scale(tiny=True))
    with pytest.raises(StopIteration):
        measure(result, Scale(tiny=True))
    assert len(result.ours_each) == len(result.other_each) == 5
    assert "| b " in table([result])


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
    with pytest.raises(SystemExit, match="is not what `python"):
        agreement.main(first, tmp_path / "nowhere")
