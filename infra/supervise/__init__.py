"""The small supervisor: one whole system on the embedded servers, started, kept alive and stopped from one process."""

from infra.supervise.report import Reporter as Reporter
from infra.supervise.report import StderrReporter as StderrReporter
from infra.supervise.run import run as run
from infra.supervise.spec import GaveUp as GaveUp
from infra.supervise.spec import ServiceSpec as ServiceSpec
from infra.supervise.system import System as System
