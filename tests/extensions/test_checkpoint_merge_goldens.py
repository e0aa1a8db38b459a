"""Merges that A1111's merger and SuperMerger made, made again: type, shape, sums and some numbers of every tensor."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from extensions.checkpoint_merge.merging import merge
from extensions.checkpoint_merge.options import MergeOptions
from tests.extensions.merging import Folder
from tests.reference import folders_of, over_files

METHODS = {
    "Weighted sum": "weighted_sum",
    "Add difference": "add_difference",
    "No interpolation": "copy",
    "Weight sum": "weighted_sum",
}


@pytest.fixture(scope="module")
def folder(
    reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Folder:
    """The models of the cases, and the two that a script beside further ones makes."""
    folder = Folder(tmp_path_factory.mktemp("goldens"))
    places = [f"Stable-diffusion/tiny-{name}.{end}" for name in ("sd1", "inpaint") for end in ("safetensors", "yaml")]
    for place in (*places, "VAE/tiny-vae.safetensors"):
        (folder.models_dir / place).symlink_to(reference_models_dir / place)
    target = folder.models_dir / "Stable-diffusion"
    for script in (one / "merge" / "merge_inputs.py" for one in folders_of(request.config)):
        if script.is_file():
            command = [sys.executable, str(script), str(target / "tiny-sd1.safetensors"), str(target)]
            subprocess.run(command, check=True, capture_output=True)
    return folder


def options_of(case: dict[str, Any]) -> MergeOptions:
    """What the user of the other merger chose, chosen here."""
    args = case["args"]
    if "weights_alpha" in args:  # SuperMerger: computes in float32, adds what only B has
        return MergeOptions(
            a=args["model_a"], b=args["model_b"], c=args["model_c"], method=METHODS[args["mode"]], name="merged",
            alpha_blocks=args["weights_alpha"], elements=args["deep"], arithmetic="as_a", only_in_b="take",
            missing="keep",
        )  # fmt: skip
    names = [args[f"{place}_model_name"] or "" for place in ("primary", "secondary", "tertiary")]
    return MergeOptions(
        a=names[0], b=names[1], c=names[2], method=METHODS[args["interp_method"]], alpha=args["multiplier"],
        vae="" if args["bake_in_vae"] == "None" else args["bake_in_vae"], arithmetic="stored", missing="keep",
        precision="fp16" if args["save_as_half"] else "keep", name="merged",
    )  # fmt: skip


@over_files("merge/*.json.gz")
def test_the_merge_is_theirs(file: Path, folder: Folder) -> None:
    with gzip.open(file) as opened:
        about = json.load(opened)
    result = merge(options_of(about), folder.context())
    try:
        tensors = load_file(result.files[0])
    finally:
        for made in (result.files[0], result.files[0].with_suffix(".yaml")):
            made.unlink()
    assert tensors.keys() == about["tensors"].keys()
    for name, (kind, shape, total, absolute, some) in about["tensors"].items():
        assert (str(tensors[name].dtype), list(tensors[name].shape)) == (kind, shape), name
        numbers = tensors[name].astype(np.float64).reshape(-1)
        assert abs(numbers.sum() - total) <= 1e-6 * absolute + 1e-9, name
        assert abs(np.abs(numbers).sum() - absolute) <= 1e-6 * absolute + 1e-9, name
        places = [0, len(numbers) // 3, 2 * len(numbers) // 3, len(numbers) - 1]
        for number, wanted in zip(numbers[places] if len(numbers) else (), some, strict=True):
            rounding = float(np.spacing(np.float16(abs(wanted)))) * 1.01 if kind == "float16" else 0.0
            assert abs(number - wanted) <= max(rounding, 1e-6 * abs(wanted) + 1e-12), name
