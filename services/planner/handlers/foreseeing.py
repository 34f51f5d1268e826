"""Answers what would happen. Everything is looked up as for the real thing, and nothing is appended."""

import msgspec

from contracts.commands import Accepted, CheckSeal, Request
from contracts.plan import Plan
from infra.commands import Desk
from services.planner.decider import Known
from services.planner.decider.foreseeing import check_seal
from services.planner.handlers import Planner


class Foreseeing:
    """Looks ahead."""

    def __init__(self, desk: Desk[Plan], planner: Planner) -> None:
        self._desk = desk
        self._planner = planner

    async def check_seal(self, request: Request) -> Accepted:
        """CheckSeal. The answer's body is a `contracts.foresight.SealCheck`."""
        command = request.command
        assert isinstance(command, CheckSeal)
        plan = await self._desk.read(f"plan-{command.plan}")
        known = Known() if plan is None else await self._planner.known(plan)
        check = check_seal(plan, command.plan, request.actor, request.at, known)
        return Accepted(check.version, plan.position if plan else 0, msgspec.to_builtins(check))
