"""What an endpoint and the SDK's own variables make of traces."""

import pytest

from infra.errors import Misconfigured
from infra.telemetry import open_tracing, outbox
from infra.telemetry.tracing import traceparent_of

NOBODY = "http://127.0.0.1:1"
THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://collector:4317", "http://", "collector"])
def test_an_endpoint_that_is_no_address_of_http_is_refused_by_the_name_of_its_variable(endpoint: str) -> None:
    with pytest.raises(Misconfigured, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        open_tracing("planner", endpoint)


def test_the_sdks_own_switch_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_tracing("planner", NOBODY) is None


async def test_the_sampler_of_the_environment_decides_for_roots_and_the_caller_for_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    tracing = open_tracing("planner", NOBODY)
    assert tracing is not None
    with tracing.span("root", "server", {}, parent="") as root:
        assert not root.is_recording()
        assert traceparent_of(root)[-2:] in ("00", "02"), "told to all that it leads to, so that none is kept in part"
    monkeypatch.setattr(outbox, "FLUSH_SECONDS", 0.01)  # nobody is there
    with tracing.span("theirs", "server", {}, parent=THEIRS) as theirs:
        kept = theirs.is_recording()
    await tracing.close()
    assert kept
