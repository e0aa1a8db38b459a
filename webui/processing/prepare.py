"""Prepares a job: finds its files, loads its checkpoint, plans its passes, and collects facts for infotexts and
notices.
"""

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from webui import VERSION
from webui.domain.errors import BadRequestError, UnknownModelError, UnusableFileError
from webui.domain.planned_image import PlannedImage, SettledPlan
from webui.domain.request import GenerationRequest
from webui.domain.result import ModelFacts, Notice, Progress
from webui.extension_api.job_context import ModelTraits
from webui.library.choice import first_choice, likely_family
from webui.library.family import Family
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.output.infotext import InfoFacts
from webui.plugins.jobhooks import JobHooks
from webui.processing.decode import not_finite
from webui.processing.demands import met, require_refiner, require_second_pass
from webui.processing.hires import hires_of
from webui.processing.inpaint import settled, tells_of_mask
from webui.processing.passes import Pass, passes_of
from webui.processing.patching import Patching
from webui.processing.plan import ImageText, Plan, image_request, images_of, make_plan, of_image, with_images
from webui.processing.ports import Reporter
from webui.processing.stages import StageFiles
from webui.processing.texts import Texts
from webui.prompt.embeddings import Embedding
from webui.sampling.schedules import SigmaTable
from webui.weights.families.contract import networks_of
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel
from webui.weights.tiny_vae import TinyVaes


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job that is ready for its first batch.

    Attributes:
        plan: the plan of the first pass; its request and batches are those of the whole job.
        passes: in the order in which each batch goes through them.
        base, model: the checkpoint of the job, as files and in memory.
        table: the noise levels of that checkpoint.
        facts: what the infotexts of all its images say.
        brought: textual inversions that extensions add for the network tags of the prompt.
        notices: what the user should know so far.
        seconds: how long loading took.
    """

    plan: Plan
    passes: tuple[Pass, ...]
    base: StageFiles
    model: LoadedModel
    table: SigmaTable
    facts: InfoFacts
    brought: tuple[Embedding, ...]
    notices: tuple[Notice, ...]
    seconds: float


class Preparation:
    """Prepares jobs. All names in a request are looked up here, once, before anything is loaded."""

    def __init__(
        self, library: ModelLibrary, models: ModelCache, texts: Texts, patching: Patching, tiny: TinyVaes
    ) -> None:
        self._library = library
        self._models = models
        self._texts = texts
        self._patching = patching
        self._tiny = tiny

    def widened(self, model: LoadedModel, steps: int) -> Notice:
        """Have a checkpoint read in a wider format. Raises NotFiniteError where there is none."""
        self._patching.leave()
        if not self._models.widen(model):
            raise not_finite(model.file.name, steps)
        was = str(model.dtype).removeprefix("torch.")
        return Notice("checkpoint", f"{model.file.name} gave NaN in {was}; it was read again in a wider format")

    def load(self, alias: str) -> LoadedModel:
        """Load a checkpoint ahead of the next job; "" is the first that can be used."""
        return self._loaded(self._base(GenerationRequest(checkpoint=alias)))

    def prepare(
        self, request: GenerationRequest, hooks: JobHooks, reporter: Reporter, drawn: SettledPlan | None = None
    ) -> PreparedJob:
        """Find the files of a request, load its checkpoint and plan its passes.

        Args:
            request: after styles were merged in and extensions have edited it.
            drawn: what another process has planned for this job; it counts over what extensions plan here.

        Raises:
            UnknownModelError, UnusableFileError: the checkpoint or the VAE cannot be used.
            BadRequestError: another checkpoint that it names does not exist.
        """
        began = time.monotonic()
        reporter.progress(Progress("loading", 0, request.steps, 0, request.n_iter))
        base = self._base(request)
        spec = self._library.spec(base.checkpoint)
        request = met(settled(request, spec), spec.family)
        refiner, second = self._refiner(request, base), self._second(request)
        model = self._tiny.in_place_of_vae(
            self._loaded(base), decodes=request.vae_decoder == "TAESD", encodes=request.vae_encoder == "TAESD"
        )
        seconds = time.monotonic() - began
        hooks.model = traits_of(model)
        plan = own_images(make_plan(request.with_(checkpoint=base.checkpoint.name)), hooks)
        if drawn is not None and images_of(plan) != drawn.images:
            plan = with_images(plan, drawn.images)
        later = spec.family if second is None else self._family(second)
        passes = passes_of(plan, base, second or base, refiner, later.latents.cell)
        if passes[-1].hires is not None:
            require_second_pass(passes[-1].plan.request, passes[-1].hires, later, spec.family)
        taken = hooks.use_networks(plan.networks)
        brought = hooks.embeddings()
        table = networks_of(model.spec.family).levels(model.spec, request.schedule)
        facts = InfoFacts(
            model=ModelFacts(
                base.checkpoint.stem,
                self._library.short_hash(base.checkpoint),
                base.vae.path.name if base.vae else "",
                self._library.short_hash(base.vae) if base.vae else "",
                inpainting=tells_of_mask(request, model.spec),
            ),
            refiner=self._title(refiner),
            hires_checkpoint=self._title(second),
            version=VERSION,
        )
        notices = (
            *self._names(request),
            *notices_of(model),
            *self._texts.problems([one.plan for one in passes], model, brought),
        )
        notices += _unguided(plan, model)
        notices += () if request.disable_extra_networks else _left_out(plan, passes, taken)
        return PreparedJob(plan, passes, base, model, table, facts, brought, notices, seconds)

    def _loaded(self, base: StageFiles) -> LoadedModel:
        self._patching.expect(base.checkpoint)
        return self._models.get(base.checkpoint, base.vae)

    def _base(self, request: GenerationRequest) -> StageFiles:
        """The checkpoint and the separate VAE that a request names."""
        chosen = request.checkpoint
        checkpoint = self._library.checkpoint(chosen) if chosen else first_choice(self._library)
        return StageFiles("base", checkpoint, self._library.vae(request.vae, checkpoint))

    def _refiner(self, request: GenerationRequest, base: StageFiles) -> StageFiles | None:
        """The refiner of a job; None where the request names none, or names the checkpoint itself."""
        asked = request.refiner
        if asked is None:
            return None
        file = self._named("refiner.checkpoint", asked.checkpoint)
        if file.path == base.checkpoint.path:
            return None
        with suppress(UnusableFileError):  # a pickle that was not converted yet is checked when it takes over
            require_refiner(file.name, self._library.spec(file), self._library.spec(base.checkpoint))
        return StageFiles("refiner", file, self._library.vae(request.vae, file), asked.switch_at, asked.by_steps)

    def _second(self, request: GenerationRequest) -> StageFiles | None:
        """The checkpoint that the request names for the second pass; None where it names none."""
        hires = hires_of(request)
        if hires is None or not hires.checkpoint:
            return None
        file = self._named("task.hires.checkpoint", hires.checkpoint)
        return StageFiles("base", file, self._library.vae(request.vae, file))

    def _family(self, stage: StageFiles) -> Family:
        """The family of a checkpoint. A pickle that was not converted yet counts as of the first family in the list."""
        return likely_family(self._library, stage.checkpoint.name)

    def _named(self, field: str, alias: str) -> ModelFile:
        try:
            return self._library.checkpoint(alias)
        except UnknownModelError as error:
            raise BadRequestError(field, str(error)) from error

    def _names(self, request: GenerationRequest) -> tuple[Notice, ...]:
        """A notice for each checkpoint whose name is not that of exactly one file."""
        hires = hires_of(request)
        asked = (request.checkpoint, request.refiner and request.refiner.checkpoint, hires and hires.checkpoint)
        told = (self._library.chosen_checkpoint(alias).told for alias in asked if alias)
        return tuple(Notice("checkpoint", text) for text in dict.fromkeys(told) if text)

    def _title(self, stage: StageFiles | None) -> str:
        """The file as `name [hash]`; "" for None."""
        return f"{stage.checkpoint.stem} [{self._library.short_hash(stage.checkpoint)}]" if stage else ""


def own_images(plan: Plan, hooks: JobHooks) -> Plan:
    """The plan with the images that extensions plan, and with the prompts that they give to each."""
    plans, edits = hooks.has("plan_images"), hooks.has("edit_image_request")
    if not plans and not edits:
        return plan
    images = hooks.plan_images(plan.request, images_of(plan))
    if edits:
        size = plan.request.batch_size
        images = [_edited(plan, one, index, index % size, hooks) for index, one in enumerate(images)]
    return with_images(plan, images)


def _edited(plan: Plan, image: PlannedImage, index: int, position: int, hooks: JobHooks) -> PlannedImage:
    own = of_image(plan, ImageText(image.prompt, image.negative_prompt))
    request = hooks.edit_image_request(image_request(own, image.seed, image.subseed, position), index)
    return replace(image, prompt=request.prompt, negative_prompt=request.negative_prompt)


def notices_of(model: LoadedModel) -> tuple[Notice, ...]:
    """What the user is told of a checkpoint's files wherever it is used."""
    return tuple(Notice("checkpoint", text) for text in model.notices)


def traits_of(model: LoadedModel) -> ModelTraits:
    """The facts about a checkpoint that extensions get."""
    return ModelTraits(
        model.file.stem,
        model.spec.family,
        model.spec.prediction,
        model.latents,
        model.spec.in_channels,
        model.spec.zero_terminal_snr,
    )


def _unguided(plan: Plan, model: LoadedModel) -> tuple[Notice, ...]:
    """A notice where there is a negative prompt and a network that cannot be asked about it."""
    if not model.spec.takes_guidance or not plan.request.negative_prompt.strip():
        return ()
    told = "is told the guidance scale itself (LCM), so that the negative prompt has no effect"
    return (Notice("checkpoint", f"{model.file.name} {told}"),)


def _left_out(plan: Plan, passes: tuple[Pass, ...], taken: Collection[str]) -> tuple[Notice, ...]:
    """A notice for each network tag, of any pass, whose kind no extension handles."""
    tags = dict.fromkeys([*plan.networks, *(tag for one in passes for tag in one.plan.networks)])
    return tuple(
        Notice("prompt", f"<{one.kind}:{':'.join(one.positional)}> was left out: no extension handles {one.kind!r}")
        for one in tags
        if one.kind not in taken
    )
