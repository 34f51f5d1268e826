"""`python -m services.approval`"""

from infra.lean import without

without("rich", "aiohttp")

from infra.process import run_service  # noqa: E402
from services.approval.app import build  # noqa: E402
from services.approval.config import Settings  # noqa: E402

if __name__ == "__main__":
    run_service("approval", Settings, build)
