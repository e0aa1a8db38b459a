"""The back of the program: it owns the models and does the work of jobs. A worker builds one with `build`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from webui.domain.errors import UnknownModelError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ActionTalk, ExtensionInfo
from webui.domain.memory_outlook import MemoryOutlook
from webui.domain.noise_levels import NoiseLevels
from webui.domain.noised_picture import NoisedPicture
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.domain.upscale import Upscale
from webui.hardware.processors import usable_cores
from webui.library.family import Family
from webui.library.library import ModelLibrary
from webui.plugins.calling import Calls
from webui.plugins.crashes import FILE as CRASHES
from webui.plugins.crashes import CrashGuard
from webui.plugins.host import ExtensionHost
from webui.plugins.kept_settings import FOLDER as SETTINGS_FOLDER
from webui.plugins.kept_settings import KeptSettings
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.plugins.whereabouts import Whereabouts
from webui.processing.drawn_levels import drawn_levels
from webui.processing.extras_job import upscale_pictures
from webui.processing.memory_outlook import MemoryForecast, outlook_of
from webui.processing.nesting import ActionRuns
from webui.processing.ports import Reporter, Share
from webui.processing.run import Pipeline
from webui.processing.texts import Texts
from webui.processing.upscaling import Upscalers
from webui.weights.card_formats import card_at
from webui.weights.card_memory import residency_for
from webui.weights.families.registry import FAMILIES
from webui.weights.fast.fast_network import FastNetwork
from webui.weights.kernel_choice import settled
from webui.weights.memory import ModelCache
from webui.weights.precision import resolve, set_up
from webui.weights.upscalers import UpscalerCache


class Back:
    """Does one job at a time, and keeps the models between jobs."""

    def __init__(
        self,
        library: ModelLibrary,
        models: ModelCache,
        pipeline: Pipeline,
        host: ExtensionHost,
        upscalers: Upscalers,
        networks: UpscalerCache,
    ) -> None:
        self._library = library
        self._models = models
        self._pipeline = pipeline
        self._host = host
        self._upscalers = upscalers
        self._networks = networks
        self._forecast = MemoryForecast(library, models, lambda: host.loaded.infos)

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        """Make the images of a request, but for those whose indices are in `made`."""
        self._library.refresh()
        if isinstance(request.task, Upscale):
            return upscale_pictures(request, request.task, self._upscalers, self._host, reporter, made)
        return self._pipeline.run(request, reporter, made)

    def run_share(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int], share: Share
    ) -> GenerationResult:
        """Make one batch of a request that several devices make: the first of which an image is not in `made`."""
        self._library.refresh()
        return self._pipeline.run(request, reporter, made, share)

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) ahead of the next job."""
        self._library.refresh()
        self._pipeline.load(checkpoint)

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        """All extensions, including those that could not be loaded."""
        return self._host.loaded.infos

    def act(
        self,
        call: ActionCall,
        progress: Callable[[ActionProgress], None],
        stopped: Callable[[], bool],
        talk: ActionTalk = ActionTalk(),
    ) -> ActionOutcome:
        """Run an action of an extension. `progress` is told how far it is; `stopped` says whether the user cancelled
        it.
        """
        if not call.light:
            self._library.refresh()
        outer = ActionRuns(progress, stopped)
        nesting = self._pipeline.nesting(outer)
        try:
            outcome = self._host.act(call, outer.progress, stopped, nesting, talk)
        finally:
            nesting.close()
        return replace(outcome, notices=(*outcome.notices, *nesting.notices))

    def noise_levels(self, request: GenerationRequest) -> NoiseLevels:
        """Where the steps of a request's first pass land."""
        try:
            return drawn_levels(self._library, request)
        except UnknownModelError:  # the front may know a file that was made since the last job
            self._library.refresh()
            return drawn_levels(self._library, request)

    def memory_outlook(self, request: GenerationRequest) -> MemoryOutlook:
        """What a job of a request would need of the device's memory."""
        return outlook_of(self._forecast, self._library, request)

    def noised(
        self, request: GenerationRequest, report: Callable[[ActionProgress], None], stopped: Callable[[], bool]
    ) -> NoisedPicture:
        """What the network says of noise in the picture of an img2img request."""
        self._library.refresh()
        return self._pipeline.noised(request, lambda done, total: report(ActionProgress(done, total)), stopped)

    def close(self) -> None:
        """Release the memory of all models."""
        self._pipeline.close()
        self._host.models.clear()
        self._models.clear()
        self._networks.clear()


def build(settings: BackSettings, families: Sequence[Family] = FAMILIES) -> Back:
    """Make a back from its settings: device, precision, models folder.

    Args:
        families: the families of checkpoints that the back can run.

    Raises:
        WebuiError: the device does not exist, or cannot compute in that precision.
    """
    torch.set_num_threads(settings.threads or min(torch.get_num_threads(), usable_cores()))
    device, dtype, fast = resolve(settings.device, settings.precision)
    set_up(device, dtype, fast_cpu=fast)
    cache = settings.data_dir / "cache"
    dtype, kernels = settled(cache, settings.precision, dtype, fast_cpu=fast)
    library = ModelLibrary(settings.models_dir, cache, families, further=settings.model_folders)
    residency = residency_for(device, vram=settings.vram, reserve=settings.reserve_vram, fp8=settings.fp8_weights)
    models = ModelCache(
        library,
        device,
        dtype,
        settings.checkpoints_in_memory,
        residency=residency,
        vae_dtype=torch.float32 if settings.vae_precision == "fp32" else card_at(device).vae_format(dtype),
        fast_cpu=fast,
        kernels=kernels,
        fast=FastNetwork(settings.network, device, residency),
    )
    texts = Texts(library, settings.styles_path)
    calls = Calls(Whereabouts.of(settings.whereabouts_file))
    guard = CrashGuard(settings.extensions_dir, settings.data_dir / CRASHES)
    loaded = load_all(
        settings.extensions_dir,
        settings.disabled_extensions,
        dict(settings.broken_extensions),
        guard.around,
        aside=guard.broken(),
        calls=calls,
    )
    files = LibraryModels(library, whereabouts=calls.whereabouts, memory=residency)
    residency.on_shortage(files.clear)
    kept = KeptSettings(settings.data_dir / SETTINGS_FOLDER)
    host = ExtensionHost(loaded, files, device, dtype, calls, residency, kept, data_dir=settings.data_dir)
    library.take_upscalers(lambda: host.tools.names("upscaler"))
    networks = UpscalerCache(library, device, residency)
    upscalers = Upscalers(library, networks, host.tools)
    pipeline = Pipeline(library, models, texts, host, upscalers, settings)
    return Back(library, models, pipeline, host, upscalers, networks)
