"""The jobs in a hook's body against the reference's own tables and sample, and that no credential gets through."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts import hook_jobs as j
from contracts.hook_jobs import JOB_SPECS, MASKED, job_spec, without_credentials
from contracts.hooks import HookBody, WorkflowSpec, spec_of
from contracts.workflow import HttpStep, ScriptStep, ShownAs, Stage, WorkflowDefinition, WorkflowInput
from services.executor.decider.shown import shown_faults
from services.hook_dispatcher.views.jobs import shown_stages

SAMPLE = re.sub(r",(\s*})", r"\1", (Path(__file__).parent / "zadig_hook_body.json").read_text(encoding="utf-8"))
SEED = Path("../shared/seeds/zadig-release-plan.txt")

TABLES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "Repo": (
        j.Repo,
        """source repo_owner repo_namespace repo_name remote_name branch prs tag commit_id commit_message checkout_path
        codehost_id address""",
    ),
    "WorkflowBuildJobSpec": (j.BuildSpec, "source job_name ref_repos service_and_builds"),
    "ServiceAndBuild": (
        j.ServiceAndBuild,
        "service_name service_module build_name image package image_name key_vals repos",
    ),
    "KeyVal": (
        j.KeyVal,
        "key value type registry_id script call_function choice_option choice_value is_credential description source",
    ),
    "WorkflowDeployJobSpec": (
        j.DeploySpec,
        "env production deploy_type source env_source deploy_contents job_name version_name services",
    ),
    "DeployServiceInfo": (
        j.DeployService,
        """service_name modules deployed auto_sync update_config updatable variable_kvs variable_yaml value_merge_strategy
        override_kvs""",
    ),
    "DeployModuleInfo": (j.DeployModule, "service_module image image_name"),
    "DeployVariableKv": (j.DeployVariable, "key value type options desc use_global_variable"),
    "WorkflowVmDeployJobSpec": (
        j.VmDeploySpec,
        "env production env_alias source job_name ref_repos service_and_vm_deploys",
    ),
    "ServiceAndVmDeploy": (
        j.ServiceAndVmDeploy,
        "service_name service_module deploy_name deploy_artifact_type artifact_url file_name image key_vals repos",
    ),
    "WorkflowFreestyleJobSpec": (j.FreestyleSpec, "freestyle_type source job_name ref_repos repos envs services"),
    "FreeStyleServiceInfo": (j.FreestyleService, "service_name service_module repos key_vals"),
    "WorkflowTestingJobSpec": (
        j.TestingSpec,
        "testing_type source job_name ref_repos service_and_tests test_modules",
    ),
    "ServiceAndTest": (j.ServiceAndTest, "name service_name service_module repos key_vals"),
    "TestModule": (j.Module, "name repos key_vals"),
    "WorkflowScanningsJobSpec": (
        j.ScanningSpec,
        "scannings_type source job_name ref_repos service_and_scannings scannings_modules",
    ),
    "ServiceAndScannings": (j.ServiceAndTest, "name service_name service_module repos key_vals"),
    "ScanningsModule": (j.Module, "name repos key_vals"),
    "WorkflowNacosJobSpec": (j.NacosSpec, "nacos_id namespace_id source nacos_datas"),
    "NacosData": (
        j.NacosData,
        "data_id group desc format content original_content namespace_id namespace_name",
    ),
    "WorkflowApolloJobSpec": (j.ApolloSpec, "apollo_id namespace_list"),
    "ApolloNamespace": (j.ApolloNamespace, "app_id cluster_id env namespace type original_config kv"),
    "ApolloKV": (j.ApolloKV, "key val"),
    "WorkflowSqlJobSpec": (j.SqlSpec, "id type sql source"),
    "WorkflowDistributeImageJobSpec": (
        j.DistributeImageSpec,
        "source job_name distribute_method targets enable_target_image_tag_rule target_image_tag_rule",
    ),
    "DistributeImageTarget": (
        j.DistributeTarget,
        "service_name service_module source_tag target_tag image_name source_image target_image update_tag",
    ),
}
SAMPLE_ONLY = {"Repo": {"submodules"}}
"""In the sample, and in no table."""


@pytest.mark.parametrize("title", TABLES)
def test_a_specification_has_the_fields_of_its_table_in_their_order(title: str) -> None:
    struct, table = TABLES[title]
    assert [name for name in struct.__struct_fields__ if name not in SAMPLE_ONLY.get(title, set())] == table.split()


@pytest.mark.parametrize("title", TABLES)
def test_the_tables_are_the_seeds(title: str) -> None:
    if not SEED.is_file():
        pytest.skip("the seed document is absent")
    lines = [line.strip() for line in SEED.read_text(encoding="utf-8").splitlines()]
    start = next(i for i, line in enumerate(lines) if line == f"{title} Parameter Description")
    rows = lines[lines.index("Parameter NameTypeDescription", start) + 1 :]
    rows = rows[: rows.index("")]
    kinds = r"(\[\])?(string|bool|int|Repo|KeyVal|[A-Z]\w+)"
    for row, name in zip(rows, TABLES[title][1].split(), strict=True):
        assert re.match(rf"{name}{kinds}", row), f"{name} is not the beginning of {row}"


def test_every_type_of_the_seeds_list_has_its_specification() -> None:
    assert list(JOB_SPECS) == [
        *("zadig-build", "zadig-deploy", "zadig-vm-deploy", "zadig-test", "zadig-scanning", "zadig-distribute-image"),
        *("freestyle", "apollo", "nacos", "sql"),
    ]


def test_the_job_of_the_sample_is_read_typed_and_written_as_it_was() -> None:
    body = msgspec.json.decode(SAMPLE, type=HookBody)
    spec = spec_of(body.release_plan.jobs[0])
    assert isinstance(spec, WorkflowSpec)
    job = spec.workflow.stages[0].jobs[0]
    typed = job_spec(job.type, job.spec)
    assert isinstance(typed, j.BuildSpec)
    assert typed.service_and_builds[0].repos[0].commit_id == "311fa899187a674a2e7fbf76cf2eeecdc8a51ac1"
    sampled = msgspec.json.decode(SAMPLE)["release_plan"]["jobs"][0]["spec"]["workflow"]["stages"][0]["jobs"][0]["spec"]
    assert msgspec.json.encode(typed) == msgspec.json.encode(sampled)


@pytest.mark.parametrize("kind", ["tapd", "zadig-grayscale-deploy", ""])
def test_a_type_without_a_table_is_read_as_it_came(kind: str) -> None:
    assert job_spec(kind, {"project_id": "1"}) == {"project_id": "1"}


def test_a_credential_is_masked_however_deep_it_lies() -> None:
    spec = {
        "services": [
            {"key_vals": [{"key": "a", "value": "hunter2", "is_credential": True, "choice_value": ["hunter2"]}]}
        ],
        "params": {"value": "hunter2", "default": "hunter2", "is_sensitive": True},
        "open": {"value": "shown", "is_credential": False},
    }
    masked = without_credentials(spec)
    assert "hunter2" not in str(masked)
    assert masked["services"][0]["key_vals"][0] == {
        "key": "a",
        "value": MASKED,
        "is_credential": True,
        "choice_value": [],
    }
    assert masked["open"]["value"] == "shown"


SPECS: dict[str, dict[str, Any]] = {
    "zadig-build": {
        "service_and_builds": [
            {
                "service_name": "web",
                "image": "registry/web:{{inputs.version}}",
                "key_vals": [
                    {"key": "TOKEN", "value": "{{inputs.password}}", "is_credential": True},
                    {"key": "V", "value": "{{ inputs.version }}"},
                ],
                "repos": [{"repo_name": "web", "branch": "release-{{inputs.version}}", "prs": [1, 2]}],
            }
        ]
    },
    "zadig-deploy": {"env": "prod", "production": True, "services": [{"service_name": "web"}]},
    "zadig-vm-deploy": {
        "service_and_vm_deploys": [
            {"service_name": "web", "key_vals": [{"key": "a", "value": "secret:x", "is_credential": True}]}
        ]
    },
    "zadig-test": {"test_modules": [{"name": "smoke"}]},
    "zadig-scanning": {"scannings_modules": [{"name": "sonar"}]},
    "zadig-distribute-image": {"targets": [{"service_name": "web", "target_tag": "{{inputs.version}}"}]},
    "freestyle": {"envs": [{"key": "REGION", "value": "eu"}]},
    "apollo": {"namespace_list": [{"app_id": "1", "kv": [{"key": "a", "val": "b"}]}]},
    "nacos": {"nacos_datas": [{"data_id": "d", "content": "x: {{inputs.version}}"}]},
    "sql": {"type": "mysql", "sql": "update t set v = '{{inputs.version}}'"},
}


def shown(kind: str, spec: Any) -> Any:
    definition = WorkflowDefinition(
        project="web",
        name="deploy",
        inputs=(WorkflowInput(name="version", default="0"), WorkflowInput(name="password", credential=True)),
        stages=(
            Stage(
                name="all", steps=(HttpStep(name="one", url="https://e.org", shown_as=ShownAs(type=kind, spec=spec)),)
            ),  # type: ignore[arg-type]  # a type of the list
        ),
    )
    (stage,) = shown_stages(definition, {"version": "1.2", "password": "secret:deploy"})
    return msgspec.to_builtins(stage.jobs[0])


@pytest.mark.parametrize("kind", JOB_SPECS)
def test_a_step_is_shown_as_the_job_that_it_says_with_every_field_of_its_type(kind: str) -> None:
    spec = SPECS[kind]
    assert list(shown_faults("", ShownAs(type=kind, spec=spec))) == []  # type: ignore[arg-type]
    job = shown(kind, spec)
    optional = {"prs", "script", "call_function", "choice_option", "choice_value"}
    assert job["type"] == kind
    assert set(job["spec"]) == set(JOB_SPECS[kind].__struct_fields__) - optional  # type: ignore[index]
    assert isinstance(job_spec(kind, job["spec"]), JOB_SPECS[kind])  # type: ignore[index]
    assert "{{" not in str(job)
    assert "secret:" not in str(job)


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30])
def test_a_number_that_has_more_than_one_canonical_form_is_refused(number: int) -> None:
    spec = {"service_and_builds": [{"service_name": "web", "repos": [{"codehost_id": number}]}]}
    faults = list(shown_faults("", ShownAs(type="zadig-build", spec=spec)))
    assert [fault.path for fault in faults] == ["/spec/service_and_builds/0/repos/0/codehost_id"]


def test_what_an_item_gives_stands_in_the_job_and_its_credentials_do_not() -> None:
    (built,) = shown("zadig-build", SPECS["zadig-build"])["spec"]["service_and_builds"]
    assert built["image"] == "registry/web:1.2"
    assert [(one["key"], one["value"]) for one in built["key_vals"]] == [("TOKEN", MASKED), ("V", "1.2")]
    assert (built["repos"][0]["branch"], built["repos"][0]["prs"]) == ("release-1.2", [1, 2])


def test_a_script_is_a_general_job_and_what_is_named_like_a_credential_is_masked() -> None:
    step = ScriptStep(name="push", script="true", env={"REGION": "eu", "API_TOKEN": "hunter2", "dbPassword": "hunter2"})
    definition = WorkflowDefinition(project="web", name="deploy", stages=(Stage(name="all", steps=(step,)),))
    job = shown_stages(definition, {})[0].jobs[0]
    assert job.type == "freestyle"
    assert [(one.key, one.value, one.is_credential) for one in job.spec.envs] == [
        ("REGION", "eu", False),
        ("API_TOKEN", MASKED, True),
        ("dbPassword", MASKED, True),
    ]


def test_all_faults_of_a_shown_job_are_told_with_their_paths() -> None:
    spec = {
        "service_and_builds": [
            {
                "service_name": "web",
                "key_vals": [{"key": "a", "value": "hunter2", "is_credential": True}],
                "imagee": "x",
            }
        ],
        "job": "",
    }
    faults = list(shown_faults("/shown_as", ShownAs(type="zadig-build", spec=spec)))
    assert {fault.path for fault in faults} == {
        "/shown_as/spec/job",
        "/shown_as/spec/service_and_builds/0/imagee",
        "/shown_as/spec/service_and_builds/0/key_vals/0/value",
    }
    assert "hunter2" not in str(faults)
    (wrong,) = shown_faults("", ShownAs(type="sql", spec={"sql": 1}))
    assert "sql" in wrong.detail
