"""Actions that make LoRA files: merging several into one, and extracting one from two checkpoints."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from webui.extension_api import ActionContext, ActionResult, BadRequestError, Cancelled
from webui.extension_api.tensors import TensorEntry, write_safetensors

from .layers import Target, targets
from .loras import Factors, LoraFile
from .low_rank import nearest, reduced, stacked
from .merged import FORMATS
from .options import ExtractOptions, MergeLorasOptions, Precision, written
from .sources import Source, opened, tensors_of

Layers = dict[str, Factors]


@torch.inference_mode()
def merge_loras(options: MergeLorasOptions, context: ActionContext) -> ActionResult:
    """Merge LoRAs into one file.

    Raises:
        WebuiError: a file is no LoRA, or two do not fit each other; names both and the layer.
        Cancelled: stopped by the user; nothing is left behind.
    """
    path = _new(context, options.name)
    layers: Layers = {}
    with ExitStack() as stack:
        files = [
            (LoraFile(stack.enter_context(tensors_of(context.models, "lora", one.name)), one.name), one.weight)
            for one in options.loras
        ]
        names = sorted({layer for file, _ in files for layer in file.layers})
        for done, layer in enumerate(names):
            _tick(context, done, len(names), f"merging {layer}")
            layers[layer] = _sum(layer, [(file, weight) for file, weight in files if layer in file], options)
    return _save(path, layers, options.precision, {"sd_merge_recipe": written(options.loras)}, context)


def _sum(layer: str, files: list[tuple[LoraFile, float]], options: MergeLorasOptions) -> Factors:
    """One layer of the merge."""
    found = [(file, file.module(layer), weight) for file, weight in files]
    for file, module, _ in found:
        if module.bias is not None:
            raise BadRequestError("loras", f"{file.name}: layer {layer} changes a bias, which a merged LoRA cannot")
    plain = [(module.factors, weight) for _, module, weight in found]
    parts = [(factors, weight) for factors, weight in plain if factors is not None]
    if len(parts) == len(plain):
        _require_equal(layer, [(found[i][0].name, _outer(one)) for i, (one, _) in enumerate(parts)])
        total = stacked(parts)
        return total if options.method == "concat" else reduced(total, options.rank, options.clamp)
    if options.method == "concat":
        raise BadRequestError("method", f"layer {layer} is no plain LoRA in every file; concat cannot, svd can")
    deltas = [(file.name, module.delta(), weight) for file, module, weight in found]
    full = [(name, delta, weight) for name, delta, weight in deltas if delta is not None]
    _require_equal(layer, [(name, (len(delta), delta[0].numel())) for name, delta, _ in full])
    total_delta = torch.stack([weight * delta.reshape(full[0][1].shape) for _, delta, weight in full]).sum(dim=0)
    return nearest(total_delta, options.rank, options.clamp)


def _outer(factors: Factors) -> tuple[int, ...]:
    return (len(factors.up), factors.down[0].numel())


def _require_equal(layer: str, shapes: list[tuple[str, tuple[int, ...]]]) -> None:
    (first, wanted), *others = shapes
    for name, shape in others:
        if shape != wanted:
            raise BadRequestError(
                "loras",
                f"layer {layer} is {shape} in {name} and {wanted} in {first}; they were made for different models",
            )


@torch.inference_mode()
def extract_lora(options: ExtractOptions, context: ActionContext) -> ActionResult:
    """Make the LoRA nearest to what two checkpoints differ in.

    Raises:
        BadRequestError: the checkpoints do not belong together, or do not differ.
        Cancelled: stopped by the user; nothing is left behind.
    """
    path = _new(context, options.name)
    layers: Layers = {}
    with opened(context.models, base=options.base, tuned=options.tuned) as sources:
        base, tuned = sources["base"], sources["tuned"]
        chosen = dict(_layers(base, tuned, options))
        for done, (layer, target) in enumerate(chosen.items()):
            _tick(context, done, len(chosen), f"taking apart {layer}")
            delta = tuned.tensors.read_as(target.tensor, torch.float32)
            delta -= base.tensors.read_as(target.tensor, torch.float32)
            delta = delta if target.third is None else delta.chunk(3)[target.third]
            if float(delta.abs().max()) > options.smallest:
                rank = options.conv_rank if _is_kernel(delta.shape) else options.rank
                layers[layer] = nearest(delta, rank, options.clamp)
        family = base.spec.family
    if not layers:
        raise BadRequestError(
            "tuned", f"{tuned.name} changes no weight of {base.name} by more than {options.smallest:g}: nothing to take"
        )
    told = {"ss_base_model_version": family.trainer_name or family.name}
    return _save(path, layers, options.precision, told, context)


def _layers(base: Source, tuned: Source, options: ExtractOptions) -> Iterator[tuple[str, Target]]:
    """The layers to extract, each once, by their usual name."""
    seen: set[Target] = set()
    for layer, target in targets(base.spec, base.tensors.names()).items():
        shape = base.tensors.shape(target.tensor)
        is_text = not layer.startswith("lora_unet_")
        if target in seen or target.tensor not in tuned.tensors or len(shape) not in (2, 4):
            continue
        if (
            shape != tuned.tensors.shape(target.tensor)
            or "embedding" in layer
            or (is_text and not options.text_encoder)
        ):
            continue
        if _is_kernel(shape) and not options.conv_rank:
            continue
        seen.add(target)
        yield layer, target


def _is_kernel(shape: tuple[int, ...]) -> bool:
    """A convolution of more than one cell."""
    return len(shape) == 4 and shape[2:] != (1, 1)


def _new(context: ActionContext, name: str) -> Path:
    return context.new_file("lora", f"{name.removesuffix('.safetensors')}.safetensors")


def _tick(context: ActionContext, done: int, total: int, text: str) -> None:
    if context.stopped():
        raise Cancelled("stopped; nothing was written")
    context.progress(done, total, text)


def _save(
    path: Path, layers: Layers, precision: Precision, more: dict[str, str], context: ActionContext
) -> ActionResult:
    """Write a LoRA in kohya's form; alpha is the rank, so that the scale is 1."""
    dtype = FORMATS[precision] or torch.float16
    table: dict[str, Tensor] = {}
    for layer, factors in layers.items():
        is_convolution = factors.down.dim() == 4
        up = factors.up[..., None, None] if is_convolution else factors.up
        table[f"{layer}.lora_up.weight"] = up.to(dtype)
        table[f"{layer}.lora_down.weight"] = factors.down.to(dtype)
        table[f"{layer}.alpha"] = torch.tensor(float(len(factors.down)), dtype=dtype)
    rank = max(len(factors.down) for factors in layers.values())
    facts = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(rank),
        "ss_output_name": path.stem,
        **more,
    }
    entries = TensorEntry.all_of(table)
    pieces: Callable[[str], list[Tensor]] = lambda name: [table[name]]  # noqa: E731
    write_safetensors(path, entries, facts, pieces, lambda done, name: _tick(context, done, len(entries), "writing"))
    return ActionResult(
        text=f"Made {path.name}: {len(layers)} layers of rank up to {rank}.", files=(path,), data={"name": path.name}
    )
