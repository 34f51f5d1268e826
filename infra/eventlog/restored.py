"""Giving the log a new epoch, because its database was restored from a backup: an operator's word, without a proof.

The epoch is half of every event's id outside; the next events of a restored log must not get ids that others had. It refuses
a log that is not sound at its end, since nobody could go on there, and it changes nothing else. Afterwards it ends the
services' connections, so that each looks at the log anew and a process that knows another one ends.
"""

from collections.abc import Sequence

import asyncpg
import msgspec

from contracts.envelope import Fact, Position, leaf_hash
from infra.errors import Corrupt, Misconfigured
from infra.eventlog.log import facts
from infra.eventlog.model import Head
from infra.postgres import CONNECT_SECONDS, load_sql

_PACKAGE = "infra.eventlog"
_LOOKED_AT = 1_000


class Renewed(msgspec.Struct, frozen=True):
    """What was done. `ahead` names the projections that are ahead of the log; `ended` counts the services' connections."""

    epoch: str
    old_epoch: str
    position: Position
    ended: int
    ahead: tuple[str, ...] = ()


def faults_at_end(head: Head, newest: Sequence[Fact], beyond: Sequence[Fact]) -> list[str]:
    """Why nobody could go on at the end of this log. `newest` are the last events up to the head, `beyond` some after it."""
    found = [f"event {fact.position} is beyond the head, which says {head.position}" for fact in beyond]
    expected = range(head.position - len(newest) + 1, head.position + 1)
    if [fact.position for fact in newest] != list(expected) or (head.position and not newest):
        found.append(f"events are missing before position {head.position}, which the head says")
    elif newest and newest[-1].recorded_at != head.recorded_at:
        found.append("the head's time is not that of the last event")
    found += [f"the leaf hash of event {fact.position} is wrong" for fact in newest if fact.leaf != leaf_hash(fact)]
    return found


async def renew(admin_dsn: str) -> Renewed:
    """A new epoch, in one transaction. The address is a superuser's, who alone may. Each call gives another one.

    Raises Corrupt for a log that is not sound at its end, Misconfigured for an address at which this cannot be done, and what
    asyncpg raises when the server does not answer.
    """
    connection = await asyncpg.connect(
        admin_dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": "gonogo log restored"}
    )
    try:
        async with connection.transaction(isolation="read_committed"):
            await connection.execute("set local lock_timeout = '5s'")
            await connection.execute(load_sql(_PACKAGE, "lock"))
            head = await _sound_head(connection)
            ahead = [row["name"] for row in await connection.fetch(load_sql(_PACKAGE, "ahead"), head.position)]
            epoch = await connection.fetchval(load_sql(_PACKAGE, "new_epoch"))
        ended = await connection.fetchval(load_sql(_PACKAGE, "end_sessions"))
    except asyncpg.InsufficientPrivilegeError:
        raise Misconfigured(
            "only a superuser of the database may do this, and the address names another role"
        ) from None
    except asyncpg.UndefinedTableError:
        raise Misconfigured("there is no log in this database") from None
    finally:
        await connection.close()
    return Renewed(epoch, head.epoch, head.position, ended, tuple(ahead))


async def _sound_head(connection: asyncpg.Connection) -> Head:
    record = await connection.fetchrow(load_sql(_PACKAGE, "read_head"))
    if record is None:
        raise Corrupt("the log has no head")
    head = Head(record["position"], record["epoch"], record["recorded_at"])
    after, start = load_sql(_PACKAGE, "read_after"), max(0, head.position - _LOOKED_AT)
    found = facts(await connection.fetch(after, start, _LOOKED_AT + 1))
    newest = [fact for fact in found if fact.position <= head.position]
    beyond = found[len(newest) :] or facts(await connection.fetch(after, head.position, 1))
    if faults := faults_at_end(head, newest, beyond):
        raise Corrupt("; ".join(faults[:3]))
    return head
