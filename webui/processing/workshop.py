"""Makes the images of one request that hooks have joined: it is planned, every batch goes through the passes, and what
was made is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Notice
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import JobHooks
from webui.processing.batch_loop import BatchLoop
from webui.processing.batches import Overflowed, Tools
from webui.processing.memory_needs import expected_bytes, watched
from webui.processing.nesting import Nesting
from webui.processing.patching import Patching
from webui.processing.plan import merged, settled_plan, settled_request
from webui.processing.ports import Share
from webui.processing.prepare import Preparation, PreparedJob
from webui.processing.reporting import RunReport, SharedWish
from webui.weights.unet import UnetWrapper


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every job is made with."""

    tools: Tools
    host: ExtensionHost
    patching: Patching
    preparation: Preparation
    preview_every: int

    def made(
        self,
        request: GenerationRequest,
        hooks: JobHooks,
        wish: SharedWish,
        nesting: Nesting,
        there: frozenset[int],
        share: Share | None,
    ) -> GenerationResult:
        """Make the images of a request; the arguments are those of `Pipeline.run`.

        Raises:
            Cancelled: the user stopped it before there was any image.
        """
        request = hooks.edit_request(merged(request, self.tools.texts.styles(request.styles)))
        drawn = share.plan if share is not None else None
        request = request if share is None else settled_request(request, drawn)
        self.tools.upscalers.check(request)
        self.host.samplers.check(request)
        job = self.preparation.prepare(request, hooks, wish, drawn)
        if share is not None and drawn is None:
            share.tell(settled_plan(request, job.plan))
        nesting.seeds = (job.plan.request.seed, job.plan.request.subseed)
        report = self._report(request, job, wish)
        loop = BatchLoop(self.tools, self.host, self.patching, hooks, wish, report, nesting)
        try:
            loop.run(job, there, one_batch=share is not None)
        except Overflowed as overflow:
            told = self.preparation.widened(overflow.model, job.plan.request.steps)
            job = self.preparation.prepare(drawn.request if drawn else job.plan.request, hooks, wish, drawn)
            hooks.notices.append(told)
            loop.run(job, there.union(image.index for image in loop.images), one_batch=share is not None)
        if not loop.images and not there:
            raise Cancelled("stopped before the first image was made")
        extras = tuple(hooks.extra_images())
        hooks.ended("stopped by the user" if loop.stopped else "")
        return GenerationResult(
            request=job.plan.request,
            images=tuple(loop.images),
            model=job.facts.model,
            notices=(*job.notices, *loop.notices, *hooks.notices, *self._notices(job)),
            timings={"loading": job.seconds} | report.timings | hooks.timings,
            interrupted=loop.stopped,
            extras=extras,
        )

    def _report(self, request: GenerationRequest, job: PreparedJob, wish: SharedWish) -> RunReport:
        last = job.passes[-1].plan.request
        needs = expected_bytes(job.model, request, (last.width, last.height))
        network = job.model.network
        fast = network.fast if isinstance(network, UnetWrapper) else None
        return RunReport(
            wish,
            job.passes,
            job.plan.batches,
            self.preview_every,
            watched(self.tools.models.residency, needs),
            lambda: fast.told if fast is not None else "",
        )

    def _notices(self, job: PreparedJob) -> Iterator[Notice]:
        """What was done where memory ran out, and where the fast way to call the network did not work."""
        yield from (Notice("memory", text) for text in self.tools.models.residency.told)
        if isinstance(job.model.network, UnetWrapper) and job.model.network.fast is not None:
            yield from (Notice("network", text) for text in job.model.network.fast.notices)
