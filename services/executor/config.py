"""Settings of the executor: those of every service, and how it runs workflows."""

from typing import Annotated

from msgspec import Meta

from infra.config import Secret
from infra.config import Settings as Shared


class Settings(Shared, frozen=True, kw_only=True):
    """See the README's table."""

    master_key: Annotated[Secret, Meta(description="Key of the key store; empty: steps with credentials fail.")] = (
        Secret("")
    )
    http_allow: Annotated[
        tuple[str, ...],
        Meta(description="Networks that HTTP steps may reach beside public addresses, by commas, such as 127.0.0.0/8."),
    ] = ()
    lease_seconds: Annotated[
        float, Meta(ge=1, description="How long an executor owns a run without a sign of life, in seconds.")
    ] = 30.0
    max_runs: Annotated[int, Meta(ge=1, description="Workflow runs that one executor drives at once.")] = 16
    kill_grace_seconds: Annotated[
        float, Meta(ge=0, description="From SIGTERM to SIGKILL of a script step's processes, in seconds.")
    ] = 5.0
    max_output_bytes: Annotated[
        int, Meta(ge=1_000, description="A script step that says more than this is ended, in bytes.")
    ] = 1024 * 1024 * 1024
    keep_runs_days: Annotated[
        float, Meta(ge=1, description="Days after a run's end until the folders of its script steps are removed.")
    ] = 7.0
    keep_logs_days: Annotated[
        float, Meta(ge=0, description="Days after a run's end until its log is removed; 0: never. Its digest stays.")
    ] = 365.0
