"""The batches of a job, one after another: each is sampled, finished and told."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from webui.domain.result import GeneratedImage, Notice, stopped_notice
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import JobHooks
from webui.processing.batches import BatchSampler, Tools
from webui.processing.finish import finished
from webui.processing.nesting import Nesting
from webui.processing.patching import JobPatches, Patching
from webui.processing.prepare import PreparedJob
from webui.processing.reporting import RunReport, SharedWish
from webui.processing.tiling import Seamless


@dataclass(slots=True)
class BatchLoop:
    """Makes the images of a job, and has what there is by now.

    Attributes:
        images: those that were made.
        notices: about the given pictures, and about images that were stopped on their way.
        stopped: whether the user stopped the job.
    """

    tools: Tools
    host: ExtensionHost
    patching: Patching
    hooks: JobHooks
    wish: SharedWish
    report: RunReport
    nesting: Nesting
    images: list[GeneratedImage] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    stopped: bool = False

    def run(self, job: PreparedJob, there: frozenset[int], *, one_batch: bool = False) -> None:
        """Make the images but those that are there already, or as many as the user waits for.

        Args:
            one_batch: make only the first batch of which an image is missing.

        Raises:
            Overflowed: a model gave NaN in its format. The images that were made before are in `images`.
        """
        with ExitStack() as cleanup:
            cleanup.enter_context(self.host.watched(self.hooks))
            patched = cleanup.enter_context(self.patching.on(self.hooks, job.model))
            modules = [job.model.network.module, job.model.vae.module] if job.plan.request.tiling else []
            edges = cleanup.enter_context(Seamless(modules))
            cleanup.enter_context(self.nesting.with_aside(lambda: _aside(patched, edges)))
            sampler = BatchSampler(job, self.tools, self.hooks, patched, self.report)
            for batch in job.plan.batches:
                if there.issuperset(batch.indices):
                    continue
                if self.images and self.wish.finishing():
                    self.stopped = True
                    break
                if patched.lost is not None:
                    raise patched.lost
                made = sampler.sample(batch)
                if made is not None:
                    tiled, start, report = self.tools.tiled_vae, sampler.start, self.report
                    for image in finished(made, job.plan, batch, job.facts, start, self.hooks, report, tiled=tiled):
                        if image.index not in there:
                            self._tell(image)
                if self.wish.batch_ended() or self.report.stopped == "interrupt":
                    self.stopped = True
                    break
                if one_batch:
                    break
            if self.images and sampler.start and (note := sampler.start.canvas.note):
                self.notices.append(Notice("inpainting", note))

    def _tell(self, image: GeneratedImage) -> None:
        self.images.append(image)
        if self.report.stopped and self.report.step < self.report.steps:
            self.notices.append(stopped_notice(image.index, self.report.step, self.report.steps))
        self.wish.image(image)


@contextmanager
def _aside(patched: JobPatches, edges: Seamless) -> Iterator[None]:
    """While entered, the models are as they are without the job."""
    with edges.set_aside(), patched.set_aside():
        yield
