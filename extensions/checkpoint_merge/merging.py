"""The merge of checkpoints as an action: opens the sources, computes, writes one new file."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import torch

from webui.extension_api import ActionContext, ActionResult, BadRequestError, Cancelled, Models
from webui.extension_api.tensors import TensorEntry, TensorFile, write_safetensors

from .lora_changes import changes_of
from .loras import LoraFile
from .merged import Merged
from .options import MergeOptions, Precision, ReadOptions, Recipe
from .recipe import file_name, hashes_of, metadata, read_recipe
from .sources import Source, opened, tensors_of, vae_names

_NAMED = 3  # tensors in a text


@torch.inference_mode()
def merge(options: MergeOptions, context: ActionContext) -> ActionResult:
    """Merge checkpoints into a new file.

    Raises:
        WebuiError: files that do not belong together, a name that is taken, a disk that is full.
        Cancelled: stopped by the user; nothing is left behind.
    """
    with merged(options, context.models, options.precision) as (result, sources):
        a = sources["a"]
        name = file_name(
            options, {role: Path(one.name).with_suffix("").as_posix() for role, one in sources.items()},
            is_inpainting=a.spec.inpaints and not options.name, is_editing=a.spec.edits and not options.name,
        )  # fmt: skip
        path = context.new_file("checkpoint", name)
        sidecar = _sidecar(context.models.find("checkpoint", options.a), path)
        entries = [TensorEntry(one, result.dtype(one), result.shape(one)) for one in _wanted(result, options.discard)]
        context.progress(0, len(entries), "reading the files' hashes")
        hashes = hashes_of(context.models, options)
        parents = {getattr(options, role): one.tensors.header.metadata for role, one in sources.items()}

        def before(done: int, tensor: str) -> None:
            if context.stopped():
                raise Cancelled("the merge was stopped; nothing was written")
            context.progress(done, len(entries), f"merging {tensor}")

        write_safetensors(path, entries, metadata(options, hashes, parents), result.pieces, before)
    if sidecar.is_file():
        shutil.copyfile(sidecar, path.with_suffix(".yaml"))
    kept = f" {_listed(result.kept)} kept from A: the others lack it." if result.kept and options.b else ""
    return ActionResult(text=f"Made {name}, {len(entries)} tensors.{kept}", files=(path,), data={"name": name})


def read(options: ReadOptions, context: ActionContext) -> ActionResult:
    """Read the recipe of a merged file back as the options of `merge`."""
    with tensors_of(context.models, "checkpoint", options.file) as tensors:
        recipe = read_recipe(options.file, tensors.header.metadata)
    data = recipe.model_dump(mode="json", exclude_defaults=True)
    return ActionResult(text=recipe.model_dump_json(exclude_defaults=True, indent=1), data=data)


@contextmanager
def merged(recipe: Recipe, models: Models, precision: Precision = "keep") -> Iterator[tuple[Merged, dict[str, Source]]]:
    """The merged tensors of a recipe, and the open checkpoints by role.

    Raises:
        WebuiError: as `merge`.
    """
    with ExitStack() as stack:
        roles = "a" if recipe.method == "copy" else "abc"
        sources = stack.enter_context(opened(models, **{role: getattr(recipe, role) for role in roles}))
        vae = stack.enter_context(tensors_of(models, "vae", recipe.vae)) if recipe.vae else None
        vae_keys = vae_names(vae, recipe.vae) if vae else {}
        if vae is not None:
            _require_same_shapes(sources["a"], recipe.vae, vae_keys, vae)
        loras = [
            (LoraFile(stack.enter_context(tensors_of(models, "lora", one.name)), one.name), one.weight)
            for one in recipe.loras
        ]
        changes = changes_of(sources["a"], loras)
        yield Merged(recipe, sources, vae=vae, vae_keys=vae_keys, changes=changes, precision=precision), sources


def _require_same_shapes(a: Source, name: str, keys: dict[str, str], vae: TensorFile) -> None:
    """Refuse a VAE of another size than the checkpoint's own."""
    for ours, theirs in keys.items():
        if ours in a.tensors and a.tensors.shape(ours) != vae.shape(theirs):
            raise BadRequestError(
                "vae",
                f"tensor {theirs} has the shape {vae.shape(theirs)} in {name} and {a.tensors.shape(ours)} in {a.name}",
            )


def _wanted(result: Merged, discard: str) -> list[str]:
    """The names that no pattern of `discard` covers.

    Raises:
        BadRequestError: nothing would be left.
    """
    patterns = [part.strip() for part in discard.split(",") if part.strip()]
    names = [name for name in result.names() if not any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not names:
        raise BadRequestError("discard", "leaves no tensor at all; use narrower patterns")
    return names


def _sidecar(source: Path, target: Path) -> Path:
    """The yaml beside A, if any: it tells what tensors cannot (head counts, v-prediction), so the merge needs it too.

    Raises:
        BadRequestError: another yaml already stands where the new file's would, and would tell something else.
    """
    if target.with_suffix(".yaml").exists():
        raise BadRequestError("name", f"{target.stem}.yaml is there already; choose another name, or remove it")
    return source.with_suffix(".yaml")


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
