"""The kind of job that installs, updates or checks extensions, or plans that. It takes minutes where packages are
fetched.
"""

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
    """Work: fetch an extension and say what installing it would do."""

    source: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class PlanUpdate:
    """Work: the same for a newer version of an installed one. `ref` None keeps the branch, tag or commit."""

    name: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """Work: carry out a plan."""

    token: str


@dataclass(frozen=True, slots=True)
class Check:
    """Work: check the files of an installed extension, and load it in a process of its own."""

    name: str


InstallWork = PlanInstall | PlanUpdate | Apply | Check


@dataclass(frozen=True, slots=True)
class InstallProgress:
    """The present step of the work. How much is left is unknown."""

    text: str = ""
    fraction: float = 0.0
    preview: bytes | None = None


@dataclass(frozen=True, slots=True)
class InstallOutcome:
    """The result of the work.

    Attributes:
        plan: the plan of an installation or an update; None where the extension is up to date.
        entry: the generation that was installed.
        problems: the problems that a check has found.
    """

    plan: Plan | None = None
    entry: Entry | None = None
    problems: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


InstallJob = Job[InstallWork, InstallProgress, InstallOutcome]


class Installation(FrontKind[InstallWork, InstallProgress, InstallOutcome]):
    """A job that can be stopped until it exchanges the folder of the extension; then the earlier folder stays."""

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
