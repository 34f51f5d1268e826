"""`python -m services.planner`; with `--rebuild` it folds its projections again and ends."""

from infra.rebuild import run_or_rebuild
from services.planner.app import build, projections
from services.planner.config import Settings

if __name__ == "__main__":
    run_or_rebuild("planner", Settings, build, projections)
