"""Peak memory of merging SDXL-size checkpoints: `python -m benchmarks.merging [--cache FOLDER]`. Deletes its files.

The sources are sparse files: full-size headers, weights of zeros that take no place on the disk. The merged files are
real, 6.9 GB each. Every merge runs in a process of its own, whose peak the system reports (`ru_maxrss`).
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from benchmarks.children import answer, measure
from benchmarks.models import FULL, text, vae
from webui.extension_api import ActionContext
from webui.library.layout import Layout, unet_layout, vae_layout
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES

TARGET_MIB = 2048
TIMEOUT_SECONDS = 3600  # a case writes up to 14 GB
BYTES = 2  # fp16
CASES = ("weighted_sum", "weighted_sum fp32", "ties", "compare")
Shapes = Iterator[tuple[str, tuple[int, ...]]]


class Unhashed(LibraryModels):
    """Models whose files are not hashed, which would take a minute for every 10 GB, once for each file."""

    def sha256(self, kind: str, name: str) -> str:
        return "0" * 64


def main() -> None:
    """Make the files, run each case, print what it took."""
    parser = argparse.ArgumentParser(description="Measure the peak memory of merging SDXL-size checkpoints.")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "webui-merging")
    parser.add_argument("--case", choices=CASES, help="run this one alone, in this process")
    given = parser.parse_args()
    if given.case:
        answer(_run(given.case, given.cache))
        return
    try:
        size = _sources(given.cache)
        print(f"three sources of {size / 1e9:.2f} GB, fp16; target: under {TARGET_MIB} MiB")
        for case in CASES:
            made = measure("benchmarks.merging", "--cache", given.cache, "--case", case, timeout=TIMEOUT_SECONDS)
            print(
                f"{case:20} peak {made['peak']:5.0f} MiB ({made['start']:.0f} MiB before), {made['seconds']:.0f} s",
                flush=True,
            )
    finally:
        shutil.rmtree(given.cache, ignore_errors=True)


def _run(case: str, cache: Path) -> dict[str, float]:
    """One merge or comparison; MiB and seconds."""
    from extensions.checkpoint_merge.heatmap import compare
    from extensions.checkpoint_merge.merging import merge
    from extensions.checkpoint_merge.options import CompareOptions, MergeOptions

    torch.set_num_threads(1)
    models = Unhashed(ModelLibrary(cache / "models", cache / "data", FAMILIES))
    context = ActionContext(models, lambda done, total, note: None, lambda: False, torch.device("cpu"), torch.float32)
    start, began = _peak(), time.monotonic()
    if case == "compare":
        compare(CompareOptions(a="a", b="b"), context)
    else:
        method, _, precision = case.partition(" ")
        values = {"a": "a", "b": "b", "c": "c", "method": method, "precision": precision or "keep", "name": "merged"}
        result = merge(MergeOptions.model_validate(values), context)
        for path in result.files:
            path.unlink()
    return {"peak": _peak(), "start": start, "seconds": time.monotonic() - began}


def _peak() -> float:
    """The peak memory of this process, MiB."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (2**20 if sys.platform == "darwin" else 2**10)


def _sources(cache: Path) -> int:
    """Write the sparse sources; the size of one in bytes."""
    folder = cache / "models" / "Stable-diffusion"
    folder.mkdir(parents=True, exist_ok=True)
    table, at = {}, 0
    for name, shape in _shapes():
        count = torch.Size(shape).numel()
        table[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + BYTES * count]}
        at += BYTES * count
    header = json.dumps(table).encode()
    header += b" " * (-len(header) % 8)
    for name in "abc":
        with (folder / f"{name}.safetensors").open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + at)
    return 8 + len(header) + at


def _shapes() -> Shapes:
    """The tensors of an SDXL base checkpoint."""
    yield from _as_ldm(_unet(), unet_layout([2, 2, 2], [False, True, True]), "model.diffusion_model.")
    yield from _as_ldm(vae(FULL), vae_layout([2] * 4, [3] * 4), "first_stage_model.")
    for name, parameter in text(FULL).named_parameters():
        rest = name.removeprefix("text_model.")
        yield f"conditioner.embedders.0.transformer.text_model.{rest}", tuple(parameter.shape)
    for name, shape in _open_clip(width=1280, layers=32):
        yield f"conditioner.embedders.1.model.{name}", shape


def _unet() -> UNet2DConditionModel:
    with torch.device("meta"):
        module: UNet2DConditionModel = UNet2DConditionModel(
            cross_attention_dim=2048,
            attention_head_dim=(5, 10, 20),
            use_linear_projection=True,
            block_out_channels=(320, 640, 1280),
            transformer_layers_per_block=(1, 2, 10),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            class_embed_type="projection",
            projection_class_embeddings_input_dim=2816,
        )
    return module


def _open_clip(width: int, layers: int) -> Shapes:
    yield "token_embedding.weight", (49408, width)
    yield "positional_embedding", (77, width)
    yield "text_projection", (width, width)
    yield "logit_scale", ()
    for name in ("ln_final", *(f"transformer.resblocks.{i}.ln_{n}" for i in range(layers) for n in (1, 2))):
        yield f"{name}.weight", (width,)
        yield f"{name}.bias", (width,)
    for i in range(layers):
        block = f"transformer.resblocks.{i}."
        yield f"{block}attn.in_proj_weight", (3 * width, width)
        yield f"{block}attn.in_proj_bias", (3 * width,)
        for name, shape in (
            ("attn.out_proj", (width, width)),
            ("mlp.c_fc", (4 * width, width)),
            ("mlp.c_proj", (width, 4 * width)),
        ):
            yield f"{block}{name}.weight", shape
            yield f"{block}{name}.bias", shape[:1]


def _as_ldm(module: UNet2DConditionModel | AutoencoderKL, layout: Layout, prefix: str) -> Shapes:
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        ldm = layout.to_ldm(name)
        if ldm is None:
            raise ValueError(f"{name} has no name in checkpoints")
        is_attention = ".mid.attn_1." in ldm and len(shape) == 2  # stored as 1x1 convolutions
        yield prefix + ldm, (*shape, 1, 1) if is_attention else shape


if __name__ == "__main__":
    main()
