"""Which extensions take part in a job: they join before its work, and one that fails is left out of the rest."""

import logging
from collections.abc import Collection, Mapping

import pluggy

from webui.domain.errors import WebuiError
from webui.domain.result import Notice
from webui.extension_api.hookspecs import JobSpec
from webui.extension_api.markers import PROJECT
from webui.plugins.calling import Calls, ExitError, ExtensionError, fatal, reason
from webui.plugins.early_faults import EarlyFaults

log = logging.getLogger(__name__)


class Members:
    """The extensions of one job.

    Attributes:
        notices: what the user should know.
    """

    def __init__(self, calls: Calls, named: Collection[str], faults: EarlyFaults) -> None:
        """
        Args:
            named: the extensions that the request asks for.
            faults: those of earlier jobs.
        """
        self._calls = calls
        self._named = frozenset(named)
        self._faults = faults
        self._manager: pluggy.PluginManager | None = None  # made for the first member: a job without any pays nothing
        self._impls: Mapping[str, tuple[pluggy.HookImpl, ...]] = {}
        self._dropped: list[str] = []
        self.notices: list[Notice] = []

    def join(self, extension: str, member: object) -> None:
        """Add what an extension's `join_job` returned.

        Raises:
            ExtensionError: where it implements a hook, or takes an argument, that does not exist.
        """
        if self._manager is None:
            self._manager = pluggy.PluginManager(PROJECT)
            self._manager.add_hookspecs(JobSpec)
        try:
            with self._calls.inside(extension, "join_job"):
                self._manager.register(member, name=extension)
                self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise ExtensionError(f"extension {extension}: {error}") from error
        self._impls = _sorted(self._manager)

    @property
    def members(self) -> tuple[str, ...]:
        """The extensions that act in this job, without those that were dropped."""
        return tuple(name for name, _ in self._manager.list_name_plugin()) if self._manager else ()

    def has(self, hook: str) -> bool:
        """Whether an extension of this job has a hook."""
        return bool(self._of(hook))

    def _of(self, hook: str) -> tuple[pluggy.HookImpl, ...]:
        return self._impls.get(hook, ())

    def fail_early(self, extension: str, hook: str, error: Exception) -> None:
        """A fault before the work: raises it as the error of the job, or drops the extension, see `EarlyFaults`."""
        expected = isinstance(error, WebuiError) and not isinstance(error, ExtensionError)
        if isinstance(error, ExitError):
            self.drop(extension, hook, error)
        elif expected or extension in self._named or not self._faults.is_repeated(extension):
            raise fatal(extension, hook, error) from error
        else:
            self.drop(extension, hook, error)

    def began_well(self) -> None:
        """The work has been reached with those that are members now."""
        self._faults.forget(self.members)

    def leave_out(self, extension: str, why: str) -> None:
        """Tell that an extension takes no part in this job; the infotexts say so where it was asked for."""
        if extension in self._named:
            self._dropped.append(extension)
        self.notices.append(Notice(extension, f"left out of this job: {why}"))

    def is_member(self, extension: str) -> bool:
        """Whether an extension has joined the job and was not dropped."""
        return self._manager is not None and self._manager.has_plugin(extension)

    def drop(self, extension: str, hook: str, error: Exception) -> None:
        """Leave an extension out of the rest of the job, with a notice."""
        if self._manager is not None and extension in self.members:
            self._manager.unregister(name=extension)
            self._impls = _sorted(self._manager)
        self._dropped.append(extension)
        log.warning("extension %s, %s", extension, hook, exc_info=error)
        self.notices.append(Notice(extension, f"left out of the rest of this job, {hook}: {reason(error)}"))


def _sorted(manager: pluggy.PluginManager) -> dict[str, tuple[pluggy.HookImpl, ...]]:
    """Who implements what, in turn: who asked to be first or last is, the others as they joined."""
    callers = {name: getattr(manager.hook, name) for name in vars(JobSpec) if not name.startswith("_")}
    return {
        name: tuple(sorted(caller.get_hookimpls(), key=lambda impl: 1 - impl.tryfirst + impl.trylast))
        for name, caller in callers.items()
    }
