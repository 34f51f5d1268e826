"""`python -m tests.bench [NAME ...]`: measures, shows what was promised and what was seen, writes `build/bench.json`.

Everything is compared with a floor or a peer in the same run, in interleaved rounds; absolute figures mean little. Each
bench is a process of its own, so that none inherits another's heap.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

BENCHES = ("system", "listing", "waiting", "projection", "relay", "append", "deliveries")
FOLDER = Path("build/bench")


def measure(name: str) -> dict[str, object]:
    """Run one bench; what it wrote."""
    print(f"{name}:", flush=True)
    file = FOLDER / f"{name}.json"
    file.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", f"tests.bench.{name}", str(file)], check=True)
    found: dict[str, object] = json.loads(file.read_text())
    return found


def show(reports: dict[str, dict[str, object]]) -> None:
    """What was promised and what was seen."""
    table = Table("bench", "promise", "wanted", "seen", "")
    console = Console()
    for name, report in reports.items():
        for target in report["targets"]:  # type: ignore[attr-defined]  # a list, as Report.write made it
            bound = "at most" if target["at_most"] else "at least"
            verdict = "reached" if target["reached"] else "MISSED"
            table.add_row(name, target["name"], f"{bound} {target['wanted']:g}", f"{target['seen']:g}", verdict)
    console.print(table)
    for report in reports.values():
        for remark in report["remarks"]:  # type: ignore[attr-defined]
            console.print(remark, soft_wrap=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"out of {', '.join(BENCHES)}; all without a name")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := set(names) - set(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; choose out of {', '.join(BENCHES)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    reports = {name: measure(name) for name in names}
    file = FOLDER.with_suffix(".json")
    file.write_text(json.dumps(reports, indent=2) + "\n")
    show(reports)
    print(f"written to {file}")


if __name__ == "__main__":
    main()
