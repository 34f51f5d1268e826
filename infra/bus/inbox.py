"""Where the replies to requests come in. A request that is sent again keeps what it had: the reply to any sending will do.

A service that has much to do answers late. If only the newest sending's reply counted, each would come too late for its own,
and all that is asked twice would be worked on twice for nobody.
"""

import asyncio

from nats.aio.client import Client
from nats.aio.msg import Msg

_NO_RESPONDERS = "503"


class Question:
    """One request, however often it is sent. `reply` is the first that came; `nobody`: the last sending met no one."""

    def __init__(self) -> None:
        self.reply: bytes | None = None
        self.nobody = False
        self.places: list[str] = []
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def came(self, reply: bytes | None) -> None:
        """A reply, or `None`: nobody is there to give one."""
        if self.reply is None:
            self.reply, self.nobody = reply, reply is None
        if not self._news.done():
            self._news.set_result(None)

    async def wait(self, timeout_seconds: float) -> None:
        """Until something came, for at most so long."""
        await asyncio.wait((self._news,), timeout=timeout_seconds)

    def again(self) -> None:
        """Forget that nobody was there, before it is sent once more."""
        if self.nobody:
            self.nobody, self._news = False, asyncio.get_running_loop().create_future()


class Inbox:
    """One per connection. `open` it before it is used; the client makes its subscription anew when it reconnects."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = client.new_inbox()
        self._questions: dict[str, Question] = {}
        self._sent = 0

    async def open(self) -> None:
        """Hear the replies."""
        await self._client.subscribe(f"{self._prefix}.*", cb=self._came)

    async def send(self, question: Question, subject: str, body: bytes, headers: dict[str, str] | None) -> None:
        """Send it, once more or for the first time. Raises what nats-py raises."""
        self._sent += 1
        place = f"{self._prefix}.{self._sent}"
        self._questions[place] = question
        question.places.append(place)
        await self._client.publish(subject, body, reply=place, headers=headers)

    def forget(self, question: Question) -> None:
        """Nobody waits for it any more."""
        for place in question.places:
            self._questions.pop(place, None)

    async def _came(self, message: Msg) -> None:
        question = self._questions.get(message.subject)
        if question is not None:
            nobody = not message.data and (message.headers or {}).get("Status") == _NO_RESPONDERS
            question.came(None if nobody else message.data)
