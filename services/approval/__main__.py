"""`python -m services.approval`"""

from infra.process import run_service
from services.approval.app import build
from services.approval.config import Settings

if __name__ == "__main__":
    run_service("approval", Settings, build)
