"""The public form of an event: what leaves the house by bus, hook and feed. Same position, private fields left out."""

import msgspec

PRIVATE: dict[str, frozenset[str]] = {
    "run.created.v1": frozenset({"inputs", "definition"}),
    "endpoint.put.v1": frozenset({"secret_ref"}),
    "endpoint.rotated.v1": frozenset({"secret_ref"}),
    "endpoint.challenged.v1": frozenset({"challenge"}),
}


def public_form(type_name: str, payload: bytes) -> bytes:
    """The payload without the private fields of its type; the very same bytes where there are none."""
    private = PRIVATE.get(type_name)
    if not private:
        return payload
    fields = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in private})
