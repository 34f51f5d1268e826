"""`python -m services.hook_dispatcher`; with `--rebuild` it folds its projection again and ends."""

from infra.lean import without

without("rich", "greenlet")

from infra.rebuild import run_or_rebuild  # noqa: E402
from services.hook_dispatcher.app import build, projections  # noqa: E402
from services.hook_dispatcher.config import Settings  # noqa: E402

if __name__ == "__main__":
    run_or_rebuild("hook_dispatcher", Settings, build, projections)
