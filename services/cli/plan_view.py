"""A plan on the screen: what it is, what may be done next and by whom, its items, its approval, its gates."""

from collections.abc import Mapping
from typing import Any

from services.cli.output import Output, lines_of, when


def show_plan(output: Output, plan: Mapping[str, Any]) -> None:
    """Prints a plan as the gateway answers it (`contracts.http.PlanView`)."""
    content = plan["content"]
    window = content.get("window") or {}
    seal = plan["seal"] or {}
    output.pairs(
        {
            "Plan": plan["id"],
            "Name": content["name"],
            "Project": plan["project"],
            "Status": plan["status"],
            "Reason": plan["reason"],
            "Version": plan["version"],
            "Owner": content.get("owner", ()),
            "Labels": content.get("labels", ()),
            "Window": f"{when(window['start'])} to {when(window['end'])} UTC" if window else "",
            "Zone": window.get("zone", ""),
            "Seal": seal.get("value", ""),
            "Drifted": plan["drift"] and f"{plan['drift']['item'] or 'plan'}: {lines_of(plan['drift']['fields'])}",
            "Held": plan["held"] and f"by the freeze {plan['held']['name']} until {when(plan['held']['until'])} UTC",
            "Let through": [
                f"{', '.join(one['name'] for one in override['freezes'])} by {override['by']}: {override['reason']}"
                for override in plan["freeze_overrides"]
            ],
            "Updated": f"{when(plan['updated_at'])} by {plan['updated_by']}",
        }
    )
    _next(output, plan)
    _items(output, plan)
    _approval(output, plan["approval"])
    _gates(output, plan["gates"])


def _next(output: Output, plan: Mapping[str, Any]) -> None:
    steps = plan["next"]
    stuck = {item["item"]["id"] for item in plan["items"] if item["status"] == "failed" or item["held"]}
    shown = [step for step in steps if not step["item"] or step["item"] in stuck]
    if not shown:
        return
    output.heading("Next")
    rows = [
        (
            " ".join(filter(None, (step["verb"], step["item"]))),
            step["by"] or "the system",
            step["detail"],
            when(step["until"]),
        )
        for step in shown
    ]
    output.table(("verb", "by", "what", "until"), rows)


def _items(output: Output, plan: Mapping[str, Any]) -> None:
    if not plan["items"]:
        return
    output.heading("Items")
    rows = [
        (
            item["item"]["id"],
            item["item"]["spec"]["type"],
            item["status"],
            _steps(item),
            item["item"].get("group", ""),
            item["item"]["name"],
            item["by"],
            item["reason"] or item["held"] or item["remark"] or _error(item),
        )
        for item in plan["items"]
    ]
    output.table(("id", "type", "status", "steps", "group", "name", "by", "note"), rows)


def _steps(item: Mapping[str, Any]) -> str:
    steps = item["item"]["spec"].get("sub_steps", ())
    return f"{len(item['ticked'])}/{len(steps)}" if steps else ""


def _error(item: Mapping[str, Any]) -> str:
    attempts = item["attempts"]
    return str(attempts[-1]["error"]) if attempts else ""


def _approval(output: Output, approval: Mapping[str, Any]) -> None:
    if approval["state"] == "none" and not approval["levels"]:
        return
    output.heading(f"Approval: {approval['state']}")
    rules = [
        (i + 1, level["state"], f"{rule['needed'] - rule['missing']} of {rule['needed']}", rule["approvers"])
        for i, level in enumerate(approval["levels"])
        for rule in level["rules"]
    ]
    output.table(("level", "state", "given", "approvers"), rows=rules, empty="No approval is asked.")
    output.pairs(
        {
            "Asked": approval["waiting_for"],
            "Deadline": when(approval["deadline"]),
            "Reminder": when(approval["reminded_at"] or approval["remind_at"]),
        }
    )
    votes = [
        (vote["by"], vote["on_behalf_of"], vote["vote"], when(vote["at"]), vote["counts"], vote["comment"])
        for vote in approval["votes"]
    ]
    if votes:
        output.table(("voter", "for", "vote", "at", "counts", "comment"), votes)
    _around(output, approval)


def _around(output: Output, approval: Mapping[str, Any]) -> None:
    given = [(one["by"], one["to"], when(one["until"]), one["reason"]) for one in approval["delegations"]]
    if given:
        output.heading("Delegations")
        output.table(("by", "to", "until", "reason"), given)
    emergencies = [
        (one["by"], when(one["at"]), one["reason"], one["reviewed_by"] or "OWED", one["finding"], one["comment"])
        for one in approval["emergencies"]
    ]
    if emergencies:
        output.heading("Emergency approvals")
        output.table(("by", "at", "reason", "reviewed by", "finding", "comment"), emergencies)


def _gates(output: Output, gates: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        (name, gate["state"], gate["round"], when(gate["deadline"]), gate["instance_code"], gate["text"])
        for name, gate in gates.items()
        if gate["waits"]
    ]
    if rows:
        output.heading("Gates")
        output.table(("gate", "state", "round", "deadline", "code", "text"), rows)
