"""The stages and jobs of a workflow as a hook shows them. Pure.

A step says itself which job of the reference it stands for (`shown_as`); one that does not is a general job with the
variables of its script. What is a credential, or is named like one, is masked.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.hook_jobs import JOB_SPECS, MASKED, FreestyleSpec, KeyVal, without_credentials
from contracts.hooks import WorkflowJob, WorkflowStage
from contracts.workflow import HttpStep, ScriptStep, ShownAs, WorkflowDefinition

_INPUT = re.compile(r"\{\{\s*inputs\.([A-Za-z0-9_]+)\s*\}\}")
_NAMED_LIKE_ONE = re.compile(r"passw|secret|token|credential|api_?key|private_?key", re.IGNORECASE)


def shown_stages(definition: WorkflowDefinition, given: Mapping[str, str]) -> tuple[WorkflowStage, ...]:
    """All stages; texts are filled from the item's inputs and the workflow's defaults."""
    values = {
        one.name: MASKED if one.credential else given.get(one.name, one.default or "") for one in definition.inputs
    }
    return tuple(
        WorkflowStage(name=stage.name, jobs=tuple(_job(step, values) for step in stage.steps))
        for stage in definition.stages
    )


def _job(step: ScriptStep | HttpStep, values: Mapping[str, str]) -> WorkflowJob:
    if step.shown_as is not None:
        return WorkflowJob(name=step.name, type=step.shown_as.type, spec=_declared(step.shown_as, values))
    env = step.env if isinstance(step, ScriptStep) else {}
    spec = FreestyleSpec(envs=tuple(_variable(key, value) for key, value in env.items()))
    return WorkflowJob(name=step.name, type="freestyle", spec=spec)


def _variable(key: str, value: str) -> KeyVal:
    secret = bool(_NAMED_LIKE_ONE.search(key))
    return KeyVal(key=key, value=MASKED if secret else value, is_credential=secret)


def _declared(shown: ShownAs, values: Mapping[str, str]) -> Any:
    """All fields of the type, in their order. It was checked when the workflow was stored."""
    return without_credentials(msgspec.convert(_filled(shown.spec, values), JOB_SPECS[shown.type]))


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _INPUT.sub(lambda found: values.get(found[1], found[0]), value)
        case dict():
            return {name: _filled(inner, values) for name, inner in value.items()}
        case list() | tuple():
            return [_filled(inner, values) for inner in value]
        case _:
            return value
