"""`python -m services.audit`; with `--rebuild` it folds its projections again and ends."""

from infra.rebuild import run_or_rebuild
from services.audit.app import build, projections
from services.audit.config import Settings

if __name__ == "__main__":
    run_or_rebuild("audit", Settings, build, projections)
