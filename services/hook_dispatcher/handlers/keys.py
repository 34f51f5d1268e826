"""The keys that sign what goes to an endpoint: its own, and during a rotation the one before as well."""

from collections import OrderedDict

import structlog

from contracts.endpoint_state import Endpoint
from infra.asked_once import AskedOnce
from infra.clock import Clock
from infra.errors import Misconfigured
from infra.keystore import KeyStore
from infra.signing import SigningKey

log = structlog.get_logger(__name__)

_REMEMBERED = 256
_REMEMBERED_MICROS = 30_000_000


class Keys:
    """Reads keys from the key store and remembers them for half a minute."""

    def __init__(self, key_store: KeyStore | None, clock: Clock) -> None:
        self._key_store = key_store
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, SigningKey]] = OrderedDict()
        self._reading = AskedOnce(self._read)

    async def of(self, endpoint: Endpoint) -> tuple[SigningKey, ...]:
        """The newest first; none for an endpoint without a secret. Raises Misconfigured or ValueError, without the secret."""
        if not endpoint.secret_ref:
            return ()
        keys = [await self._key(endpoint.secret_ref)]
        if endpoint.previous_ref and endpoint.previous_until > self._clock.now():
            try:
                keys.append(await self._key(endpoint.previous_ref))
            except (Misconfigured, ValueError) as error:
                log.warning("previous_key_not_usable", endpoint=endpoint.id, reason=str(error))
        return tuple(keys)

    async def _key(self, ref: str) -> SigningKey:
        now = self._clock.now()
        known = self._known.get(ref)
        if known is not None and known[0] > now:
            return known[1]
        return await self._reading.get(ref)

    async def _read(self, ref: str) -> SigningKey:
        if self._key_store is None:
            raise Misconfigured("there is no master key, so no hook can be signed")
        secret = await self._key_store.get(ref)
        if secret is None:
            raise Misconfigured(f"there is no secret {ref!r}")
        key = SigningKey.of(secret.reveal())
        self._known[ref] = (self._clock.now() + _REMEMBERED_MICROS, key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return key
