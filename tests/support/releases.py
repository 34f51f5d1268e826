"""The 651 releases of CPython as plans, and the longest checklist of Kubernetes: real dates, real overlaps.

A release takes the day that the release managers wrote down. The file has no times, so a day is a day Anywhere on Earth: it
begins at noon UTC. All of them touch the same web site, so two on one day are in each other's way.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[3] / "shared" / "data"
RELEASES = DATA / "cpython" / "python-releases.toml"
CHECKLIST = DATA / "kubernetes-sig-release" / "release-team-lead-progress.md"
BOXES = 112
ZONE = "Anywhere on Earth"
SITE = {"service": "downloads", "environment": "python.org"}


def releases() -> list[dict[str, Any]]:
    """The bodies to POST, in the order of the file."""
    document = tomllib.loads(RELEASES.read_text(encoding="utf-8"))
    return [
        _plan(cycle, one, document["metadata"][cycle]) for cycle, many in document["release"].items() for one in many
    ]


def _plan(cycle: str, one: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    day: date = one["date"]
    kind = (*one["stage"].split(" "), "final")[1]
    return {
        "project": "cpython",
        "name": f"Python {one['stage']}",
        "description": one.get("note", ""),
        "owner": sorted(_people(metadata["release-manager"])),
        "labels": [cycle, kind, one["state"]],
        "window": {"start": _noon(day), "end": _noon(day + timedelta(days=1)), "zone": ZONE},
        "touches": [SITE, {"service": f"python-{cycle}", "environment": "python.org"}],
        "items": [
            {"id": "tag", "name": f"Tag {one['stage']}", "spec": {"type": "text", "content": "Sign the tag."}},
            {"id": "upload", "name": "Upload", "needs": ["tag"], "spec": {"type": "text", "content": "All files."}},
        ],
    }


def _noon(day: date) -> str:
    return f"{day.isoformat()}T12:00:00Z"


def _people(managers: str) -> Iterator[str]:
    for name in re.split(r"&|,| and ", re.sub(r"\(.*?\)", "", managers)):
        if name.strip():
            plain = unicodedata.normalize("NFKD", name.replace("Ł", "L")).encode("ascii", "ignore").decode()
            yield "user:" + ".".join(plain.lower().split())


def same_day(plans: list[dict[str, Any]]) -> int:
    """How many pairs are on one day."""
    by_day: dict[str, int] = {}
    for plan in plans:
        by_day[plan["window"]["start"]] = by_day.get(plan["window"]["start"], 0) + 1
    return sum(count * (count - 1) // 2 for count in by_day.values())
