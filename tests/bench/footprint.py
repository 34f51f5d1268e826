"""Size and start: resident memory of each service, and the time from an empty folder to ready."""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import psutil

from infra.supervise.system import System
from services.cli.parts import all_services
from tests.bench.rounds import Report, Sample
from tests.bench.stage import Stage

MEBI = 1024 * 1024


def bench_memory(stage: Stage, report: Report) -> None:
    """Adds each service's resident set after the other benches have used it."""
    for name, pid in stage.system.pids.items():
        if name in {"postgres", "nats"}:
            continue
        resident = psutil.Process(pid).memory_info().rss / MEBI
        report.at_most(f"resident memory of {name}, MB", 66, resident)


async def bench_start(report: Report, *, rounds: int = 3) -> None:
    """Adds the seconds from an empty folder until every part is ready, and until everything has stopped."""
    samples = []
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
        try:
            begun = time.perf_counter()
            async with System(folder, all_services(), http_port=0):
                ready = time.perf_counter() - begun
            samples.append(Sample(1 / ready, ready * 1000))
            print(f"  ready in {ready:.2f} s", flush=True)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)
    median = report.figure("start from an empty folder (latency)", samples)
    report.at_most("from an empty folder to ready, seconds", 5.0, median.p50_ms / 1000)
