"""The versions of a plan's content: the list, any one whole, what differs between any two."""

from typing import Any

from aiohttp import web

from contracts import http_editing as he
from contracts.difference import difference
from contracts.envelope import Fact
from contracts.moments import moment
from contracts.refusals import Refused
from contracts.values import Content
from contracts.versions import Version, content_at, versions
from infra.eventlog import EventLog
from services.gateway.bodies import Query
from services.gateway.names import no_plan, plan_of
from services.gateway.orders import json_answer
from services.gateway.route import Call, Route

_PATH = "/api/v1/plans/{plan}"


def version_routes(log: EventLog) -> list[Route]:
    """The routes that read versions."""
    reading = Versions(log)

    def route(path: str, handler: Any, name: str, summary: str, **more: Any) -> Route:
        codes = ("plan_not_found", "version_not_found")
        return Route(
            method="GET",
            path=_PATH + path,
            handler=handler,
            name=name,
            summary=summary,
            tag="versions",
            codes=codes,
            **more,
        )

    return [
        route(
            "/versions",
            reading.many,
            "list_versions",
            "The changes of a plan's content: who changed which sections when.",
            answer=he.VersionPage,
            query=he.VersionsQuery,
        ),
        route(
            "/versions/{version}",
            reading.one,
            "get_version",
            "The content of a plan as it was at a version.",
            answer=he.VersionView,
        ),
        route(
            "/difference",
            reading.difference,
            "get_difference",
            "What differs between two versions: by section, items by id, order apart from content, texts by words.",
            answer=he.DifferenceView,
            query=he.DifferenceQuery,
        ),
    ]


class Versions:
    """Reads a plan's stream from its beginning each time: versions are asked for by people, now and then."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._many = Query(he.VersionsQuery)
        self._two = Query(he.DifferenceQuery)

    async def many(self, call: Call) -> web.StreamResponse:
        query = self._many.read(call.request)
        found = versions(await self._facts(call))
        if query.before is not None:
            found = [one for one in found if one.version < query.before]
        page = found[-query.limit :]
        after = page[0].version if len(page) < len(found) else None
        return json_answer(he.VersionPage(versions=tuple(_row(one) for one in reversed(page)), next=after))

    async def one(self, call: Call) -> web.StreamResponse:
        wanted = _version_of(call)
        facts = await self._facts(call)
        content = _content(facts, wanted)
        change = [one for one in versions(facts) if one.version <= wanted or one.version == facts[-1].version][-1]
        view = he.VersionView(plan=plan_of(call), version=wanted, change=_row(change), content=content)
        return json_answer(view, headers={"ETag": f'"{wanted}"'})

    async def difference(self, call: Call) -> web.StreamResponse:
        query = self._two.read(call.request)
        facts = await self._facts(call)
        new = query.new or facts[-1].version
        after = _content(facts, new)
        old = query.old or next((one.previous for one in reversed(versions(facts)) if one.version <= new), 0)
        before = _content(facts, old) if old else after
        view = he.DifferenceView(plan=plan_of(call), old=old or new, new=new, difference=difference(before, after))
        return json_answer(view)

    async def _facts(self, call: Call) -> list[Fact]:
        plan = plan_of(call)
        facts = await self._log.read_stream(f"plan-{plan}")
        if not facts:
            raise no_plan(plan)
        return facts


def _version_of(call: Call) -> int:
    text = call.part("version")
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 9:
        raise _no_version(text[:100])
    return int(text)


def _content(facts: list[Fact], version: int) -> Content:
    content = content_at(facts, version)
    if content is None:
        raise _no_version(str(version))
    return content


def _no_version(version: str) -> Refused:
    return Refused("version_not_found", f"The plan has no version {version}.")


def _row(one: Version) -> he.VersionRow:
    return he.VersionRow(
        version=one.version,
        previous=one.previous or None,
        kind=one.kind,
        sections=one.sections,
        by=one.by,
        channel=one.channel,
        at=moment(one.at),
        restored=one.restored or None,
    )
