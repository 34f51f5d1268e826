"""The settings of the gateway."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from infra.config import Secret, Settings
from infra.jwt import ALGORITHMS, JwtSettings


class GatewaySettings(Settings, frozen=True, kw_only=True):
    """Where the gateway listens and how patient it is. Everything else is the same for all services."""

    http_host: Annotated[str, Meta(description="Where the HTTP interface listens.")] = "127.0.0.1"
    http_port: Annotated[int, Meta(ge=0, le=65_535, description="Its port; 0 takes a free one.")] = 8640
    http_port_file: Annotated[Path | None, Meta(description="File into which the chosen HTTP port is written.")] = None
    master_key: Annotated[Secret, Meta(description="Key that encrypts the key store.")] = Secret("")
    token_cache_seconds: Annotated[
        float, Meta(ge=0, le=60, description="How long a looked-up token is believed, in seconds.")
    ] = 3.0
    jwt_issuer: Annotated[str, Meta(description="Issuer whose JWT are believed; empty: none are.")] = ""
    jwt_audience: Annotated[str, Meta(description="Audience that a JWT must be for.")] = "gonogo"
    jwt_keys: Annotated[
        Secret, Meta(description="PEM, JWKS, a file of either, https address of a JWKS, or the shared secret.")
    ] = Secret("")
    jwt_algorithms: Annotated[tuple[str, ...], Meta(description="Algorithms that a JWT may use, by commas.")] = (
        ALGORITHMS
    )
    jwt_groups_claim: Annotated[
        str, Meta(description="Claim that names groups; empty: groups are the directory's.")
    ] = ""
    jwt_admit_unknown: Annotated[
        bool, Meta(description="Let in people whom the directory does not have, never as administrators.")
    ] = False
    most_lag_events: Annotated[
        int, Meta(ge=1, description="How many events the lists may be behind before the gateway says it is not ready.")
    ] = 5_000

    presence_seconds: Annotated[
        float,
        Meta(ge=1, le=600, description="How long somebody counts as present without saying so again, in seconds."),
    ] = 30.0

    def jwt(self) -> JwtSettings | None:
        """Whose JWT are believed, if anybody's."""
        if not self.jwt_issuer:
            return None
        return JwtSettings(
            issuer=self.jwt_issuer,
            audience=self.jwt_audience,
            keys=self.jwt_keys,
            algorithms=self.jwt_algorithms,
            groups_claim=self.jwt_groups_claim or None,
            admit_unknown=self.jwt_admit_unknown,
        )
