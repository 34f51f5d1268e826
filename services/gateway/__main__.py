"""`python -m services.gateway`: the HTTP interface."""

from infra.lean import without

without("rich", "greenlet")

from infra.process import run_service  # noqa: E402
from services.gateway.app import build  # noqa: E402
from services.gateway.config import GatewaySettings  # noqa: E402

if __name__ == "__main__":
    run_service("gateway", GatewaySettings, build)
