"""Commands on people: who am I, store a user, make a token. A new token is printed once, on stdout, and kept nowhere."""

from typing import Annotated

from cyclopts import Parameter

from services.cli.options import READ, WRITE, Reading, Writing, asking, segment, show_done, user_reference


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
    email: str | None = None,
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
    email
        Where letters about approvals go. Default: the address that is kept; "" forgets it.
    """
    body: dict[str, object] = {"name": name, "groups": group or [], "administrator": administrator}
    if email is not None:
        body["email"] = email
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


async def link(
    identity: Annotated[list[str], Parameter(consume_multiple=True)], /, *, reason: str = "", writing: Writing = WRITE
) -> None:
    """Says that these identities are one person, who has one vote. For administrators.

    Parameters
    ----------
    identity
        Such as user:ana user:ana.b; the first names the person.
    reason
        Why.
    """
    identities = [user_reference(one) for one in identity]
    async with asking(writing) as (gateway, output):
        body = {"identities": identities, "reason": reason}
        answer = await gateway.send("POST", "/api/v1/people/link", body, key=writing.key)
        show_done(output, answer, f"{', '.join(identities)} are one person")


async def unlink(identity: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Says that an identity is a person of its own. For administrators.

    Parameters
    ----------
    identity
        Such as user:ana.b.
    reason
        Why.
    """
    async with asking(writing) as (gateway, output):
        body = {"identity": user_reference(identity), "reason": reason}
        answer = await gateway.send("POST", "/api/v1/people/unlink", body, key=writing.key)
        show_done(output, answer, f"{user_reference(identity)} is a person of its own")


async def links(*, reading: Reading = READ) -> None:
    """Lists the people with several identities. For administrators."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get("/api/v1/people")
        if output.as_json:
            output.json(answer.body)
            return
        rows = [(one["id"], one["identities"]) for one in answer.json()["people"]]
        output.table(("person", "identities"), rows, empty="Nobody has several identities.")
