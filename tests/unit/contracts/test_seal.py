"""The seal covers everything that will run, names what changed, and is the RFC 8785 hash."""

import hashlib

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import canonical
from contracts.plan_events import ResolvedWorkflow
from contracts.seal import SEALED_SECTIONS, drifted_fields, seal_of
from contracts.values import Content, GateRule, Gates, Rules, Schedule
from tests.support.builders import approval, content, text_item, utc, window, workflow_item

WORKFLOW = ResolvedWorkflow(project="web", workflow="deploy", revision=3, digest="ab" * 32)
BASE = content(items=(text_item(), workflow_item()))
SEALED = seal_of(BASE, {"deploy": WORKFLOW})


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("window", window(utc(2026, 9, 1), utc(2026, 9, 2))),
        ("schedule", Schedule(at=utc(2026, 9, 1))),
        ("owner", ("user:ana",)),
        ("approval", approval("user:ana")),
        ("gates", Gates(start_execute=GateRule())),
        ("rules", Rules(run="in_order")),
        ("items", (workflow_item(), text_item())),
    ],
)
def test_a_change_of_a_sealed_section_changes_the_seal_and_that_section_alone(section: str, value: object) -> None:
    changed = seal_of(msgspec.structs.replace(BASE, **{section: value}), {"deploy": WORKFLOW})
    assert changed.seal != SEALED.seal
    assert {name for name in changed.sections if changed.sections[name] != SEALED.sections[name]} == {section}


@pytest.mark.parametrize("section", sorted(set(Content.__struct_fields__) - {*SEALED_SECTIONS, "items"}))
def test_what_only_describes_the_plan_is_outside_the_seal(section: str) -> None:
    value = ("x",) if isinstance(getattr(BASE, section), tuple) else "another"
    assert seal_of(msgspec.structs.replace(BASE, **{section: value}), {"deploy": WORKFLOW}).seal == SEALED.seal


def test_another_digest_of_the_workflow_is_drift_and_names_the_field() -> None:
    item = BASE.items[1]
    now = msgspec.structs.replace(WORKFLOW, digest="cd" * 32)
    assert drifted_fields(item, SEALED.items, WORKFLOW, now) == ("workflow.digest",)


def test_the_sealed_workflow_is_no_drift() -> None:
    assert drifted_fields(BASE.items[1], SEALED.items, WORKFLOW, WORKFLOW) == ()


def test_a_workflow_that_is_gone_is_drift() -> None:
    assert "workflow.digest" in drifted_fields(BASE.items[1], SEALED.items, WORKFLOW, None)


def test_the_seal_is_the_hash_of_the_rfc_8785_form_of_the_section_digests() -> None:
    assert hashlib.sha256(rfc8785.dumps(SEALED.sections)).hexdigest() == SEALED.seal


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=0xD7FF)), inner),
)


@given(json_values)
def test_the_canonical_form_is_rfc_8785_within_the_profile(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)  # type: ignore[arg-type]  # it takes what JSON can hold
    except UnicodeEncodeError:
        return  # a lone surrogate is no text; msgspec refuses it when it decodes
    assert canonical(value) == expected
