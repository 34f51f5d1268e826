"""`python -m services.hook_dispatcher`; with `--rebuild` it folds its projection again and ends."""

from infra.rebuild import run_or_rebuild
from services.hook_dispatcher.app import build, projections
from services.hook_dispatcher.config import Settings

if __name__ == "__main__":
    run_or_rebuild("hook_dispatcher", Settings, build, projections)
