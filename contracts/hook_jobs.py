"""The jobs of a workflow in a hook's body: one specification per type of job, field for field as the reference has them.

Source: the tables of the reference's "Hook External Systems" (a golden test holds every struct against its table). The
fields that its sample leaves out when they are empty are left out here too; all others are always sent. The reference
sends a type that its converter does not know with the specification of the job before it; a type without a table here
(`tapd`) is an open mapping, and one that nobody knows is read as it came.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

JobType = Literal[
    "zadig-build",
    "zadig-deploy",
    "zadig-vm-deploy",
    "zadig-test",
    "zadig-scanning",
    "zadig-distribute-image",
    "freestyle",
    "apollo",
    "nacos",
    "sql",
]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Fields in the order in which they are sent. Unknown ones are ignored."""


class Repo(Wire, frozen=True):
    source: str = ""
    repo_owner: str = ""
    repo_namespace: str = ""
    repo_name: str = ""
    remote_name: str = ""
    branch: str = ""
    prs: tuple[int, ...] | UnsetType = UNSET
    tag: str = ""
    commit_id: str = ""
    commit_message: str = ""
    checkout_path: str = ""
    submodules: bool = False
    codehost_id: int = 0
    address: str = ""


class KeyVal(Wire, frozen=True):
    """A variable. The value of a credential is masked before it is sent."""

    key: str
    value: str = ""
    type: str = "string"
    registry_id: str = ""
    script: str | UnsetType = UNSET
    call_function: str | UnsetType = UNSET
    choice_option: tuple[str, ...] | UnsetType = UNSET
    choice_value: tuple[str, ...] | UnsetType = UNSET
    is_credential: bool = False
    description: str = ""
    source: str = "runtime"


class ServiceAndBuild(Wire, frozen=True):
    service_name: str
    service_module: str = ""
    build_name: str = ""
    image: str = ""
    package: str = ""
    image_name: str = ""
    key_vals: tuple[KeyVal, ...] = ()
    repos: tuple[Repo, ...] = ()


class BuildSpec(Wire, frozen=True):
    source: str = "runtime"
    job_name: str = ""
    ref_repos: bool = False
    service_and_builds: tuple[ServiceAndBuild, ...] = ()


class DeployModule(Wire, frozen=True):
    service_module: str
    image: str = ""
    image_name: str = ""


class DeployVariable(Wire, frozen=True):
    key: str
    value: str = ""
    type: str = "string"
    options: str | tuple[str, ...] = ""
    desc: str = ""
    use_global_variable: bool = False


class DeployService(Wire, frozen=True):
    service_name: str
    modules: tuple[DeployModule, ...] = ()
    deployed: bool = False
    auto_sync: bool = False
    update_config: bool = False
    updatable: bool = False
    variable_kvs: tuple[DeployVariable, ...] = ()
    variable_yaml: str = ""
    value_merge_strategy: str = ""
    override_kvs: str = ""


class DeploySpec(Wire, frozen=True):
    env: str = ""
    production: bool = False
    deploy_type: str = ""
    source: str = "runtime"
    env_source: str = ""
    deploy_contents: tuple[str, ...] = ()
    job_name: str = ""
    version_name: str = ""
    services: tuple[DeployService, ...] = ()


class ServiceAndVmDeploy(Wire, frozen=True):
    service_name: str
    service_module: str = ""
    deploy_name: str = ""
    deploy_artifact_type: str = ""
    artifact_url: str = ""
    file_name: str = ""
    image: str = ""
    key_vals: tuple[KeyVal, ...] = ()
    repos: tuple[Repo, ...] = ()


class VmDeploySpec(Wire, frozen=True):
    env: str = ""
    production: bool = False
    env_alias: str = ""
    source: str = "runtime"
    job_name: str = ""
    ref_repos: bool = False
    service_and_vm_deploys: tuple[ServiceAndVmDeploy, ...] = ()


class FreestyleService(Wire, frozen=True):
    service_name: str
    service_module: str = ""
    repos: tuple[Repo, ...] = ()
    key_vals: tuple[KeyVal, ...] = ()


class FreestyleSpec(Wire, frozen=True):
    """A general job: the variables that a script gets."""

    freestyle_type: str = ""
    source: str = "runtime"
    job_name: str = ""
    ref_repos: bool = False
    repos: tuple[Repo, ...] = ()
    envs: tuple[KeyVal, ...] = ()
    services: tuple[FreestyleService, ...] = ()


class ServiceAndTest(Wire, frozen=True):
    """Of one service in a test job; in a scanning job it is the same."""

    name: str
    service_name: str = ""
    service_module: str = ""
    repos: tuple[Repo, ...] = ()
    key_vals: tuple[KeyVal, ...] = ()


class Module(Wire, frozen=True):
    name: str
    repos: tuple[Repo, ...] = ()
    key_vals: tuple[KeyVal, ...] = ()


class TestingSpec(Wire, frozen=True):
    __test__ = False  # pytest takes what begins with Test for tests

    testing_type: str = ""
    source: str = "runtime"
    job_name: str = ""
    ref_repos: bool = False
    service_and_tests: tuple[ServiceAndTest, ...] = ()
    test_modules: tuple[Module, ...] = ()


class ScanningSpec(Wire, frozen=True):
    scannings_type: str = ""
    source: str = "runtime"
    job_name: str = ""
    ref_repos: bool = False
    service_and_scannings: tuple[ServiceAndTest, ...] = ()
    scannings_modules: tuple[Module, ...] = ()


class NacosData(Wire, frozen=True):
    data_id: str
    group: str = ""
    desc: str = ""
    format: str = ""
    content: str = ""
    original_content: str = ""
    namespace_id: str = ""
    namespace_name: str = ""


class NacosSpec(Wire, frozen=True):
    nacos_id: str = ""
    namespace_id: str = ""
    source: str = "runtime"
    nacos_datas: tuple[NacosData, ...] = ()


class ApolloKV(Wire, frozen=True):
    key: str
    val: str = ""


class ApolloNamespace(Wire, frozen=True):
    app_id: str
    cluster_id: str = ""
    env: str = ""
    namespace: str = ""
    type: str = ""
    original_config: tuple[ApolloKV, ...] = ()
    kv: tuple[ApolloKV, ...] = ()


class ApolloSpec(Wire, frozen=True):
    apollo_id: str = ""
    namespace_list: tuple[ApolloNamespace, ...] = ()


class SqlSpec(Wire, frozen=True):
    id: str = ""
    type: str = ""
    sql: str = ""
    source: str = "runtime"


class DistributeTarget(Wire, frozen=True):
    service_name: str
    service_module: str = ""
    source_tag: str = ""
    target_tag: str = ""
    image_name: str = ""
    source_image: str = ""
    target_image: str = ""
    update_tag: bool = False


class DistributeImageSpec(Wire, frozen=True):
    """The table has `enable_target_image_tag_rule` as a string; the reference's code sends a truth value. Both are read."""

    source: str = "runtime"
    job_name: str = ""
    distribute_method: str = ""
    targets: tuple[DistributeTarget, ...] = ()
    enable_target_image_tag_rule: bool | str = False
    target_image_tag_rule: str = ""


JobSpec = (
    BuildSpec
    | DeploySpec
    | VmDeploySpec
    | TestingSpec
    | ScanningSpec
    | DistributeImageSpec
    | FreestyleSpec
    | ApolloSpec
    | NacosSpec
    | SqlSpec
)
JOB_SPECS: Mapping[JobType, type[JobSpec]] = dict(zip(get_args(JobType), get_args(JobSpec), strict=True))
_CREDENTIAL = ("is_credential", "is_sensitive")
_TELLING = ("value", "default", "script", "choice_value", "choice_option", "choice_options")
MASKED = "********"


def job_spec(kind: str, spec: Any) -> JobSpec | Any:
    """The typed specification of a job; of a type without a table as it came. Raises msgspec.ValidationError."""
    for known, struct in JOB_SPECS.items():
        if known == kind:
            return msgspec.convert(spec, struct)
    return spec


def without_credentials(spec: Any) -> Any:
    """The same in plain values, with everything masked that says of itself to be a credential, however deep it lies."""
    match msgspec.to_builtins(spec):
        case dict() as fields:
            secret = any(fields.get(name) is True for name in _CREDENTIAL)
            return {
                name: _masked(value) if secret and name in _TELLING else without_credentials(value)
                for name, value in fields.items()
            }
        case list() | tuple() as values:
            return [without_credentials(value) for value in values]
        case value:
            return value


def _masked(value: Any) -> Any:
    """Also an empty one: whether a password is set is nobody's business. A list stays a list."""
    return [] if isinstance(value, list | tuple) else MASKED
