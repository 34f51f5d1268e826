"""The words are for ever: every name has a sample, every sample decodes, every schema is what the code says."""

from pathlib import Path

import msgspec
import pytest

from contracts import approval_events, edit_events, executing_events, gate_events, plan_events, registry
from contracts.commands import SERVICE_OF, AnyCommand
from contracts.evolve import APPLY
from contracts.public import PRIVATE, public_form
from services.audit.views import SILENT, VERBS
from tests.support.words import FOLDER, schemas

SAMPLES = Path(__file__).parents[2] / "contracts" / "samples"


@pytest.mark.parametrize("name", sorted(registry.EVENTS))
def test_every_event_has_a_sample_that_decodes_and_encodes_to_itself(name: str) -> None:
    sample = (SAMPLES / f"{name}.json").read_bytes().strip()
    event = registry.decode(name, sample)
    assert registry.encode(event) == (name, sample)


def test_no_sample_belongs_to_a_forgotten_event() -> None:
    assert {file.stem for file in SAMPLES.glob("*.json")} == set(registry.DECODERS)


def test_the_schemas_are_those_that_the_code_generates() -> None:
    written = {file.name: file.read_bytes() for file in FOLDER.glob("*.json")}
    assert written == schemas(), "run `just words` and say in the commit what changed"


def test_an_event_from_a_newer_release_keeps_its_unknown_fields_out() -> None:
    payload = b'{"reason":"why","mood":"new"}'
    assert registry.decode("plan.cancelled.v1", payload) == plan_events.PlanCancelled(reason="why")


def test_every_plan_event_has_a_place_in_the_fold() -> None:
    of_plans = {
        **plan_events.EVENTS,
        **edit_events.EVENTS,
        **approval_events.EVENTS,
        **executing_events.EVENTS,
        **gate_events.EVENTS,
    }
    assert set(APPLY) == set(of_plans) - {"plan.created.v1"}


def test_every_event_has_a_verb_in_the_record_or_is_silent_on_purpose() -> None:
    assert set(VERBS) | SILENT == set(registry.EVENTS)


def test_every_event_has_exactly_one_owner() -> None:
    owned = [name for names in registry.OWNERS.values() for name in names]
    assert sorted(owned) == sorted(registry.EVENTS)


def test_every_command_has_a_service() -> None:
    assert set(SERVICE_OF) == set(AnyCommand.__args__)


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_private_fields_are_not_in_the_public_form(name: str) -> None:
    sample = (SAMPLES / f"{name}.json").read_bytes()
    public = msgspec.json.decode(public_form(name, sample))
    assert not PRIVATE[name] & set(public)
    assert set(public) | PRIVATE[name] >= set(msgspec.json.decode(sample))


def test_the_public_form_of_other_events_is_the_very_same_bytes() -> None:
    payload = b'{"reason": "spaces stay"}'
    assert public_form("plan.cancelled.v1", payload) is payload
