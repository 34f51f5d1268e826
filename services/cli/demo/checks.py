"""What must be true when the demonstration has reached success. Each check ends it with a sentence when it is not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.cli.demo import content
from services.cli.demo.cast import expect
from services.cli.demo.receiver import World
from services.cli.feed import Event

GATES = ("finish_planning", "start_execute", "all_job_done")


def runs_of(plan: Mapping[str, Any]) -> list[str]:
    """The ids of all workflow runs of the plan."""
    runs = (attempt["run"] for view in plan["items"] for attempt in view["attempts"])
    return list(dict.fromkeys(run for run in runs if run))


def check_plan(plan: Mapping[str, Any], skipped: str) -> None:
    """Every item is settled as it was asked, every gate passed, both votes count."""
    for view in plan["items"]:
        item, status = view["item"]["id"], view["status"]
        wanted = "skipped" if item == skipped else "done"
        expect(status == wanted, f"Item {item} is {status}, not {wanted}.")
        ticked, steps = set(view["ticked"]), {step["id"] for step in view["item"]["spec"].get("sub_steps", ())}
        expect(wanted == "skipped" or ticked == steps, f"Item {item} is done with open sub-steps.")
    for gate in GATES:
        state = plan["gates"][gate]["state"]
        expect(state == "passed", f"Gate {gate} is {state}, not passed.")
    voters = {vote["by"] for vote in plan["approval"]["votes"] if vote["counts"] and vote["vote"] == "approve"}
    expect(voters == {"user:ana", "user:ben"}, f"The votes that count are of {sorted(voters)}.")


def check_feed(seen: Sequence[Event], plan: Mapping[str, Any]) -> None:
    """The live feed told every event of the plan, once, in order."""
    positions = [event.position for event in seen]
    expect(positions == sorted(set(positions)), "The live feed told events twice or out of order.")
    stream = f"plan-{plan['id']}"
    versions = [event.data["version"] for event in seen if event.data["stream"] == stream]
    wanted = list(range(1, plan["version"] + 1))
    expect(versions[: len(wanted)] == wanted, f"The live feed left out events of the plan: it told {versions}.")


def check_record(entries: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> None:
    """The record has as many entries as the plan has events, or more, in the order of the log, each with who did it."""
    positions = [entry["position"] for entry in entries]
    expect(positions == sorted(set(positions)), "The record is not in the order of the log.")
    expect(len(entries) >= plan["version"], f"The record has {len(entries)} entries for {plan['version']} events.")
    nobody = [entry["position"] for entry in entries if not entry.get("actor")]
    expect(not nobody, f"The record does not say who was behind positions {nobody}.")


def check_hooks(world: World, plan: Mapping[str, Any]) -> None:
    """Three hooks, one per event, each signed, with the code of its gate, and answered."""
    expect(not world.refused, f"The outside system refused a hook or was refused: {'; '.join(world.refused)}.")
    hooks = [hook for hook in world.hooks.values() if hook.plan == plan["id"]]
    expect([hook.event for hook in hooks] == list(GATES), f"The hooks came as {[hook.event for hook in hooks]}.")
    for hook in hooks:
        code = plan["gates"][hook.event]["instance_code"]
        expect(hook.code == code, f"The hook {hook.event} brought the code {hook.code}, not {code}.")


def check_steps(folder: Path, world: World, runs: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """No attempt of a step ran twice, none ran that the log does not know, and both environments have the version.

    Returns how often each script ran. The processes themselves noted it, in a file that nobody else writes.
    """
    noted = [line.split() for line in (folder / "ran").read_text().splitlines()]
    for (name, key), times in Counter((name, key) for name, key in noted).items():
        expect(times == 1, f"Step {name} ran {times} times under the key {key}.")
        expect(key.split("/")[0] in {run["id"] for run in runs}, f"Step {name} ran under the unknown key {key}.")
    ran = Counter(name for name, _ in noted)
    for name in ("pack", "check"):
        steps = [step for run in runs for step in run["steps"] if step["name"] == name]
        started = sum(step["attempt"] for step in steps)
        expect(ran[name] <= started, f"Step {name} ran {ran[name]} times and was started {started} times.")
        expect(ran[name] >= 1 and any(step["state"] == "passed" for step in steps), f"Step {name} never ran.")
    wanted = {"staging": content.VERSION, "production": content.VERSION}
    expect(world.deployed == wanted, f"Deployed is {world.deployed}.")
    return dict(ran)
