"""Commands on people: who am I, store a user, make a token. A new token is printed once, on stdout, and kept nowhere."""

from typing import Annotated

from cyclopts import Parameter

from services.cli.options import READ, WRITE, Reading, Writing, asking, segment


async def me(*, reading: Reading = READ) -> None:
    """Shows who the token speaks for."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get("/api/v1/me")
        if output.as_json:
            output.json(answer.body)
            return
        view = answer.json()
        output.pairs({"Id": view["id"], "Groups": view["groups"], "Administrator": view["administrator"]})


async def put(
    user: str,
    /,
    *,
    name: str = "",
    group: Annotated[list[str] | None, Parameter(consume_multiple=False)] = None,
    administrator: bool = False,
    writing: Writing = WRITE,
) -> None:
    """Stores a user with exactly these groups and rights. For administrators.

    Parameters
    ----------
    user
        Id of the user, such as olivia.
    name
        Full name.
    group
        A group, without `group:`; give it several times.
    administrator
        Whether the user is an administrator.
    """
    body = {"name": name, "groups": group or [], "administrator": administrator}
    async with asking(writing) as (gateway, output):
        answer = await gateway.send("PUT", f"/api/v1/users/{segment(user)}", body, key=writing.key)
        if output.as_json:
            output.json(answer.body)
        else:
            output.note(f"Stored user {user}.")


async def token(user: str, /, *, label: str = "", expires_at: str | None = None, writing: Writing = WRITE) -> None:
    """Makes a token for a user and prints it, this once. For administrators.

    Parameters
    ----------
    user
        Id of the user.
    label
        What the token is for.
    expires_at
        Until when it holds (RFC 3339). Default: until it is taken back.
    """
    body = {"label": label} | ({} if expires_at is None else {"expires_at": expires_at})
    async with asking(writing) as (gateway, output):
        answer = await gateway.send("POST", f"/api/v1/users/{segment(user)}/tokens", body, key=writing.key)
        if output.as_json:
            output.json(answer.body)
            return
        view = answer.json()
        output.line(view["token"])
        output.note(f"Keep it; it is not shown again. Its id is {view['id']}.")
