"""The host as the back sees it: which extensions run, who joins a job, which patches stay on a model."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from pydantic import JsonValue

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ActionTalk
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Notice
from webui.extension_api.action import ActionContext, ActionResult
from webui.extension_api.job_context import JobContext
from webui.extension_api.nested_generation import Generate, cannot_generate
from webui.extension_api.options import Options
from webui.plugins.calling import UNDONE, Calls, ExtensionError
from webui.plugins.codetrace import CodeTrace
from webui.plugins.early_faults import EarlyFaults
from webui.plugins.hosted_samplers import HostedSamplers
from webui.plugins.hosted_tools import HostedTools
from webui.plugins.jobhooks import JobHooks
from webui.plugins.kept_settings import KeptSettings
from webui.plugins.loader import Extension, Loaded
from webui.plugins.models import LibraryModels
from webui.plugins.options import read_options
from webui.weights.residency import Residency


class Nesting(Protocol):
    """The runs inside one job or action. `processing/nesting.py` implements it."""

    def takes(self, extension: str) -> bool:
        """Whether an extension may join the job, which may be such a run itself."""

    def generate(
        self, extension: str, hook: str, request: GenerationRequest, chosen: Collection[str] | None, to_come: int
    ) -> GenerationResult:
        """Run a request inside of it.

        Args:
            extension, hook: whose code asks for it.
            chosen, to_come: see `nested_generation.Generate`.
        """


class ExtensionHost:
    """Runs the code of extensions. Used from the thread that does jobs."""

    def __init__(
        self,
        loaded: Loaded,
        models: LibraryModels,
        device: torch.device,
        dtype: torch.dtype,
        calls: Calls | None = None,
        residency: Residency | None = None,
        kept: KeptSettings | None = None,
        *,
        data_dir: Path = Path("data"),
    ) -> None:
        """Args:
        calls: how code of extensions is called; None: in this process's own way.
        residency: makes room where memory runs out in that code; None: nothing does.
        kept: settings of extensions that last; None: none are set.
        data_dir: the program's data folder.
        """
        self._residency = residency
        self._data_dir = data_dir
        self.loaded = loaded
        self.models = models
        self._device = device
        self._dtype = dtype
        self._calls = calls or Calls()
        self._kept = kept or KeptSettings()
        self.tools = HostedTools(loaded, models, device, dtype, self._calls)
        self.samplers = HostedSamplers(loaded, self._calls)
        self._faults = EarlyFaults()
        self._trace = CodeTrace() if loaded.extensions else None
        if self._trace is not None:
            self._calls.watch_code(self._trace)
        self._aside = tuple(info for info in loaded.infos if info.state == "aside")
        self._names = {one.info.folder: name for name, one in loaded.extensions.items()}
        self._joiners = tuple(loaded.extensions[name] for name in sorted(loaded.extensions))

    def join(
        self,
        request: GenerationRequest,
        stopped: Callable[[], bool] = lambda: False,
        nesting: Nesting | None = None,
        recorded: Callable[[RecordedPart], None] = lambda part: None,
    ) -> JobHooks:
        """The hooks of a job.

        Args:
            stopped: whether the user stopped it.
            nesting: makes pictures for extensions inside the job; None: it cannot, and every extension may join.
            recorded: is given what extensions record of the job.

        Those that were set aside take no part, and the user is told.

        Raises:
            BadRequestError: the request names an extension that is not there, or options that do not fit it.
            WebuiError: a `join_job` failed.
        """
        given = self._options(request)
        hooks = JobHooks(self._calls, request.extensions, self._faults, self._residency)
        for info in self._aside:
            hooks.leave_out(info.name, info.error)
        tick = self._calls.ticker()

        def asked() -> bool:
            tick()
            return stopped()

        joiners = [
            (one.info.name, one.join)
            for one in self._joiners
            if one.join is not None and (nesting is None or nesting.takes(one.info.name))
        ]
        joining = frozenset(name for name, _ in joiners)
        for name, join in joiners:

            def notice(text: str, name: str = name) -> None:
                tick()
                hooks.notices.append(Notice(name, str(text)))

            def record(part: str, data: bytes, name: str = name) -> None:
                recorded(RecordedPart(name, part, bytes(data)))

            job = JobContext(
                request, given.get(name), self._device, self._dtype, self.models, notice, asked, lambda: hooks.model,
                self._generate(nesting, name, lambda: hooks.at), joining, record, self._settings(name, notice),
                self.tools,
            )  # fmt: skip
            try:
                member = hooks.call(join, {"job": job})
                if member is not None:
                    hooks.join(name, member)
            except Exception as error:
                hooks.fail_early(name, "join_job", error)
        return hooks

    @contextmanager
    def watched(self, hooks: JobHooks) -> Iterator[None]:
        """A job: what its extensions replace in the program is put back at its end, and told."""
        acting = hooks.members
        try:
            yield
            hooks.began_well()
        finally:
            for folder, names in (self._trace.undo() if self._trace is not None and acting else {}).items():
                owners = (self._names.get(folder, folder),) if folder else acting
                for name in owners:
                    self._calls.suspect(name)
                hooks.notices.append(Notice(" or ".join(owners), f"replaced {', '.join(names)}; {UNDONE}"))

    def act(
        self,
        call: ActionCall,
        progress: Callable[[ActionProgress], None],
        stopped: Callable[[], bool],
        nesting: Nesting | None = None,
        talk: ActionTalk = ActionTalk(),
    ) -> ActionOutcome:
        """Do an action. Light ones come from a thread of their own, and make no pictures.

        Raises:
            BadRequestError: there is no such action, or the options do not fit.
            Cancelled: it was stopped.
            WebuiError: as the action said, or what it made is not what was agreed.
        """
        extension = self.loaded.extensions.get(call.extension)
        action = extension.actions.get(call.action) if extension else None
        if action is None:
            why = next((one.error for one in self.loaded.infos if one.name == call.extension and one.error), "")
            text = f"there is no action {call.action!r} of an extension {call.extension!r}"
            raise BadRequestError("action", f"{text}: {why}" if why else text)
        tick = self._calls.ticker()

        def report(done: int, total: int, text: str = "") -> None:
            tick()
            progress(ActionProgress(int(done), int(total), str(text)))

        def asked() -> bool:
            tick()
            return stopped()

        def record(part: str, data: bytes) -> None:
            talk.recorded(RecordedPart(call.extension, part, bytes(data)))

        def can_go_on(options: Mapping[str, JsonValue], place: int) -> None:
            talk.can_go_on(dict(options), int(place))

        generate = self._generate(None if action.light else nesting, call.extension, lambda: "action")
        notices: list[Notice] = []
        settings = self._settings(call.extension, lambda text: notices.append(Notice(call.extension, text)))
        context = ActionContext(
            self.models, report, asked, self._device, self._dtype, generate, record, self._data_dir, talk.others_wait,
            settings, self.tools, can_go_on,
        )  # fmt: skip
        try:
            with self._calls.inside(call.extension, f"action {call.action}"):
                options = read_options(action.options, call.options, "options")
                result = self._rescued(lambda: action.run(options, context), call)
                if not isinstance(result, ActionResult):
                    raise ExtensionError(f"returned {type(result).__name__}, expected ActionResult")  # noqa: TRY301
                files = tuple(str(path) for path in result.files)
                again = None if result.again is None else dict(result.again)
                return ActionOutcome(
                    str(result.text), tuple(result.images), files, result.data, tuple(notices), again=again
                )
        except ExtensionError as error:
            raise ExtensionError(f"extension {call.extension}, action {call.action}: {error}") from error

    def _settings(self, name: str, notice: Callable[[str], None]) -> Options | None:
        """What an extension has as `settings`. Such as cannot be used are told, and the usual values hold."""
        kind = self.loaded.extensions[name].settings
        if kind is None:
            return None
        with self._calls.inside(name, "settings_options"):  # its validators are its code
            usual = kind()
            try:
                return read_options(kind, self._kept.read(name), "settings")
            except WebuiError as error:
                notice(f"its settings cannot be used, so the usual ones hold: {error}")
                return usual

    def _rescued(self, attempt: Callable[[], object], call: ActionCall) -> object:
        """What an action returns; done again where memory runs out in it and room can be made."""
        if self._residency is None:
            return attempt()
        work = f"the extension {call.extension} was at work (action {call.action})"
        return self._residency.rescued(attempt, work=work, lower="ask less of it, or start with --vram low")

    def _generate(self, nesting: Nesting | None, extension: str, at: Callable[[], str]) -> Generate:
        """What an extension has as `generate`. While its run lasts, the program's code is at work and not its own."""
        if nesting is None:
            return cannot_generate
        runs = nesting

        def generate(
            request: GenerationRequest, *, extensions: Collection[str] | None = None, to_come: int = 0
        ) -> GenerationResult:
            if not isinstance(request, GenerationRequest):
                raise ExtensionError(f"generate takes a GenerationRequest, not {type(request).__name__}")
            known = {info.name for info in self.loaded.infos}
            if unknown := sorted(set(extensions or ()) - known):
                raise BadRequestError("extensions", f"there is no extension {unknown[0]!r} that could join the run")
            with self._calls.whereabouts.outside():
                return runs.generate(extension, at(), request, extensions, to_come)

        return generate

    def _options(self, request: GenerationRequest) -> dict[str, Options]:
        aside = {info.name for info in self._aside}
        given: dict[str, Options] = {}
        for name, values in request.extensions.items():
            if name not in aside:
                taking = self._taking(name)
                with self._calls.inside(name, "request_options"):  # its validators are its code
                    given[name] = read_options(taking, values, f"extensions.{name}")
        return given

    def _taking(self, name: str) -> type[Options]:
        """The options model of the extension a request names."""
        extension: Extension | None = self.loaded.extensions.get(name)
        if extension is not None and extension.options is not None:
            return extension.options
        raise BadRequestError(f"extensions.{name}", refusal(name, self.loaded))


def refusal(name: str, loaded: Loaded) -> str:
    """Why a request cannot name this extension."""
    for info in loaded.infos:
        if info.name == name and info.state == "aside":
            return info.error
        if info.name == name and info.state != "ok":
            return "is switched off" if info.state == "disabled" else f"cannot be used: {info.error}"
        if info.name == name:
            return "takes no options"
    there = ", ".join(name for name, one in loaded.extensions.items() if one.options) or "none"
    return f"there is no such extension; those that take options: {there}"
