"""The benches that need the whole system: a command, whole plans, memory, rebuild, start."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.command import bench_command
from tests.bench.footprint import bench_memory, bench_start
from tests.bench.plans import bench_plans
from tests.bench.rebuild import bench_rebuild
from tests.bench.rounds import Report
from tests.bench.stage import open_stage


async def main(output: Path) -> None:
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
    try:
        async with open_stage(folder) as stage:
            await bench_command(stage, report)
            await bench_plans(stage, report)
            bench_memory(stage, report)
            await bench_rebuild(stage.admin_dsn, report)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    await bench_start(report)
    report.write(output)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/system.json")))
