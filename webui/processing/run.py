"""The pipeline: one request in, its images out. Functions in a row: plan, load, encode, sample, decode, finish."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor

from webui import VERSION
from webui.domain.errors import BadRequestError, Cancelled, UnknownModelError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Phase, Progress
from webui.library.choice import first_choice
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.output.infotext import InfoFacts, write
from webui.plugins.jobhooks import JobHooks
from webui.processing.decode import check_finite, decode
from webui.processing.inpaint import settled, tells_of_mask
from webui.processing.plan import Batch, Plan, image_request, make_plan
from webui.processing.ports import Reporter
from webui.processing.preview import preview
from webui.processing.sample import Sampled, sample_batch
from webui.processing.stages import Stages, Switch
from webui.processing.start import Start, start_of
from webui.processing.texts import Texts
from webui.processing.tiling import wrapped_edges
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import Step
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel


@dataclass
class Job:
    """What one run of the pipeline carries along. Made anew for each request."""

    plan: Plan
    model: LoadedModel
    switch: Switch | None
    hooks: JobHooks
    reporter: Reporter
    table: SigmaTable
    facts: InfoFacts
    origin: Start | None = None  # the pictures to start from, encoded with the first batch
    images: list[GeneratedImage] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    stopped: str = ""

    @contextmanager
    def timed(self, phase: Phase, batch: int) -> Iterator[None]:
        """Report a phase and add its seconds to the timings."""
        steps = self.plan.walk.run
        done = steps if phase == "decoding" else 0
        self.reporter.progress(Progress(phase, done, steps, batch, len(self.plan.batches)))
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[phase] = self.timings.get(phase, 0.0) + time.monotonic() - began


class Pipeline:
    """Makes images with the models it is given. Holds no state between jobs but the models' cache."""

    def __init__(
        self, library: ModelLibrary, models: ModelCache, texts: Texts, *, preview_every: int, tiled_vae: bool
    ) -> None:
        self._library = library
        self._models = models
        self._texts = texts
        self._preview_every = preview_every
        self._tiled_vae = tiled_vae

    @torch.inference_mode()
    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult:
        """Make the images of a request, reporting each as soon as it is there.

        Raises:
            WebuiError: an expected failure, in words.
            Cancelled: stopped by the user before there was any image.
        """
        hooks = JobHooks()
        request = hooks.edit_request(request)
        job = self._prepare(request, hooks, reporter)
        with ExitStack() as patches:
            patches.enter_context(hooks.patch_model(job.model.unet.module))
            if request.tiling:
                patches.enter_context(wrapped_edges([job.model.unet.module, job.model.vae.module]))
            for batch in job.plan.batches:
                if job.stopped == "interrupt":
                    break
                self._batch(job, batch)
        if not job.images:
            raise Cancelled("stopped before the first image was made")
        return GenerationResult(
            request=job.plan.request,
            images=tuple(job.images),
            model=job.facts.model,
            notices=(*job.notices, *self._texts.problems(), *hooks.notices),
            timings=job.timings,
            interrupted=job.stopped == "interrupt",
        )

    def load(self, alias: str) -> None:
        """Load a checkpoint ahead of the next job."""
        self._models.get(*self._files(GenerationRequest(checkpoint=alias)))

    def _prepare(self, request: GenerationRequest, hooks: JobHooks, reporter: Reporter) -> Job:
        began = time.monotonic()
        reporter.progress(Progress("loading", 0, request.steps, 0, request.n_iter))
        checkpoint, vae = self._files(request)
        request = settled(request, self._library.spec(checkpoint))
        switch = self._switch(request, checkpoint)
        model = self._models.get(checkpoint, vae)
        loading = time.monotonic() - began
        plan = make_plan(request.with_(checkpoint=checkpoint.name), self._texts.styles())
        table = SigmaTable.standard(
            downcast=request.schedule.downcast_alphas,
            zero_terminal_snr=request.schedule.zero_terminal_snr or model.spec.zero_terminal_snr,
        )
        facts = InfoFacts(
            model=ModelFacts(
                checkpoint.stem,
                self._library.short_hash(checkpoint),
                vae.path.name if vae else "",
                self._library.short_hash(vae) if vae else "",
                inpainting=tells_of_mask(request, model.spec),
            ),
            subseed=0,
            refiner=f"{switch.file.stem} [{self._library.short_hash(switch.file)}]" if switch else "",
            ti_hashes=self._texts.hashes(plan, model),
            version=VERSION,
        )
        notices = [
            Notice("prompt", f"<{one.kind}:{':'.join(one.positional)}> was left out: no extension handles {one.kind!r}")
            for one in plan.networks
            if not request.disable_extra_networks
        ]
        return Job(plan, model, switch, hooks, reporter, table, facts, notices=notices, timings={"loading": loading})

    def _files(self, request: GenerationRequest) -> tuple[ModelFile, ModelFile | None]:
        """The checkpoint and the separate VAE that a request names."""
        chosen = request.checkpoint
        checkpoint = self._library.checkpoint(chosen) if chosen else first_choice(self._library)
        return checkpoint, self._library.vae(request.vae, checkpoint)

    def _switch(self, request: GenerationRequest, checkpoint: ModelFile) -> Switch | None:
        if request.refiner is None:
            return None
        try:
            file = self._library.checkpoint(request.refiner.checkpoint)
        except UnknownModelError as error:
            raise BadRequestError("refiner.checkpoint", str(error)) from error
        if file.path == checkpoint.path:
            return None
        return Switch(file, request.refiner.switch_at, request.refiner.by_steps)

    def _batch(self, job: Job, batch: Batch) -> None:
        request = job.plan.request
        with job.timed("encoding", batch.index):
            if job.origin is None:
                self._start(job)
            stages = Stages(
                job.plan,
                job.model,
                job.switch,
                lambda file: self._models.get(file, self._library.vae(request.vae, file)),
                lambda model: job.hooks.edit_conditioning(self._texts.encode(job.plan, model)),
                job.origin.extra if job.origin else None,
            )
        with job.timed("sampling", batch.index):
            sampled = self._sample(job, batch, stages)
        if sampled is None:
            return
        check_finite(sampled.latents, job.facts.model.checkpoint, request.steps)
        with job.timed("decoding", batch.index):
            pictures = decode(sampled.latents, stages.model, tiled=self._tiled_vae)
        for position, picture in enumerate(pictures):
            index = batch.index * request.batch_size + position
            one = image_request(job.plan, batch.seeds[position], batch.subseeds[position], position)
            beside: tuple[Image.Image, ...] = ()
            if job.origin is not None:
                picture, beside = job.origin.finish(picture, position, sampled.latents[position])
            facts = replace(job.facts, subseed=batch.subseeds[position], padded=sampled.padded)
            made = GeneratedImage(
                job.hooks.edit_image(picture, index),
                one,
                write(one, facts),
                index,
                batch.subseeds[position],
                attachments=beside,
            )
            job.images.append(made)
            job.reporter.image(made)

    def _start(self, job: Job) -> None:
        job.origin = start_of(job.plan, job.model)
        if job.origin is not None and job.origin.canvas.note:
            job.notices.append(Notice("inpainting", job.origin.canvas.note))
            job.facts = replace(job.facts, blank_mask=job.origin.painted is None)

    def _sample(self, job: Job, batch: Batch, stages: Stages) -> Sampled | None:
        """The batch's latents; None where the user stopped it before anything was to be seen."""
        family = job.model.spec.family

        def watch(step: Step, denoised: Tensor) -> None:
            done = step.index + 1
            seen = self._preview_every and done % self._preview_every == 0
            picture = preview(denoised, family) if seen else None
            steps = max(step.total, done)
            job.reporter.progress(Progress("sampling", done, steps, batch.index, len(job.plan.batches), picture))
            job.stopped = job.reporter.stopped()
            if job.stopped:
                raise Cancelled("stopped by the user")

        try:
            return sample_batch(
                job.plan,
                batch,
                stages.at,
                job.table,
                job.hooks,
                watch,
                device=job.model.device,
                is_sdxl=family in ("sdxl", "sdxl_refiner"),
                origin=job.origin,
            )
        except Cancelled:
            return None
