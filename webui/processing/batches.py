"""Takes a batch through the passes of its job. Each pass applies the networks that its prompt names, makes the latents
to start from, encodes the text and runs the sampler.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from webui.domain.errors import Cancelled
from webui.domain.hires import Hires
from webui.domain.request import Img2Img
from webui.domain.result import Notice
from webui.plugins.jobhooks import JobHooks
from webui.processing.decode import decode
from webui.processing.hires import Enlarged, Enlarger, first_picture
from webui.processing.passes import Pass
from webui.processing.patching import JobPatches
from webui.processing.plan import Batch, ImageText, of_image
from webui.processing.prepare import PreparedJob, notices_of
from webui.processing.preview import PreviewMaker
from webui.processing.reporting import RunReport
from webui.processing.sample import Noising, Origin, Sampled, sample_batch
from webui.processing.stages import StageFiles, Stages
from webui.processing.start import Start, start_of
from webui.processing.texts import Texts
from webui.processing.tiling import wrapped_edges
from webui.processing.upscaling import LANCZOS_NAME, Upscalers
from webui.prompt.composition import NetworkTag, extra_networks
from webui.prompt.conditioning import Conditioning, PromptTexts
from webui.sampling.schedules import SigmaTable
from webui.sampling.stepping import PlannedSampler
from webui.weights.build import is_finite
from webui.weights.families.contract import networks_of
from webui.weights.fast.approximating import Approximations
from webui.weights.memory import ModelCache
from webui.weights.merging import merged_tokens
from webui.weights.model import LoadedModel
from webui.weights.tiny_vae import TinyVaes


@dataclass(frozen=True, slots=True)
class Tools:
    """What every pass of every job needs: models, text encoding, upscalers, whether VAEs decode in tiles, tiny VAEs,
    previews and samplers of extensions."""

    models: ModelCache
    texts: Texts
    upscalers: Upscalers
    tiled_vae: bool
    tiny: TinyVaes
    previews: PreviewMaker
    samplers: Callable[[str], PlannedSampler | None]


@dataclass(frozen=True, slots=True)
class Made:
    """The result of a pass, or of all passes, over a batch.

    Attributes:
        latents: (B, C, h, w).
        model: the model that was used last; its VAE decodes the latents, as in A1111.
        padded: whether a prompt was padded to the length of another.
        ti_hashes: of the embeddings that the first pass used, for each image.
    """

    latents: Tensor
    model: LoadedModel
    padded: bool
    ti_hashes: tuple[str, ...] = ()


class Overflowed(Exception):
    """The latents of a batch are NaN or infinite, after a network in half precision has made them."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        super().__init__(model.file.name)


class BatchSampler:
    """Takes the batches of one job through its passes."""

    def __init__(self, job: PreparedJob, tools: Tools, hooks: JobHooks, patched: JobPatches, report: RunReport) -> None:
        """`patched` applies the patches of extensions to a model that the job loads later, such as its refiner."""
        self._job = job
        self._tools = tools
        self._hooks = hooks
        self._patched = patched
        self._report = report
        self._networks = job.plan.networks  # those in force
        self._named_by_hires = False
        self._brought = job.brought
        self._hashes: dict[ImageText, str] = {}

    @cached_property
    def start(self) -> Start | None:
        """The pictures that the first pass of every batch starts from, encoded when they are first asked for."""
        task = self._job.plan.request.task
        name = task.resize_upscaler if isinstance(task, Img2Img) else LANCZOS_NAME
        grow = self._tools.upscalers.growing(name, lambda done, total: self._report.look())
        return start_of(self._job.plan, self._job.model, grow)

    def sample(self, batch: Batch) -> Made | None:
        """The latents of a batch after its passes.

        Where the user stops, these are the last estimate of the pass that was running, or if it had none, the result of
        the pass before; None where there is neither.

        Raises:
            Overflowed: a network in half precision gave values that are not finite.
        """
        self._report.stopped, self._report.step = "", 0
        made: Made | None = None
        hashes: tuple[str, ...] = ()
        for one in self._job.passes:
            made = self._after(one, batch, made) or made
            if made is not None and made.model.dtype != torch.float32 and not is_finite(made.latents):
                raise Overflowed(made.model)
            hashes = hashes or tuple(map(self._hash, batch.texts))
            if made is None or self._report.stopped:
                break
        return None if made is None else replace(made, ti_hashes=hashes)

    def _hash(self, text: ImageText) -> str:
        """The hashes of the embeddings that the first pass of an image used."""
        if text not in self._hashes:
            plan = of_image(self._job.plan, text)
            self._hashes[text] = self._tools.texts.hashes(plan, self._job.model, self._brought)
        return self._hashes[text]

    def _after(self, one: Pass, batch: Batch, before: Made | None) -> Made | None:
        """What a pass makes of what the one before made; None where it was stopped with nothing to be seen."""
        batch = one.plan.batches[batch.index]  # with the texts of this pass
        one = _fitting(one, batch)
        self._use_networks(batch.networks, hires=one.hires is not None)
        with ExitStack() as until_the_end:
            model = self._model_of(one, until_the_end)
            try:
                origin, stages = self._begun(one, batch, model, before)
            except Cancelled:
                if before is None and not self._report.stopped:
                    raise  # an extension ended the job, not the user
                return None
            with self._report.timed("sampling", batch.index):
                sampled = self._sampled(one, batch, stages, origin)
        if sampled is None:
            return None
        return Made(sampled.latents, stages.model, sampled.padded or (before is not None and before.padded))

    def _use_networks(self, networks: tuple[NetworkTag, ...], *, hires: bool) -> None:
        """Have the extensions apply the networks that a batch's prompts name, unless they are applied already.

        Those of another batch's second pass are told anew even where they are the same: texts tell of one image.
        """
        if self._networks != networks or (self._named_by_hires and not hires):
            self._hooks.use_networks(networks, hires=hires)
            self._named_by_hires = hires
            self._brought = self._hooks.embeddings()
            self._patched(self._job.model)
            self._networks = networks

    def _model_of(self, one: Pass, cleanup: ExitStack) -> LoadedModel:
        """The model that a pass begins with. Changes to one that is not the job's own are undone when `cleanup`
        ends.
        """
        if one.base == self._job.base:
            return self._job.model
        model = self._loaded(one.base)
        if one.plan.request.tiling:
            cleanup.enter_context(wrapped_edges([model.network.module, model.vae.module]))
        return model

    def _table(self, model: LoadedModel) -> SigmaTable:
        """The noise levels of a pass: those of the job's first checkpoint, unless this pass has a checkpoint of another
        kind of family, which needs its own.
        """
        networks = networks_of(model.spec.family)
        if networks is networks_of(self._job.model.spec.family):
            return self._job.table
        return networks.levels(model.spec, self._job.plan.request.schedule)

    def _loaded(self, stage: StageFiles) -> LoadedModel:
        request = self._job.plan.request
        model = self._tools.tiny.in_place_of_vae(
            self._tools.models.get(stage.checkpoint, stage.vae),
            decodes=request.vae_decoder == "TAESD",
            encodes=request.vae_encoder == "TAESD",
        )
        told = self._hooks.notices
        told += [notice for notice in notices_of(model) if notice not in (*self._job.notices, *told)]
        return self._patched(model)

    def _begun(self, one: Pass, batch: Batch, model: LoadedModel, before: Made | None) -> tuple[Origin | None, Stages]:
        """The latents that a pass starts from (None: pure noise), and its stages with their text encoded."""
        origin: Origin | None = None
        if one.hires is not None:
            with self._report.timed("upscaling", batch.index):
                origin = self._enlarged(one.hires, batch, model, before)
        with self._report.timed("encoding", batch.index):
            if one.hires is None:
                origin = self.start
            stages = Stages(
                one.plan,
                model,
                self._table(model),
                one.refiner,
                self._loaded,
                lambda model: self._encoded(one, batch, model),
                self._channels_for(batch),
            )
        return origin, stages

    def _channels_for(self, batch: Batch) -> Callable[[LoadedModel], Tensor | None] | None:
        """What gives the channels beside the latents of a job that starts from pictures; None for others."""
        start = self.start
        if start is None:
            return None

        def channels(model: LoadedModel) -> Tensor | None:
            whole = start.image_channels(model)
            return None if whole is None else whole[: len(batch.seeds)]

        return channels

    def _encoded(self, one: Pass, batch: Batch, model: LoadedModel) -> Conditioning:
        """The texts of a batch as extensions leave them, for the model of a stage."""
        texts = self._tools.texts

        def encode(prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
            pairs = zip(prompts, negatives, strict=True)
            others = replace(batch, texts=tuple(ImageText(*pair) for pair in pairs))
            return texts.encode(one.plan, others, model, self._brought)

        prompts = tuple(extra_networks(text.prompt)[0] for text in batch.texts)
        negatives = tuple(text.negative_prompt for text in batch.texts)
        conditioning = texts.encode(one.plan, batch, model, self._brought)
        tokens_of = partial(texts.tokens_of, one.plan, model, self._brought)
        return self._hooks.edit_conditioning(conditioning, PromptTexts(prompts, negatives, encode, tokens_of))

    def _enlarged(self, hires: Hires, batch: Batch, model: LoadedModel, before: Made | None) -> Enlarged:
        """The result of the first pass, or the finished picture given instead of it, at the size of the second pass."""
        request, tools = self._job.plan.request, self._tools
        enlarger = Enlarger(
            hires.upscaler,
            hires.target(request.width, request.height, model.spec.latents.cell),
            lambda picture, width, height: tools.upscalers.resized(
                picture, hires.upscaler, width, height, lambda done, total: self._report.look()
            ),
            model,
            batch.seeds[-1],
        )
        given = first_picture(request)
        if given is not None:
            return Enlarged(enlarger.from_picture(given.open()))
        if before is None:
            raise ValueError("a second pass needs what the first has made, or a picture in its place")
        first = before
        latents = enlarger.from_latents(first.latents, lambda one: decode(one, first.model, tiled=tools.tiled_vae))
        return Enlarged(latents)

    def _tell(self, source: str, text: str) -> None:
        """Tell the user once what previews, or the approximations of the network, lack."""
        if not any(notice.text == text for notice in self._hooks.notices):
            self._hooks.notices.append(Notice(source, text))

    def _sampled(self, one: Pass, batch: Batch, stages: Stages, origin: Origin | None) -> Sampled | None:
        """The batch's latents after one pass; None where the user stopped it before there was any estimate."""
        model = stages.model
        previews = partial(self._tools.previews.previews, model, partial(self._tell, "preview"))
        try:
            with (
                merged_tokens(model.network.module, one.merging_ratio),
                Approximations(one.plan.request.speed, partial(self._tell, "speed")) as approximations,
            ):
                return sample_batch(
                    one.plan,
                    batch,
                    lambda done, calls: stages.at(done, calls).with_network(approximations.of),
                    Noising(model.spec.family, stages.table, stages.first.asked),
                    self._hooks,
                    self._report.steps_watch(one, batch.index, previews),
                    device=self._job.model.device,
                    origin=origin,
                    hires=one.hires is not None,
                    brought=self._tools.samplers(one.plan.sampler.label),
                )
        except Cancelled:
            return None


def _fitting(one: Pass, batch: Batch) -> Pass:
    """The pass as a batch has it: the last batch may be smaller than the others."""
    request = one.plan.request
    if len(batch.seeds) == request.batch_size:
        return one
    return replace(one, plan=replace(one.plan, request=request.model_copy(update={"batch_size": len(batch.seeds)})))
