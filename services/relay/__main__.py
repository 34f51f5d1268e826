"""`python -m services.relay`."""

from infra.lean import without

without("rich", "aiohttp", "greenlet")

from infra.process import run_service  # noqa: E402
from services.relay.app import build  # noqa: E402
from services.relay.config import Settings  # noqa: E402

if __name__ == "__main__":
    run_service("relay", Settings, build)
