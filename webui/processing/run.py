"""The pipeline: the door to what makes images. It opens a job or a run inside one, and closes it whatever happens."""

from collections.abc import Callable

import torch

from webui.domain.noised_picture import NoisedPicture
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.library.library import ModelLibrary
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import told_of_failure
from webui.processing.batches import Tools
from webui.processing.memory_needs import shortage
from webui.processing.nesting import Level, Nesting, Outer
from webui.processing.noising import noised_picture
from webui.processing.patching import Patching
from webui.processing.ports import Reporter, Share
from webui.processing.prepare import Preparation
from webui.processing.preview import PreviewMaker
from webui.processing.reporting import SharedWish
from webui.processing.texts import Texts
from webui.processing.upscaling import Upscalers
from webui.processing.workshop import Workshop
from webui.weights.memory import ModelCache
from webui.weights.recovery import is_out_of_memory, let_go
from webui.weights.tiny_vae import TinyVaes


class Pipeline:
    """Makes images with the models it is given. Between jobs it keeps only the cache of models, and patches on them."""

    def __init__(
        self,
        library: ModelLibrary,
        models: ModelCache,
        texts: Texts,
        host: ExtensionHost,
        upscalers: Upscalers,
        settings: BackSettings,
    ) -> None:
        tiny = TinyVaes(library)
        previews = PreviewMaker(settings.preview_kind, tiny)
        self._tools = Tools(models, texts, upscalers, settings.tiled_vae, tiny, previews, host.samplers.planned)
        self._host = host
        self._patching = Patching(models)
        self._preparation = Preparation(library, models, texts, self._patching, tiny)
        self._workshop = Workshop(self._tools, host, self._patching, self._preparation, settings.preview_every)

    def run(
        self,
        request: GenerationRequest,
        reporter: Reporter,
        there: frozenset[int] = frozenset(),
        share: Share | None = None,
    ) -> GenerationResult:
        """Make the images of a request, reporting each as soon as it is there.

        Args:
            there: indices of images that an earlier run has made. They are not reported; a batch of which one is
                missing is made as a whole, so that the missing one is what it would have been.
            share: what this call makes of a job that several devices make; None: all of it.

        Raises:
            WebuiError: an expected failure, in words for users.
            Cancelled: the user stopped it before there was any image.
        """
        return self._run(request, reporter, Level(), there, share)

    def nesting(self, outer: Outer) -> Nesting:
        """The runs inside an action; close it when that ends."""
        return Nesting(self._run, outer)

    @torch.inference_mode()
    def _run(
        self,
        request: GenerationRequest,
        reporter: Reporter,
        level: Level,
        there: frozenset[int] = frozenset(),
        share: Share | None = None,
    ) -> GenerationResult:
        """A job, or a run inside one."""
        if not level.above:
            self._tools.models.residency.begin()
        wish = SharedWish(reporter)
        nesting = Nesting(self._run, wish, level, (request.seed, request.subseed))
        try:
            hooks = self._host.join(request, wish.seen, nesting, reporter.recorded)
            nesting.notices = hooks.notices
            with told_of_failure(hooks):
                return self._workshop.made(request, hooks, wish, nesting, there, share)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            let_go(error)
        finally:
            nesting.close()
        raise shortage(request)  # after the handler, because until then the error is kept

    def load(self, alias: str) -> None:
        """Load a checkpoint ahead of the next job."""
        self._preparation.load(alias)

    @torch.inference_mode()
    def noised(
        self, request: GenerationRequest, tell: Callable[[int, int], None], stopped: Callable[[], bool]
    ) -> NoisedPicture:
        """What the network says of noise in the picture of a request; see `noising.noised_picture`."""
        self._tools.models.residency.begin()
        self._patching.leave()
        return noised_picture(request, self._preparation.load(request.checkpoint), self._tools.texts, tell, stopped)

    def close(self) -> None:
        """Undo what extensions changed in the models."""
        self._patching.leave()
        self._tools.tiny.clear()
