"""The pipeline, which makes the images of one request: it prepares the job, takes every batch through the passes, and
finishes its images.
"""

from contextlib import ExitStack

import torch

from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice
from webui.domain.settings import BackSettings
from webui.library.library import ModelLibrary
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import JobHooks
from webui.processing.batches import BatchSampler, Overflowed, Tools
from webui.processing.decode import not_finite
from webui.processing.finish import finished
from webui.processing.patching import Patching
from webui.processing.plan import merged
from webui.processing.ports import Reporter
from webui.processing.prepare import Preparation, PreparedJob
from webui.processing.reporting import RunReport, SharedWish
from webui.processing.texts import Texts
from webui.processing.tiling import wrapped_edges
from webui.processing.upscaling import Upscalers
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel


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
        self._tools = Tools(models, texts, upscalers, settings.tiled_vae)
        self._host = host
        self._patching = Patching(models)
        self._preparation = Preparation(library, models, texts, self._patching)
        self._preview_every = settings.preview_every

    @torch.inference_mode()
    def run(
        self, request: GenerationRequest, reporter: Reporter, there: frozenset[int] = frozenset()
    ) -> GenerationResult:
        """Make the images of a request, reporting each as soon as it is there.

        Args:
            there: indices of images that an earlier run has made. They are not reported; a batch of which one is
                missing is made as a whole, so that the missing one is what it would have been.

        Raises:
            WebuiError: an expected failure, in words for users.
            Cancelled: the user stopped it before there was any image.
        """
        reporter = wish = SharedWish(reporter)
        hooks = self._host.join(request, wish.seen)
        request = hooks.edit_request(merged(request, self._tools.texts.styles(request.styles)))
        self._tools.upscalers.check(request)
        job = self._preparation.prepare(request, hooks, reporter)
        report = RunReport(reporter, job.passes, len(job.plan.batches), self._preview_every)
        images: list[GeneratedImage] = []
        try:
            notices, stopped = self._make(job, hooks, reporter, report, there, images)
        except Overflowed as overflow:
            told = self._widened(overflow.model, job.plan.request.steps)
            job = self._preparation.prepare(job.plan.request, hooks, reporter)
            hooks.notices.append(told)
            done = there.union(image.index for image in images)
            notices, stopped = self._make(job, hooks, reporter, report, done, images)
        if not images and not there:
            raise Cancelled("stopped before the first image was made")
        extras = tuple(hooks.extra_images())
        return GenerationResult(
            request=job.plan.request,
            images=tuple(images),
            model=job.facts.model,
            notices=(*job.notices, *notices, *hooks.notices),
            timings={"loading": job.seconds} | report.timings | hooks.timings,
            interrupted=stopped,
            extras=extras,
        )

    def load(self, alias: str) -> None:
        """Load a checkpoint ahead of the next job."""
        self._preparation.load(alias)

    def close(self) -> None:
        """Undo what extensions changed in the models."""
        self._patching.leave()

    def _widened(self, model: LoadedModel, steps: int) -> Notice:
        """Have a checkpoint read in a wider format. Raises NotFiniteError where there is none."""
        self._patching.leave()
        if not self._tools.models.widen(model):
            raise not_finite(model.file.name, steps)
        was = str(model.dtype).removeprefix("torch.")
        return Notice("checkpoint", f"{model.file.name} gave NaN in {was}; it was read again in a wider format")

    def _make(
        self,
        job: PreparedJob,
        hooks: JobHooks,
        reporter: Reporter,
        report: RunReport,
        there: frozenset[int],
        images: list[GeneratedImage],
    ) -> tuple[list[Notice], bool]:
        """Add the images of all batches to `images`, or those made before the user stopped the job.

        Returns:
            Notices about the given pictures; and whether the user did stop it.
        """
        stopped = False
        with ExitStack() as cleanup:
            cleanup.enter_context(self._host.watched(hooks))
            patched = cleanup.enter_context(self._patching.on(hooks, job.model))
            if job.plan.request.tiling:
                cleanup.enter_context(wrapped_edges([job.model.network.module, job.model.vae.module]))
            sampler = BatchSampler(job, self._tools, hooks, patched, report)
            for batch in job.plan.batches:
                if there.issuperset(batch.indices):
                    continue
                if images and reporter.finishing():
                    stopped = True
                    break
                made = sampler.sample(batch)
                if made is not None:
                    tiled, start = self._tools.tiled_vae, sampler.start
                    for image in finished(made, job.plan, batch, job.facts, start, hooks, report, tiled=tiled):
                        if image.index not in there:
                            images.append(image)
                            reporter.image(image)
                if report.stopped == "interrupt":
                    stopped = True
                    break
            note = sampler.start.canvas.note if images and sampler.start else ""
        return [Notice("inpainting", note)] if note else [], stopped
