"""The peer: DBOS with a ten-step workflow, `python -m tests.bench.dbos_peer DSN CLIENTS SECONDS`. Prints rate, p50, p99."""

import asyncio
import logging
import sys

from dbos import DBOS, DBOSConfig

from tests.bench.rounds import callers


async def main(dsn: str, clients: int, seconds: float) -> None:
    config: DBOSConfig = {"name": "bench", "system_database_url": dsn, "log_level": "ERROR", "run_admin_server": False}
    DBOS(config=config)

    @DBOS.step()
    async def step(number: int) -> int:
        return number

    @DBOS.workflow()
    async def workflow() -> int:
        total = 0
        for number in range(10):
            total += await step(number)
        return total

    DBOS.launch()
    try:
        await workflow()
        sample = await callers(clients, seconds, lambda _: workflow())
        print(sample.per_second, sample.p50_ms, sample.p99_ms)
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
