"""Whether somebody who follows something live may still: asked again every few seconds, since a token may be taken back,
run out, or mean less than it did, and a stream may stay open for days.

It ends nothing by itself. While the directory does not answer the last word holds: the database that is away tells a
follower nothing new either.
"""

import asyncio

from infra.errors import Unavailable
from services.gateway.door import Authenticates
from services.gateway.route import Call

AGAIN_SECONDS = 10.0


class Staying:
    """One per open stream. `actor` is who follows, with the rights of the last time that was asked."""

    def __init__(self, people: Authenticates, call: Call) -> None:
        self.actor = call.actor
        self._people = people
        self._token = call.request.headers.get("Authorization", "").partition(" ")[2].strip()
        self._next = asyncio.get_running_loop().time() + AGAIN_SECONDS

    async def may(self) -> bool:
        """False when the token stands for nobody any more, or for somebody else."""
        now = asyncio.get_running_loop().time()
        if now < self._next:
            return True
        self._next = now + AGAIN_SECONDS
        try:
            actor = await self._people.authenticate(self._token)
        except Unavailable:
            return True
        if actor is None or actor.id != self.actor.id:
            return False
        self.actor = actor
        return True
