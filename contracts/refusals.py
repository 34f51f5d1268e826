"""The answer no. A refusal names the rule by a public code, says the facts, and lists every fault with its path.

Codes are snake case, stable, never reused. `STATUS` maps each to the HTTP status that the gateway answers with.
"""

from collections.abc import Iterable, Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong in a request: where (`/items/3/needs/0`, RFC 6901), what, and what to do about it."""

    path: str
    detail: str
    code: str = "invalid"


def pointer(path: Iterable[str | int]) -> str:
    """A path as JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


STATUS: dict[str, int] = {
    # the request itself
    "malformed_request": 400,
    "malformed_body": 400,
    "invalid_body": 422,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "invalid_parameter": 400,
    "precondition_required": 428,
    "version_conflict": 412,
    "idempotency_key_reused": 422,
    "checklist_without_boxes": 422,
    # planning
    "plan_not_found": 404,
    "plan_exists": 409,
    "not_planning": 409,
    "not_sealable": 422,
    "rehearsal_too_large": 422,
    "template_not_found": 404,
    "invalid_template": 422,
    "invalid_values": 422,
    "not_waiting": 409,
    "reason_required": 422,
    "final": 409,
    "version_not_found": 404,
    "order_incomplete": 422,
    # approval
    "no_approval_asked": 409,
    "not_sealed": 409,
    "not_approver": 403,
    "self_approval": 403,
    "already_voted": 409,
    "seal_changed": 409,
    "no_vote": 409,
    "no_delegation": 403,
    "delegation_expired": 403,
    "invalid_delegation": 422,
    "already_approved": 409,
    "no_review_owed": 409,
    "self_review": 403,
    "invalid_link": 422,
    # execution
    "not_approved": 409,
    "not_executing": 409,
    "already_started": 409,
    "outside_window": 409,
    "before_schedule": 409,
    "frozen": 409,
    "not_frozen": 409,
    "freeze_not_found": 404,
    "list_not_found": 404,
    "too_many_lists": 409,
    "invalid_freeze": 422,
    "item_not_found": 404,
    "item_not_todo": 409,
    "item_not_failed": 409,
    "item_running": 409,
    "item_not_running": 409,
    "item_settled": 409,
    "item_needs": 409,
    "wrong_item_type": 409,
    "sub_steps_open": 409,
    "sub_step_not_found": 404,
    "runner_not_allowed": 403,
    "output_missing": 409,
    "seal_drift": 409,
    "workflow_not_found": 404,
    "invalid_workflow": 422,
    "run_not_found": 404,
    "log_gone": 410,
    "another_log": 410,
    # gates and callbacks
    "gate_not_open": 409,
    "gate_not_failed": 409,
    "gate_not_passed": 409,
    "instance_code_stale": 410,
    "instance_code_unknown": 409,
    "answer_contradicts": 409,
    "system_not_asked": 409,
    "endpoint_not_found": 404,
    "endpoint_disabled": 409,
    "delivery_not_found": 404,
    "invalid_endpoint": 422,
    # identity
    "user_not_found": 404,
    "token_not_found": 404,
}


class Refused(Exception):
    """The rules forbid it. Raised by deciders and by the edge; never for a failure of ours."""

    def __init__(self, code: str, detail: str, faults: Sequence[Fault] = (), **facts: object) -> None:
        super().__init__(f"{code}: {detail}")
        assert code in STATUS, f"unknown refusal code {code}"
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.facts = facts
