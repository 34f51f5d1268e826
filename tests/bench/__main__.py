"""`python -m tests.bench [NAME ...]`: measures, prints what was promised and what was seen, writes `build/bench.json`.

Everything is compared with a floor or a peer in the same run, in interleaved rounds; absolute figures mean little.
"""

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.append import bench_append
from tests.bench.command import bench_command
from tests.bench.footprint import bench_memory, bench_start
from tests.bench.plans import bench_plans
from tests.bench.projection import bench_projection
from tests.bench.rebuild import bench_rebuild
from tests.bench.relay import bench_relay
from tests.bench.rounds import Report
from tests.bench.stage import Stage, open_stage

Bench = Callable[[Stage, Report], Awaitable[None]]


async def _rebuild(stage: Stage, report: Report) -> None:
    await bench_rebuild(stage.admin_dsn, report)


async def _append(stage: Stage, report: Report) -> None:
    await bench_append(stage.admin_dsn, report)


async def _memory(stage: Stage, report: Report) -> None:
    bench_memory(stage, report)


async def _start(_stage: Stage, report: Report) -> None:
    await bench_start(report)


async def _relay(stage: Stage, report: Report) -> None:
    await bench_relay(stage.admin_dsn, stage.nats_login("relay"), report)


async def _projection(stage: Stage, report: Report) -> None:
    await bench_projection(stage.admin_dsn, report)


BENCHES: Mapping[str, Bench] = {
    "command": bench_command,
    "plans": bench_plans,
    "memory": _memory,
    "rebuild": _rebuild,
    "projection": _projection,
    "relay": _relay,
    "append": _append,
    "start": _start,
}


async def measure(names: list[str], output: Path) -> Report:
    """Run these benches, each on a system of its own (memory on the one that plans has used), and write the report."""
    report = Report()
    for name in names:
        print(f"{name}:", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
        try:
            async with open_stage(folder) as stage:
                await BENCHES[name](stage, report)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)
    report.write(output)
    return report


def show(report: Report) -> None:
    """What was promised and what was seen."""
    table = Table("promise", "wanted", "seen", "")
    for target in report.targets:
        wanted = f"{'at most' if target.at_most else 'at least'} {target.wanted:g}"
        table.add_row(target.name, wanted, f"{target.seen:g}", "reached" if target.reached else "MISSED")
    console = Console()
    console.print(table)
    for remark in report.remarks:
        console.print(remark)


def main() -> None:
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], help="which benches; all of them without a name")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    show(asyncio.run(measure(arguments.names or list(BENCHES), arguments.output)))
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
