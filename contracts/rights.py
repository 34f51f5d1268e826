"""Who may act: the few questions that every decider asks in the same words. Each refusal says who would be allowed."""

from contracts.commands import Actor
from contracts.plan import Plan
from contracts.refusals import Refused
from contracts.values import Item


def moves_plan(plan: Plan, actor: Actor) -> bool:
    """Plan owners and administrators move a plan. A plan without owners is its creator's."""
    return actor.administrator or actor.among(owners(plan))


def owners(plan: Plan) -> tuple[str, ...]:
    """The plan's owners; its creator where none are named."""
    return plan.content.owner or (plan.created_by,)


def acts_on_item(plan: Plan, item: Item, actor: Actor) -> bool:
    """Item owners, plan owners and administrators act on an item."""
    return moves_plan(plan, actor) or actor.among(item.owner)


def demand_mover(plan: Plan, actor: Actor) -> None:
    """Raises Refused(forbidden) unless the actor may move the plan."""
    if not moves_plan(plan, actor):
        raise forbidden(actor, owners(plan), "move this plan")


def demand_item_actor(plan: Plan, item: Item, actor: Actor) -> None:
    """Raises Refused(forbidden) unless the actor may act on the item."""
    if not acts_on_item(plan, item, actor):
        raise forbidden(actor, (*item.owner, *owners(plan)), f"act on item {item.id}")


def forbidden(actor: Actor, allowed: tuple[str, ...], doing: str) -> Refused:
    """The refusal of somebody who may not, naming who may."""
    who = ", ".join(allowed)
    return Refused("forbidden", f"{actor.id} may not {doing}; {who} and administrators may.", allowed=list(allowed))
