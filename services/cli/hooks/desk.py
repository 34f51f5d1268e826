"""What a listening receiver does with hooks: prints each one, keeps it where it was asked to, answers one after the other."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from contracts.moments import rfc3339
from services.cli.hooks.receiver import Hook
from services.cli.hooks.saved import append_to, saved_of
from services.cli.output import Output, clean, when

Say = tuple[str, str]
"""A result, "" for none, and a text."""
Send = Callable[[Hook, Say], Awaitable[str]]
"""Sends an answer; how it was taken, in a few words."""


class Desk:
    """Prints each hook when it comes and answers it when its turn is; one after the other."""

    def __init__(
        self,
        output: Output,
        say: Callable[[Hook], Awaitable[Say]],
        send: Send,
        *,
        save: Path | None = None,
        count: int | None = None,
    ) -> None:
        self._output = output
        self._say = say
        self._send = send
        self._save = save
        self._count = count
        self._hooks: asyncio.Queue[Hook] = asyncio.Queue()

    async def take(self, hook: Hook) -> None:
        """A hook has come. Raises nothing."""
        if self._save is not None and hook.verdict != "forged":
            saved = saved_of(hook.delivery, dict(hook.headers), hook.body, rfc3339(hook.at) or "")
            try:
                append_to(self._save, saved)
            except OSError as error:
                self._output.note(f"Not saved: {error.strerror}.", style="red")
        self._show(hook)
        self._hooks.put_nowait(hook)

    async def work(self) -> None:
        """Until `count` hooks are answered, else for ever."""
        done = 0
        while self._count is None or done < self._count:
            hook = await self._hooks.get()
            done += 1
            if hook.verdict == "forged" or not hook.told.awaited or hook.times > 1:
                continue
            say = await self._say(hook)
            if say[0]:
                self._answered(hook, say, await self._send(hook, say))

    def _show(self, hook: Hook) -> None:
        if self._output.as_json:
            self._output.json_line(_fields(hook))
            return
        told = hook.told
        again = f", for the {hook.times}. time" if hook.times > 1 else ""
        verdict = f"FORGED ({hook.fault})" if hook.verdict == "forged" else hook.verdict
        self._output.line(f"{when(rfc3339(hook.at))}  {told.event or 'not a hook of ours'}  {verdict}{again}")
        self._output.line(f"    delivery {hook.delivery or '-'}, {len(hook.body)} bytes")
        if told.plan:
            self._output.line(f'    plan {told.plan} "{clean(told.name)}", {told.status}')
        for name, status in told.jobs:
            self._output.line(f"      {status or 'todo':<8} {clean(name)}")
        if told.awaited:
            self._output.line(f"    waits for an answer with the code {told.code}")

    def _answered(self, hook: Hook, say: Say, how: str) -> None:
        result, text = say
        if self._output.as_json:
            self._output.json_line({"delivery": hook.delivery, "answered": result, "text": text, "taken": how})
        else:
            self._output.line(f"    answered {result}{f' ({clean(text)})' if text else ''}: {how}")


def _fields(hook: Hook) -> dict[str, Any]:
    told = hook.told
    try:
        body: Any = msgspec.json.decode(hook.body)
    except msgspec.DecodeError:
        body = hook.body.decode("utf-8", "replace")
    return {
        "at": rfc3339(hook.at),
        "delivery": hook.delivery,
        "times": hook.times,
        "verdict": hook.verdict,
        "fault": hook.fault,
        "event": told.event,
        "plan": told.plan,
        "status": told.status,
        "instance_code": told.code,
        "awaited": told.awaited,
        "body": body,
    }
