"""Orders and questions around approval: votes, delegations, emergencies, what an approver must see, who is one person."""

from typing import Any

from aiohttp import web

from contracts import approval_commands as a
from contracts import commands as c
from contracts import http as h
from contracts import http_approval as b
from contracts.commands import AnyCommand
from contracts.evolve import fold
from contracts.http import Done
from contracts.letter import letter_stream
from contracts.letter_state import Letter, fold_letters
from contracts.moments import moment
from contracts.people import delegate_stream
from contracts.people_state import fold_delegate
from contracts.plan import Delegation
from contracts.plan_events import Source
from contracts.review import Since, review
from contracts.slots import standing
from contracts.template import template_stream
from contracts.template_news import template_news
from contracts.waiting import Waiting, asked_through
from infra.eventlog import EventLog
from infra.postgres import load_sql
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import no_plan, plan_of, user_of
from services.gateway.orders import Orders, done, json_answer, order_of
from services.gateway.readers import Readers
from services.gateway.route import Call, Route
from services.gateway.routes.order import Make, order_route
from services.gateway.views import delegation_view, when

_PLAN = "/api/v1/plans/{plan}"
_VOTED_ON = frozenset({"finish_planning", "wait_for_approval"})
"""Statuses in which votes are cast, ahead of the submission or in its round."""
_ASKED = ("plan_not_found", "not_waiting", "seal_changed")


def approval_routes(orders: Orders, log: EventLog, readers: Readers) -> list[Route]:
    """All routes of approval."""
    return [
        *_voting(orders),
        *_delegating(orders),
        *_emergency(orders),
        *_letters(orders),
        *_people(orders),
        *_reading(Reading(log, readers)),
    ]


def _order(orders: Orders, verb: str, name: str, summary: str, make: Make, body: Any, *codes: str) -> Route:
    return order_route(
        orders,
        make,
        method="POST",
        path=f"{_PLAN}/{verb}",
        name=name,
        summary=summary,
        tag="approval",
        body=body,
        codes=("plan_not_found", *codes),
    )


def _voting(orders: Orders) -> list[Route]:
    return [
        _order(
            orders,
            "vote",
            "vote_on_plan",
            "Approve or reject the sealed plan that you looked at, in your own place or a delegator's.",
            lambda call, body: c.VoteOnPlan(
                plan=plan_of(call),
                vote=body.vote,
                seal=body.seal,
                comment=body.comment,
                on_behalf_of=body.on_behalf_of,
            ),
            b.Ballot,
            *(*_ASKED, "not_approver", "self_approval", "already_voted", "reason_required"),
            *("no_delegation", "delegation_expired"),
        ),
        order_route(
            orders,
            lambda call, body: c.WithdrawVote(plan=plan_of(call), reason=body.reason),
            method="POST",
            path=f"{_PLAN}/withdraw",
            name="withdraw_vote",
            summary="Take your vote back while the round is open.",
            tag="approval",
            body=h.Reason,
            body_optional=True,
            codes=("plan_not_found", "not_waiting", "no_vote"),
        ),
    ]


def _delegating(orders: Orders) -> list[Route]:
    standing_orders = Standing(orders)
    address: dict[str, Any] = {"path": "/api/v1/delegations/{user}", "tag": "approval", "writes": True, "answer": Done}
    return [
        _order(
            orders,
            "delegate",
            "delegate_vote",
            "Let another vote in your place on this plan, until a time.",
            lambda call, body: a.DelegateVote(plan=plan_of(call), to=body.to, until=body.until, reason=body.reason),
            b.Delegating,
            *("not_approver", "invalid_delegation", "final"),
        ),
        _order(
            orders,
            "end-delegation",
            "end_delegation_on_plan",
            "Take back your delegation on this plan. What was voted under it stands.",
            lambda call, body: a.EndDelegation(plan=plan_of(call), to=body.to),
            b.TakingBack,
        ),
        Route(
            method="PUT",
            handler=standing_orders.give,
            name="put_delegation",
            summary="Let this person vote in your place on all plans, until a time.",
            body=b.StandingDelegation,
            codes=("user_not_found", "invalid_delegation"),
            **address,
        ),
        Route(
            method="DELETE",
            handler=standing_orders.end,
            name="end_delegation",
            summary="Take back your delegation on all plans. What was voted under it stands.",
            codes=("user_not_found",),
            **address,
        ),
    ]


class Standing:
    """Delegations on all plans."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._body: Body[b.StandingDelegation] = Body(b.StandingDelegation)

    async def give(self, call: Call) -> web.StreamResponse:
        to = f"user:{user_of(call)}"
        sent = await read_bytes(call.request, "application/json")
        order = order_of(call, sent)
        given = self._body.read(sent)
        command = a.DelegateVote(to=to, until=given.until, reason=given.reason)
        return done(await self._orders.send(call, order, command), to)

    async def end(self, call: Call) -> web.StreamResponse:
        to = f"user:{user_of(call)}"
        return done(await self._orders.send(call, order_of(call, b""), a.EndDelegation(to=to)), to)


def _emergency(orders: Orders) -> list[Route]:
    return [
        _order(
            orders,
            "emergency-approve",
            "approve_in_emergency",
            "Approve without the approvers, as an administrator, with a reason. Another person then owes a review.",
            lambda call, body: a.ApproveInEmergency(plan=plan_of(call), seal=body.seal, reason=body.reason),
            b.EmergencyApproval,
            *("not_waiting", "seal_changed", "already_approved", "reason_required"),
        ),
        _order(
            orders,
            "emergency-review",
            "review_emergency",
            "Review an emergency approval, as another person. Possible in every status, until it is done.",
            lambda call, body: a.ReviewEmergency(
                plan=plan_of(call), finding=body.finding, comment=body.comment, seal=body.seal
            ),
            b.EmergencyFinding,
            *("no_review_owed", "self_review", "self_approval", "reason_required"),
        ),
    ]


def _letters(orders: Orders) -> list[Route]:
    async def resend(call: Call) -> web.StreamResponse:
        order = order_of(call, b"")
        return done(await orders.send(call, order, a.ResendLetters(plan=plan_of(call))), "letters")

    return [
        Route(
            method="POST",
            path=f"{_PLAN}/letters/resend",
            handler=resend,
            name="resend_letters",
            summary="Try the letters of the newest round again that were given up.",
            tag="approval",
            answer=Done,
            writes=True,
            codes=("plan_not_found",),
        )
    ]


def _people(orders: Orders) -> list[Route]:
    def route(path: str, name: str, summary: str, body: Any, make: Make) -> Route:
        reader: Body[Any] = Body(body)

        async def serve(call: Call) -> web.StreamResponse:
            sent = await read_bytes(call.request, "application/json")
            order = order_of(call, sent)
            command: AnyCommand = make(call, reader.read(sent))
            return done(await orders.send(call, order, command), "people")

        return Route(
            method="POST",
            path=path,
            handler=serve,
            name=name,
            summary=summary,
            tag="people",
            answer=Done,
            body=body,
            writes=True,
            access="administrator",
            codes=("invalid_link",),
        )

    return [
        route(
            "/api/v1/people/link",
            "link_identities",
            "Say that these identities are one person: it has one slot, and separation looks at the person.",
            b.Link,
            lambda _, body: a.LinkIdentities(identities=body.identities, reason=body.reason),
        ),
        route(
            "/api/v1/people/unlink",
            "unlink_identity",
            "Say that this identity is a person of its own.",
            b.Unlink,
            lambda _, body: a.UnlinkIdentity(identity=body.identity, reason=body.reason),
        ),
    ]


def _reading(reading: "Reading") -> list[Route]:
    return [
        Route(
            method="GET",
            path=f"{_PLAN}/review",
            handler=reading.review,
            name="review_plan",
            summary="What to look at before voting: the seal, and what differs from what you and the approvers saw.",
            tag="approval",
            answer=b.ReviewView,
            codes=("plan_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/delegations",
            handler=reading.delegations,
            name="list_delegations",
            summary="The delegations on all plans that you gave and were given.",
            tag="approval",
            answer=b.Delegations,
        ),
        Route(
            method="GET",
            path=f"{_PLAN}/letters",
            handler=reading.letters,
            name="list_letters",
            summary="The letters about a plan's approval rounds, and how they fared.",
            tag="approval",
            answer=b.LetterPage,
            codes=("plan_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/people",
            handler=reading.people,
            name="list_people",
            summary="The people who have several identities.",
            tag="people",
            answer=b.PeoplePage,
            access="administrator",
        ),
    ]


class Reading:
    """Answers what an approver asks."""

    def __init__(self, log: EventLog, readers: Readers) -> None:
        self._log = log
        self._readers = readers
        self._given = load_sql("services.gateway", "delegations_given")

    async def review(self, call: Call) -> web.StreamResponse:
        plan_id = plan_of(call)
        reader = await self._readers.of(call.actor)
        found = review(await self._log.read_stream(f"plan-{plan_id}"), reader.people.identities(call.actor.id))
        if found is None:
            raise no_plan(plan_id)
        plan = found.plan
        asked = standing(plan).asked if plan.status in _VOTED_ON and not plan.approved else ()
        through = asked_through(plan, Waiting("vote", asked, 0), await self._readers.on(plan, reader)) if asked else ()
        view = b.ReviewView(
            id=plan.id,
            name=plan.content.name,
            status=plan.status,
            version=plan.version,
            seal=plan.seal.value if plan.seal else "",
            sealed_by=plan.seal.by if plan.seal else "",
            sealed_at=when(plan.seal.at) if plan.seal else None,
            asked=asked,
            you_are_asked=bool(through),
            source=plan.source,
            since_my_vote=_since(found.my_vote),
            since_approved=_since(found.approved),
            since_source=_since(found.source),
            template=await self._template(plan.source),
            content=plan.content,
        )
        return json_answer(view, headers={"ETag": f'"{plan.version}"'})

    async def delegations(self, call: Call) -> web.StreamResponse:
        me = call.actor.id
        mine = fold_delegate(await self._log.read_stream(delegate_stream(me)))
        rows = await self._log.pool.fetch(self._given, me)
        given = [Delegation(me, row["delegate"], row["until"], row["given_at"], row["reason"]) for row in rows]
        view = b.Delegations(
            given=tuple(delegation_view(one) for one in given),
            received=tuple(delegation_view(one) for one in mine.delegations) if mine else (),
        )
        return json_answer(view)

    async def letters(self, call: Call) -> web.StreamResponse:
        plan_id = plan_of(call)
        plan = fold(await self._log.read_stream(f"plan-{plan_id}"))
        if plan is None:
            raise no_plan(plan_id)
        found: list[b.LetterView] = []
        for number in range(1, plan.approval.round + 1):
            letters = fold_letters(await self._log.read_stream(letter_stream(plan_id, number)))
            found += [_letter(one, number) for one in letters.letters.values()] if letters else []
        return json_answer(b.LetterPage(letters=tuple(found)))

    async def people(self, call: Call) -> web.StreamResponse:
        people = await self._readers.links()
        whole = {person: people.identities(person) for person in sorted(set(people.persons.values()))}
        listed = tuple(b.PersonView(id=one, identities=all_) for one, all_ in whole.items() if len(all_) > 1)
        return json_answer(b.PeoplePage(people=listed))

    async def _template(self, source: Source | None) -> b.TemplateNewsView | None:
        if source is None or source.kind != "template":
            return None
        news = template_news(source, await self._log.read_stream(template_stream(source.name)))
        if news is None:
            return None
        return b.TemplateNewsView(
            name=source.name,
            revision=source.revision,
            newest=news.newest,
            put_by=news.by,
            put_at=moment(news.at),
            deleted=news.deleted,
            difference=news.difference,
            faults=news.faults,
        )


def _letter(letter: Letter, number: int) -> b.LetterView:
    return b.LetterView(
        round=number,
        person=letter.person,
        kind=letter.kind,
        state=letter.state,
        attempts=letter.attempts,
        error=letter.error,
        written_at=moment(letter.written_at),
        next_at=when(letter.next_at),
        ended_at=when(letter.ended_at),
    )


def _since(since: Since | None) -> b.SinceView | None:
    if since is None:
        return None
    return b.SinceView(version=since.version, at=moment(since.at), seal=since.seal, difference=since.difference)
