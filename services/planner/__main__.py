"""`python -m services.planner`"""

from infra.process import run_service
from services.planner.app import build
from services.planner.config import Settings

if __name__ == "__main__":
    run_service("planner", Settings, build)
