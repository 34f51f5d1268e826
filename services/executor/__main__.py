"""`python -m services.executor [--rebuild]`"""

from infra.rebuild import run_or_rebuild
from services.executor.app import build, projections
from services.executor.config import Settings

if __name__ == "__main__":
    run_or_rebuild("executor", Settings, build, projections)
