"""Merging checkpoints and LoRAs: forms, actions, and generating from a recipe. The other modules do the work."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.extension_api import (
    Action,
    ActionContext,
    ActionResult,
    Dialect,
    GenerationRequest,
    JobContext,
    Models,
    Options,
    Word,
    hookimpl,
)

from .options import (
    BlocksOptions,
    CompareOptions,
    ExtractOptions,
    MergeLorasOptions,
    MergeOptions,
    ReadOptions,
    TryOptions,
)
from .recipe import MERGE, fields_of

if TYPE_CHECKING:
    from webui.extension_api.tensors import LoadedModel


@hookimpl
def request_options() -> type[Options]:
    """A recipe in a request is generated from without being saved."""
    return TryOptions


@hookimpl
def dialect() -> Dialect:
    """The recipe in an infotext says better than `Model` what the picture was made with."""
    return Dialect(
        infotext=(Word(name=MERGE, asks=True, codec="object", hides=("Model", "Model hash", "Merge hashes")),)
    )


@hookimpl
def actions() -> list[Action]:
    """The actions of the merge tabs."""
    return [
        Action("merge", "Merge checkpoints", MergeOptions, _merge),
        Action("merge_loras", "Merge LoRAs", MergeLorasOptions, _merge_loras),
        Action("extract_lora", "Extract a LoRA", ExtractOptions, _extract_lora),
        Action("compare", "Compare two checkpoints", CompareOptions, _compare),
        Action("read_recipe", "Read a recipe back", ReadOptions, _read, light=True),
        Action("blocks", "Blocks of a checkpoint", BlocksOptions, _blocks, light=True),
    ]


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request carries a recipe that changes something."""
    options = job.options
    if not isinstance(options, TryOptions):
        return None
    recipe = options.resolved()
    return Trial(recipe, job.models) if recipe.b or recipe.loras or recipe.vae else None


class Trial:
    """One job that is generated from a recipe."""

    def __init__(self, recipe: TryOptions, models: Models) -> None:
        self._recipe = recipe
        self._models = models
        self._used: TryOptions | None = None
        self._fields: dict[str, str] | None = None
        self._base: Path | None = None  # the checkpoint that the recipe changes; a refiner is left alone

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Load A of the recipe; without one, the checkpoint of the request is A."""
        return request.with_(checkpoint=self._recipe.a) if self._recipe.a else None

    @hookimpl
    def patch_model(self, model: "LoadedModel") -> AbstractContextManager[Any] | None:
        """The context that puts the merged weights into the model."""
        from .trying import MergedWeights  # loads torch

        self._base = self._base or model.file.path
        if model.file.path != self._base:
            return None
        self._used = self._recipe if self._recipe.a else self._recipe.model_copy(update={"a": model.file.name})
        return MergedWeights(model, self._used, self._models)

    @hookimpl
    def image_fields(self) -> Mapping[str, str] | None:
        """What was merged, in place of the name and hash of A."""
        if self._fields is None and self._used is not None:
            self._fields = fields_of(self._used, self._models)
        return self._fields


def _compare(options: CompareOptions, context: ActionContext) -> ActionResult:
    from .heatmap import compare  # loads torch, as do all of these

    return compare(options, context)


def _merge(options: MergeOptions, context: ActionContext) -> ActionResult:
    from .merging import merge

    return merge(options, context)


def _merge_loras(options: MergeLorasOptions, context: ActionContext) -> ActionResult:
    from .lora_files import merge_loras

    return merge_loras(options, context)


def _extract_lora(options: ExtractOptions, context: ActionContext) -> ActionResult:
    from .lora_files import extract_lora

    return extract_lora(options, context)


def _read(options: ReadOptions, context: ActionContext) -> ActionResult:
    from .merging import read

    return read(options, context)


def _blocks(options: BlocksOptions, context: ActionContext) -> ActionResult:
    from .blocks import columns

    if not options.a:
        return ActionResult("choose a checkpoint", data={})
    levels = [len(level.encoder) for level in context.models.spec(options.a).unet.levels]
    return ActionResult(f"{options.a} has {len(levels)} levels", data=columns(levels))
