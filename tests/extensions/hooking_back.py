"""A back without torch for worker processes: loads extensions, lets them join, and shows them one picture a job."""

import time
from collections.abc import Callable
from types import SimpleNamespace

from PIL import Image

from tests.narrowing import untyped
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.settings import BackSettings
from webui.plugins.crashes import CrashGuard
from webui.plugins.loader import load_all
from webui.processing.ports import Reporter


class HookingBack:
    def __init__(self, settings: BackSettings) -> None:
        guard = CrashGuard(settings.extensions_dir, settings.data_dir / "crashes.json")
        self.loaded = load_all(settings.extensions_dir, (), guard.broken(), guard.around)

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return self.loaded.infos

    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult:
        reporter.progress(Progress("sampling", 1, request.steps))
        image = Image.new("RGB", (8, 8))
        for extension in self.loaded.extensions.values():
            member = (
                untyped(extension.join.function(untyped(SimpleNamespace(request=request, options=None))))
                if extension.join
                else None
            )
            if member is not None:
                member.edit_image(image, 0)
        made = GeneratedImage(image, request, "", 0, 0)
        reporter.image(made)
        return GenerationResult(request, (made,), ModelFacts("", ""))

    def act(
        self, call: ActionCall, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool]
    ) -> ActionOutcome:
        while not stopped():
            time.sleep(0.01)
        return ActionOutcome(text=f"{call.action} was stopped")

    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


def build(settings: BackSettings) -> HookingBack:
    return HookingBack(settings)
