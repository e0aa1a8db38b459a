"""The pipeline: one request in, its images out. Functions in a row: plan, load, encode, sample, decode, finish."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor

from webui import VERSION
from webui.domain.errors import BadRequestError, Cancelled, UnknownModelError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Phase, Progress
from webui.library.choice import first_choice, likely_family
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.output.infotext import InfoFacts, write
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import JobHooks
from webui.processing.decode import check_finite, decode
from webui.processing.demands import meet_in_second_pass, met
from webui.processing.hires import Enlarged, Enlarger, SecondPassHooks, first_picture, hires_of, second_plan
from webui.processing.inpaint import settled, tells_of_mask
from webui.processing.patching import Patched, Patching
from webui.processing.plan import Batch, Plan, image_request, make_plan, merged
from webui.processing.ports import Reporter
from webui.processing.preview import preview
from webui.processing.sample import Noising, Origin, Sampled, sample_batch
from webui.processing.stages import Stages, Switch
from webui.processing.start import Start, start_of
from webui.processing.texts import Texts
from webui.processing.tiling import wrapped_edges
from webui.processing.upscaling import Upscalers
from webui.prompt.composition import NetworkTag
from webui.prompt.embeddings import Embedding
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import Step
from webui.weights.families.contract import networks_of
from webui.weights.memory import ModelCache
from webui.weights.merging import merged_tokens
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
    second: Plan | None = None  # of hires fix
    patched: Patched = lambda model: model  # applies the extensions' patches to a further model
    networks: tuple[NetworkTag, ...] = ()  # those in force
    brought: tuple[Embedding, ...] = ()  # textual inversions that extensions add to this pass
    origin: Start | None = None  # the pictures to start from, encoded with the first batch
    images: list[GeneratedImage] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    stopped: str = ""

    @property
    def steps(self) -> int:
        """Sampling steps of one batch, both passes together."""
        first = 0 if first_picture(self.plan.request) else self.plan.walk.run
        return first + (self.second.walk.run if self.second else 0)

    def begin_pass(self, plan: Plan) -> None:
        """Put into force what the prompt of this pass names, where it is not what was in force before."""
        if self.networks != plan.networks:
            self.hooks.use_networks(plan.networks)
            self.brought = self.hooks.embeddings()
            self.patched(self.model)
            self.networks = plan.networks

    @contextmanager
    def timed(self, phase: Phase, batch: int) -> Iterator[None]:
        """Report a phase and add its seconds to the timings."""
        steps = self.steps
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
        self,
        library: ModelLibrary,
        models: ModelCache,
        texts: Texts,
        host: ExtensionHost,
        upscalers: Upscalers,
        *,
        preview_every: int,
        tiled_vae: bool,
    ) -> None:
        self._library = library
        self._upscalers = upscalers
        self._models = models
        self._texts = texts
        self._host = host
        self._patching = Patching(models)
        self._preview_every = preview_every
        self._tiled_vae = tiled_vae

    @torch.inference_mode()
    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult:
        """Make the images of a request, reporting each as soon as it is there.

        Raises:
            WebuiError: an expected failure, in words.
            Cancelled: stopped by the user before there was any image.
        """
        hooks = self._host.join(request, lambda: bool(reporter.stopped()))
        request = hooks.edit_request(merged(request, self._texts.styles()))
        self._upscalers.check(request)
        job = self._prepare(request, hooks, reporter)
        with ExitStack() as patches:
            patches.enter_context(self._host.watched(hooks))
            job.patched = patches.enter_context(self._patching.on(hooks, job.model))
            if request.tiling:
                patches.enter_context(wrapped_edges([job.model.network.module, job.model.vae.module]))
            for batch in job.plan.batches:
                if job.stopped == "interrupt":
                    break
                self._batch(job, batch)
        if not job.images:
            raise Cancelled("stopped before the first image was made")
        extras = tuple(hooks.extra_images())
        return GenerationResult(
            request=job.plan.request,
            images=tuple(job.images),
            model=job.facts.model,
            notices=(*job.notices, *self._texts.problems(), *hooks.notices),
            timings=job.timings | hooks.timings,
            interrupted=job.stopped == "interrupt",
            extras=extras,
        )

    def load(self, alias: str) -> None:
        """Load a checkpoint ahead of the next job."""
        checkpoint, vae = self._files(GenerationRequest(checkpoint=alias))
        self._patching.expect(checkpoint)
        self._models.get(checkpoint, vae)

    def close(self) -> None:
        """Undo what extensions changed in the models."""
        self._patching.leave()

    def _prepare(self, request: GenerationRequest, hooks: JobHooks, reporter: Reporter) -> Job:
        began = time.monotonic()
        reporter.progress(Progress("loading", 0, request.steps, 0, request.n_iter))
        checkpoint, vae = self._files(request)
        spec = self._library.spec(checkpoint)
        request = met(settled(request, spec), spec.family)
        switch = self._switch(request, checkpoint)
        self._patching.expect(checkpoint)
        model = self._models.get(checkpoint, vae)
        loading = time.monotonic() - began
        plan = make_plan(request.with_(checkpoint=checkpoint.name))
        hires = hires_of(plan.request)
        second = None
        if hires:
            family = likely_family(self._library, hires.checkpoint) if hires.checkpoint else spec.family
            second = meet_in_second_pass(second_plan(plan, hires, family.latents.cell), hires, family, spec.family)
        taken = hooks.use_networks(plan.networks)
        brought = hooks.embeddings()
        table = networks_of(model.spec.family).levels(model.spec, request.schedule)
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
            hires_checkpoint=self._hires_title(request),
            ti_hashes=self._texts.hashes(plan, model, brought),
            version=VERSION,
        )
        notices = [
            Notice("prompt", f"<{one.kind}:{':'.join(one.positional)}> was left out: no extension handles {one.kind!r}")
            for one in dict.fromkeys(plan.networks + (second.networks if second else ()))
            if one.kind not in taken and not request.disable_extra_networks
        ]
        return Job(
            plan, model, switch, hooks, reporter, table, facts, second, networks=plan.networks, brought=brought,
            notices=notices, timings={"loading": loading},
        )  # fmt: skip

    def _files(self, request: GenerationRequest) -> tuple[ModelFile, ModelFile | None]:
        """The checkpoint and the separate VAE that a request names."""
        chosen = request.checkpoint
        checkpoint = self._library.checkpoint(chosen) if chosen else first_choice(self._library)
        return checkpoint, self._library.vae(request.vae, checkpoint)

    def _hires_title(self, request: GenerationRequest) -> str:
        """`name [hash]` of the second pass's checkpoint where it is named; "" elsewhere.

        Raises:
            BadRequestError: there is no such checkpoint.
        """
        hires = hires_of(request)
        if hires is None or not hires.checkpoint:
            return ""
        try:
            file = self._library.checkpoint(hires.checkpoint)
        except UnknownModelError as error:
            raise BadRequestError("task.hires.checkpoint", str(error)) from error
        return f"{file.stem} [{self._library.short_hash(file)}]"

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
        model, sampled = job.model, None
        if first_picture(request) is None:
            with job.timed("encoding", batch.index):
                job.begin_pass(job.plan)
                if job.origin is None:
                    self._start(job)
                stages = self._stages(job, job.plan, job.model)
            with job.timed("sampling", batch.index):
                sampled = self._sample(job, batch, stages, job.plan, job.origin)
            if sampled is None:
                return
            model = stages.model
        if job.second is not None and not job.stopped:
            sampled, model = self._second_pass(job, job.second, batch, sampled, model)
        if sampled is None:
            return
        check_finite(sampled.latents, job.facts.model.checkpoint, request.steps)
        with job.timed("decoding", batch.index):
            pictures = decode(sampled.latents, model, tiled=self._tiled_vae)
        for position, picture in enumerate(pictures):
            index = batch.index * request.batch_size + position
            one = image_request(job.plan, batch.seeds[position], batch.subseeds[position], position)
            picture = job.hooks.edit_image(picture, index)
            beside: tuple[Image.Image, ...] = ()
            if job.origin is not None:  # after the extensions, so that what a mask protects stays the original
                picture, beside = job.origin.finish(picture, position, sampled.latents[position])
            facts = replace(
                job.facts, subseed=batch.subseeds[position], padded=sampled.padded, extra=job.hooks.fields()
            )
            made = GeneratedImage(picture, one, write(one, facts), index, batch.subseeds[position], attachments=beside)
            job.images.append(made)
            job.reporter.image(made)

    def _stages(self, job: Job, plan: Plan, model: LoadedModel) -> Stages:
        """The stages of one pass, with the refiner where it takes part in it."""
        hires, is_second = hires_of(plan.request), plan is job.second
        this_pass = "second pass" if is_second else "first pass"
        takes_part = hires is None or hires.refiner_pass in ("both passes", this_pass)
        return Stages(
            plan,
            model,
            self._table(job, model),
            job.switch if takes_part and not (job.switch and job.switch.file == model.file) else None,
            lambda file: job.patched(self._models.get(file, self._library.vae(plan.request.vae, file))),
            lambda model: job.hooks.edit_conditioning(self._texts.encode(plan, model, job.brought)),
            job.origin.extra if job.origin else None,
        )

    def _table(self, job: Job, model: LoadedModel) -> SigmaTable:
        """The noise levels of a pass: those that the job began with, where its checkpoint can be asked at them."""
        networks = networks_of(model.spec.family)
        if networks is networks_of(job.model.spec.family):
            return job.table
        return networks.levels(model.spec, job.plan.request.schedule)

    def _second_pass(
        self, job: Job, plan: Plan, batch: Batch, first: Sampled | None, first_model: LoadedModel
    ) -> tuple[Sampled | None, LoadedModel]:
        """Hires fix: enlarge what the first pass made, or the picture in its place, and sample once more.

        Stopped by the user, it gives back what there is: its own last estimate, else the first pass's latents.
        """
        hires, request = hires_of(plan.request), plan.request
        if hires is None:
            return first, first_model
        job.begin_pass(plan)
        with ExitStack() as patches:
            model = job.model
            if hires.checkpoint:
                model = job.patched(self._models.get(*self._files(request)))
                if request.tiling:
                    patches.enter_context(wrapped_edges([model.network.module, model.vae.module]))
            first_size, cell = (job.plan.request.width, job.plan.request.height), model.spec.latents.cell
            enlarger = Enlarger(
                hires.upscaler,
                hires.target(*first_size, cell),
                lambda latents: decode(latents, first_model, tiled=self._tiled_vae),
                lambda picture, width, height: self._upscalers.resized(
                    picture, hires.upscaler, width, height, stopper(job)
                ),
                model,
                batch.seeds[-1],
            )
            try:
                with job.timed("upscaling", batch.index):
                    picture = first_picture(job.plan.request)
                    if picture is not None:
                        start = enlarger.from_picture(picture)
                    elif first is not None:
                        start = enlarger.from_latents(first.latents)
                    else:
                        return None, model
                with job.timed("encoding", batch.index):
                    stages = self._stages(job, plan, model)
            except Cancelled:
                return first, first_model
            with job.timed("sampling", batch.index):
                sampled = self._sample(job, batch, stages, plan, Enlarged(start))
        if sampled is None:
            return first, first_model
        padded = sampled.padded or (first is not None and first.padded)
        return replace(sampled, padded=padded), stages.model

    def _start(self, job: Job) -> None:
        job.origin = start_of(job.plan, job.model)
        if job.origin is not None and job.origin.canvas.note:
            job.notices.append(Notice("inpainting", job.origin.canvas.note))
            job.facts = replace(job.facts, blank_mask=job.origin.painted is None)

    def _sample(self, job: Job, batch: Batch, stages: Stages, plan: Plan, origin: Origin | None) -> Sampled | None:
        """The batch's latents after one pass; None where the user stopped it before anything was to be seen."""
        spec, is_second = stages.model.spec, plan is job.second
        before = job.steps - plan.walk.run if is_second else 0  # steps of the first pass

        def watch(step: Step, denoised: Tensor) -> None:
            done = step.index + 1
            seen = self._preview_every and done % self._preview_every == 0
            picture = preview(denoised, spec.latents) if seen else None
            steps = max(job.steps, before + step.total, before + done)
            job.reporter.progress(
                Progress("sampling", before + done, steps, batch.index, len(job.plan.batches), picture)
            )
            job.stopped = job.reporter.stopped()
            if job.stopped:
                raise Cancelled("stopped by the user")

        request = job.plan.request
        ratio = request.hires_merging_ratio if is_second else request.merging_ratio
        try:
            with merged_tokens(stages.model.network.module, ratio):
                return sample_batch(
                    plan,
                    batch,
                    stages.at,
                    Noising(spec.family, stages.table, stages.first.asked),
                    SecondPassHooks(job.hooks) if is_second else job.hooks,
                    watch,
                    device=job.model.device,
                    origin=origin,
                )
        except Cancelled:
            return None


def stopper(job: Job) -> Callable[[int, int], None]:
    """A watch for work in tiles: lets the user stop it."""

    def watch(done: int, total: int) -> None:
        job.stopped = job.reporter.stopped()
        if job.stopped:
            raise Cancelled("stopped by the user")

    return watch
