"""The supervisor as a process of its own: `python -m tests.support.supervised FOLDER PORT SERVICE[:FAULT] ...`."""

import asyncio
import sys
from pathlib import Path

from infra.supervise import ServiceSpec, run


def stub(service: str) -> ServiceSpec:
    """`planner` stands there; `planner:dies` has a fault of `tests.support.stub_service`."""
    name, _, fault = service.partition(":")
    return ServiceSpec(name, (sys.executable, "-m", "tests.support.stub_service", name, *filter(None, [fault])))


if __name__ == "__main__":
    specs = [stub(service) for service in sys.argv[3:]]
    sys.exit(asyncio.run(run(Path(sys.argv[1]), specs, http_port=int(sys.argv[2]), drain_seconds=0.5)))
