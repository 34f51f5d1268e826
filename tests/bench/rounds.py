"""Measures several candidates in interleaved rounds and keeps the medians, so that a slow minute of the machine hits all
of them alike. Ratios are what may be compared between machines; absolute figures are not.
"""

import asyncio
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

Run = Callable[[float], Awaitable["Sample"]]
"""Works for about so many seconds and says what it did."""


class Sample(msgspec.Struct, frozen=True):
    """One round of one candidate: finished operations per second, and latency quantiles in milliseconds."""

    per_second: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0


class Figure(msgspec.Struct, frozen=True):
    """The medians of a candidate's rounds, and the rate of every round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    rounds_per_second: tuple[float, ...]


class Target(msgspec.Struct, frozen=True):
    """A figure that we promised, at least or at most, and what was seen."""

    name: str
    wanted: float
    seen: float
    by_round: tuple[float, ...] = ()
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.seen <= self.wanted if self.at_most else self.seen >= self.wanted


class Report:
    """Collects figures, targets and remarks, and writes them as JSON."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}
        self.targets: list[Target] = []
        self.remarks: list[str] = []

    def figure(self, name: str, samples: Sequence[Sample]) -> Figure:
        """Keeps the median of the rounds under `name`, with every round beside it."""
        self.figures[name] = Figure(
            round(statistics.median(sample.per_second for sample in samples), 1),
            round(statistics.median(sample.p50_ms for sample in samples), 3),
            round(statistics.median(sample.p99_ms for sample in samples), 3),
            tuple(round(sample.per_second, 1) for sample in samples),
        )
        return self.figures[name]

    def target(self, name: str, wanted: float, ours: str, beside: str) -> None:
        """Promises that figure `ours` is at least `wanted` times figure `beside`."""
        mine, other = self.figures[ours], self.figures[beside]
        by_round = tuple(round(a / b, 3) for a, b in zip(mine.rounds_per_second, other.rounds_per_second, strict=True))
        self.targets.append(Target(name, wanted, round(mine.per_second / other.per_second, 3), by_round))

    def at_most(self, name: str, wanted: float, seen: float) -> None:
        self.targets.append(Target(name, wanted, round(seen, 3), at_most=True))

    def at_least(self, name: str, wanted: float, seen: float) -> None:
        self.targets.append(Target(name, wanted, round(seen, 3)))

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def write(self, path: Path) -> None:
        """All of it as JSON, with what is needed to judge it: processors, versions."""
        body = {
            "machine": {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
            "figures": msgspec.to_builtins(self.figures),
            "targets": [{**msgspec.to_builtins(target), "reached": target.reached} for target in self.targets],
            "remarks": self.remarks,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, indent=2) + "\n")


async def interleave(
    report: Report, candidates: Mapping[str, Run], *, rounds: int = 3, seconds: float = 2.0
) -> dict[str, Figure]:
    """Runs every candidate once per round, `rounds` times, and returns the medians by name."""
    samples: dict[str, list[Sample]] = {name: [] for name in candidates}
    for number in range(rounds):
        for name, run in candidates.items():
            gc.collect()
            sample = await run(seconds)
            samples[name].append(sample)
            print(f"  round {number + 1} {name}: {sample.per_second:.0f}/s p99 {sample.p99_ms:.1f} ms", flush=True)
    return {name: report.figure(name, taken) for name, taken in samples.items()}


async def callers(count: int, seconds: float, one: Callable[[int], Awaitable[object]]) -> Sample:
    """`count` callers, each calling `one(caller)` again and again until the time is up."""
    latencies: list[float] = []
    begin = time.perf_counter()
    end = begin + seconds

    async def call(caller: int) -> None:
        before = time.perf_counter()
        while before < end:
            await one(caller)
            after = time.perf_counter()
            latencies.append(after - before)
            before = after

    await asyncio.gather(*(call(caller) for caller in range(count)))
    return sample_of(latencies, time.perf_counter() - begin)


def sample_of(latencies_seconds: Sequence[float], elapsed_seconds: float) -> Sample:
    """Rate and quantiles of finished operations."""
    if len(latencies_seconds) < 2:
        return Sample(len(latencies_seconds) / elapsed_seconds)
    cuts = statistics.quantiles(latencies_seconds, n=100)
    return Sample(len(latencies_seconds) / elapsed_seconds, cuts[49] * 1000, cuts[98] * 1000)
