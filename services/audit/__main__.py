"""`python -m services.audit`"""

from infra.process import run_service
from services.audit.app import build
from services.audit.config import Settings

if __name__ == "__main__":
    run_service("audit", Settings, build)
