"""Generating from a recipe without a file: for the length of a job the networks hold the merged weights."""

from collections.abc import Callable, Hashable, Iterator, Mapping

import torch
from torch import Tensor, nn

from webui.extension_api import BadRequestError, Models
from webui.extension_api.tensors import ClipTower, LoadedModel, build_text_stack

from .merged import Merged
from .merging import merged
from .options import Recipe
from .sources import Source


class MergedWeights:
    """While entered, UNet, text encoders and VAE of a model hold the merged weights, in their own formats and places.

    The original weights are kept in main memory and copied back exactly.

    Attributes:
        key: two merges with equal keys have equal recipes, files and VAEs, so the merge may stay for the next job.
    """

    def __init__(self, model: LoadedModel, recipe: Recipe, models: Models) -> None:
        """Raises UnknownModelError, UnusableFileError where a file is not there."""
        self._model = model
        self._recipe = recipe
        self._models = models
        self._originals: list[tuple[Tensor, Tensor]] = []
        self.key: Hashable = (recipe.model_dump_json(), model.vae, *_versions(recipe, models))

    def __enter__(self) -> None:
        """Merge. Raises WebuiError where files do not belong together; the model is then as it was."""
        try:
            with merged(self._recipe, self._models) as (result, sources):
                self._require_same_build(sources["a"])
                for parameter, weight in _pairs(self._model, result):
                    self._originals.append((parameter, parameter.detach().to("cpu", copy=True)))
                    parameter.data.copy_(weight.reshape(parameter.shape))
        except BaseException as error:
            self._restore()
            if isinstance(error, BadRequestError):
                raise BadRequestError(f"extensions.checkpoint_merge.{error.field}", error.message) from error
            raise

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._originals:
            parameter, original = self._originals.pop()
            parameter.data.copy_(original)

    def _require_same_build(self, a: Source) -> None:
        if a.spec.unet.keys.keys() != self._model.spec.unet.keys.keys():
            raise BadRequestError("a", f"{a.name} is not built like {self._model.file.name}, which is loaded")


def _versions(recipe: Recipe, models: Models) -> Iterator[Hashable]:
    """Each file of a recipe as it is now on the disk."""
    named = [("checkpoint", name) for name in (recipe.a, recipe.b, recipe.c)]
    for kind, name in (*named, ("vae", recipe.vae), *(("lora", one.name) for one in recipe.loras)):
        if name:
            path = models.find(kind, name)
            facts = path.stat()
            yield (str(path), facts.st_mtime_ns, facts.st_size)


def _pairs(model: LoadedModel, result: Merged) -> Iterator[tuple[Tensor, Tensor]]:
    """Every parameter of the model and its merged value, one after another."""
    yield from _network(model.unet.module, model.spec.unet.layout.to_ldm, model.spec.unet.keys, result)
    vae = model.spec.vae
    if model.vae_file is None and vae is not None:
        yield from _network(model.vae.module, vae.layout.to_ldm, vae.keys, result)
    merged_text = build_text_stack(result, model.spec, torch.device("cpu"), torch.float32)
    for ours, theirs in zip(model.text.encoders, merged_text.encoders, strict=True):
        if not isinstance(ours, ClipTower) or not isinstance(theirs, ClipTower):
            continue  # an encoder of another kind has no weights in the checkpoint
        values = theirs.module.state_dict()
        for name, parameter in ours.module.named_parameters():
            yield parameter, values[name]
        if ours.projection is not None and theirs.projection is not None:
            yield ours.projection.weight, theirs.projection.weight


def _network(
    module: nn.Module, to_ldm: Callable[[str], str | None], keys: Mapping[str, str], result: Merged
) -> Iterator[tuple[Tensor, Tensor]]:
    for name, parameter in module.named_parameters():
        ldm = to_ldm(name)
        if ldm is not None and ldm in keys:
            yield parameter, result.read_as(keys[ldm], parameter.dtype)
