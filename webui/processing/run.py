"""The pipeline, which makes the images of one request: it prepares the job, takes every batch through the passes, and
finishes its images.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice, stopped_notice
from webui.domain.settings import BackSettings
from webui.library.library import ModelLibrary
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import JobHooks
from webui.processing.batches import BatchSampler, Tools
from webui.processing.finish import finished
from webui.processing.nesting import Level, Nesting, Outer
from webui.processing.patching import JobPatches, Patching
from webui.processing.plan import merged
from webui.processing.ports import Reporter
from webui.processing.prepare import Preparation, PreparedJob
from webui.processing.reporting import RunReport, SharedWish
from webui.processing.texts import Texts
from webui.processing.tiling import Seamless
from webui.processing.upscaling import Upscalers
from webui.weights.memory import ModelCache


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
        return self._run(request, reporter, Level(), there)

    def nesting(self, outer: Outer) -> Nesting:
        """The runs inside an action; close it when that ends."""
        return Nesting(self._run, outer)

    @torch.inference_mode()
    def _run(
        self, request: GenerationRequest, reporter: Reporter, level: Level, there: frozenset[int] = frozenset()
    ) -> GenerationResult:
        """A job, or a run inside one."""
        wish = SharedWish(reporter)
        nesting = Nesting(self._run, wish, level, (request.seed, request.subseed))
        try:
            hooks = self._host.join(request, wish.seen, nesting)
            nesting.notices = hooks.notices
            return self._result(request, hooks, wish, nesting, there)
        finally:
            nesting.close()

    def _result(
        self, request: GenerationRequest, hooks: JobHooks, wish: SharedWish, nesting: Nesting, there: frozenset[int]
    ) -> GenerationResult:
        request = hooks.edit_request(merged(request, self._tools.texts.styles(request.styles)))
        self._tools.upscalers.check(request)
        job = self._preparation.prepare(request, hooks, wish)
        nesting.seeds = (job.plan.request.seed, job.plan.request.subseed)
        report = RunReport(wish, job.passes, job.plan.batches, self._preview_every)
        images, notices, stopped = self._made(job, hooks, wish, report, nesting, there)
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

    def _made(
        self,
        job: PreparedJob,
        hooks: JobHooks,
        reporter: SharedWish,
        report: RunReport,
        nesting: Nesting,
        there: frozenset[int],
    ) -> tuple[list[GeneratedImage], list[Notice], bool]:
        """The images of all batches, or of those made before the user stopped the job; notices about the given
        pictures, and about those that were stopped on their way; whether the user did stop it.
        """
        images: list[GeneratedImage] = []
        halts: list[Notice] = []
        stopped = False
        with ExitStack() as cleanup:
            cleanup.enter_context(self._host.watched(hooks))
            patched = cleanup.enter_context(self._patching.on(hooks, job.model))
            modules = [job.model.network.module, job.model.vae.module] if job.plan.request.tiling else []
            edges = cleanup.enter_context(Seamless(modules))
            cleanup.enter_context(nesting.with_aside(lambda: _aside(patched, edges)))
            sampler = BatchSampler(job, self._tools, hooks, patched, report)
            for batch in job.plan.batches:
                if there.issuperset(batch.indices):
                    continue
                if images and reporter.finishing():
                    stopped = True
                    break
                if patched.lost is not None:
                    raise patched.lost
                made = sampler.sample(batch)
                if made is not None:
                    tiled, start = self._tools.tiled_vae, sampler.start
                    for image in finished(made, job.plan, batch, job.facts, start, hooks, report, tiled=tiled):
                        if image.index not in there:
                            images.append(image)
                            if report.stopped and report.step < report.steps:
                                halts.append(stopped_notice(image.index, report.step, report.steps))
                            reporter.image(image)
                if reporter.batch_ended() or report.stopped == "interrupt":
                    stopped = True
                    break
            note = sampler.start.canvas.note if images and sampler.start else ""
        return images, [*halts, *([Notice("inpainting", note)] if note else [])], stopped


@contextmanager
def _aside(patched: JobPatches, edges: Seamless) -> Iterator[None]:
    """While entered, the models are as they are without the job."""
    with edges.set_aside(), patched.set_aside():
        yield
