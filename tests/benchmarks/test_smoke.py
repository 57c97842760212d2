"""Each benchmark still runs; what it says is for `make bench`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.__main__ import benchmarks, table
from tests.benchmarks.measure import AtLeast, AtMost, Benchmark, Pair, Result, Scale, measure

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
