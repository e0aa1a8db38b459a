"""A back without torch for worker processes: loads extensions, lets them join, and shows them one picture a job."""

import time
from collections.abc import Callable
from types import SimpleNamespace

from PIL import Image

from tests.narrowing import untyped
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Progress
from webui.domain.settings import BackSettings
from webui.plugins.calling import Calls
from webui.plugins.crashes import FILE, CrashGuard
from webui.plugins.loader import load_all
from webui.plugins.whereabouts import Whereabouts
from webui.processing.ports import Reporter


class HookingBack:
    def __init__(self, settings: BackSettings) -> None:
        self.calls = Calls(Whereabouts.of(settings.whereabouts_file))
        guard = CrashGuard(settings.extensions_dir, settings.data_dir / FILE)
        self.loaded = load_all(settings.extensions_dir, (), {}, guard.around, aside=guard.broken(), calls=self.calls)

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return self.loaded.infos

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        reporter.progress(Progress("sampling", 1, request.steps))
        image = Image.new("RGB", (8, 8))
        for extension in self.loaded.extensions.values():
            job = SimpleNamespace(request=request, options=None, stopped=self.asking(reporter))
            member = untyped(extension.join.function(untyped(job))) if extension.join else None
            if member is not None:
                with self.calls.inside(extension.info.name, "edit_image"):
                    member.edit_image(image, 0)
        shown = GeneratedImage(image, request, "", 0, 0)
        reporter.image(shown)
        aside = [Notice(info.name, info.error) for info in self.loaded.infos if info.state == "aside"]
        return GenerationResult(request, (shown,), ModelFacts("", ""), notices=tuple(aside))

    def asking(self, reporter: Reporter) -> Callable[[], bool]:
        tick = self.calls.ticker()

        def asked() -> bool:
            tick()
            return bool(reporter.stopped())

        return asked

    def act(
        self, call: ActionCall, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool], *_: object
    ) -> ActionOutcome:
        with self.calls.inside(call.extension, f"action {call.action}"):
            while call.action == "hang" or not stopped():
                time.sleep(0.01)
        return ActionOutcome(text=f"{call.action} was stopped")

    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


def build(settings: BackSettings) -> HookingBack:
    return HookingBack(settings)
