"""`python -m services.gateway`: the HTTP interface."""

from infra.process import run_service
from services.gateway.app import build
from services.gateway.config import GatewaySettings

if __name__ == "__main__":
    run_service("gateway", GatewaySettings, build)
