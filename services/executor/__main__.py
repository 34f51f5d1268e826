"""`python -m services.executor [--rebuild]`"""

from infra.lean import without

without("rich", "greenlet")

from infra.rebuild import run_or_rebuild  # noqa: E402
from services.executor.app import build, projections  # noqa: E402
from services.executor.config import Settings  # noqa: E402

if __name__ == "__main__":
    run_or_rebuild("executor", Settings, build, projections)
