"""Without an endpoint there is nothing of OpenTelemetry: no module, no thread, no object."""

import subprocess
import sys
from pathlib import Path

_LOAD_ALL = """
import importlib, sys, threading
for service in ("planner", "approval", "executor", "hook_dispatcher", "audit", "gateway", "relay"):
    importlib.import_module(f"services.{service}.app")
import infra.bus.broker
from infra.telemetry import open_tracing
assert open_tracing("planner", "") is None
assert threading.active_count() == 1
print(*(name for name in sys.modules if name.partition(".")[0] in ("opentelemetry", "google", "requests", "urllib3")))
"""


def test_a_service_without_an_endpoint_loads_no_module_of_opentelemetry() -> None:
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", _LOAD_ALL], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    # FastStream looks whether it is installed; these two are empty packages.
    assert set(run.stdout.split()) <= {"opentelemetry", "opentelemetry.semconv"}
