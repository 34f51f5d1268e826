"""`python -m services.relay`."""

from infra.process import run_service
from services.relay.app import build
from services.relay.config import Settings

if __name__ == "__main__":
    run_service("relay", Settings, build)
