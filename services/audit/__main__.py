"""`python -m services.audit`; with `--rebuild` it folds its projections again and ends."""

from infra.lean import without

without("rich", "aiohttp", "greenlet")

from infra.rebuild import run_or_rebuild  # noqa: E402
from services.audit.app import build, projections  # noqa: E402
from services.audit.config import Settings  # noqa: E402

if __name__ == "__main__":
    run_or_rebuild("audit", Settings, build, projections)
