"""The kind of job that plans, makes or checks a change of what is installed: minutes, where packages are fetched."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from webui.domain.result import Notice
from webui.installing.lockfile import Entry
from webui.installing.plans import Plan
from webui.installing.service import Installer
from webui.jobs.job import Job
from webui.jobs.kind import FrontKind


@dataclass(frozen=True, slots=True)
class PlanInstall:
    """Fetch an extension and say what installing it would do."""

    source: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class PlanUpdate:
    """The same for a newer version of an installed one; `ref` None keeps the branch, tag or commit."""

    name: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """Do what was planned."""

    token: str


@dataclass(frozen=True, slots=True)
class Check:
    """Look at the files of an installed one and load it in a process of its own."""

    name: str


InstallWork = PlanInstall | PlanUpdate | Apply | Check


@dataclass(frozen=True, slots=True)
class InstallProgress:
    """What is being done; nobody knows how much of it is left."""

    text: str = ""
    fraction: float = 0.0
    preview: bytes | None = None


@dataclass(frozen=True, slots=True)
class InstallOutcome:
    """What came of it.

    Attributes:
        plan: of an installation or an update; None where it is up to date.
        entry: what was installed.
        problems: found by a check.
    """

    plan: Plan | None = None
    entry: Entry | None = None
    problems: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


InstallJob = Job[InstallWork, InstallProgress, InstallOutcome]


class Installation(FrontKind[InstallWork, InstallProgress, InstallOutcome]):
    """It can be stopped until the folder of the extension is exchanged; what was there before then stays."""

    name = "installation"
    kept = 10
    progress_type = InstallProgress
    result_type = InstallOutcome

    def __init__(self, installer: Installer) -> None:
        self._installer = installer

    def title(self, work: InstallWork) -> str:
        match work:
            case PlanInstall(source):
                return f"plan the installation of {source}"
            case PlanUpdate(name):
                return f"plan the update of {name}"
            case Apply():
                return "apply a plan"
            case Check(name):
                return f"check {name}"

    def do(self, work: InstallWork, report: Callable[[InstallProgress], None]) -> InstallOutcome:
        def say(text: str) -> None:
            report(InstallProgress(text))

        match work:
            case PlanInstall(source, ref):
                return InstallOutcome(plan=self._installer.plan_install(source, ref, say))
            case PlanUpdate(name, ref):
                return InstallOutcome(plan=self._installer.plan_update(name, ref, say))
            case Apply(token):
                return InstallOutcome(entry=self._installer.apply(token, say))
            case Check(name):
                return InstallOutcome(problems=tuple(self._installer.check(name)))

    def with_notices(self, result: InstallOutcome, notices: tuple[Notice, ...]) -> InstallOutcome:
        return replace(result, notices=notices)
