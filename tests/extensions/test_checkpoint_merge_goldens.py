"""Merges that A1111's merger and SuperMerger made, made again: their own `check.py` finds no difference."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from extensions.checkpoint_merge.merging import merge
from extensions.checkpoint_merge.options import MergeOptions
from tests.extensions.merging import Folder
from tests.reference import FURTHER, THIRD, each, files

TOOLS = FURTHER / "merge"
# Merges of checkpoints that are too large to stand beside the tests.
CASES = [*files("merge/*.json.gz"), *sorted(THIRD.glob("merge/*.json.gz"))]
METHODS = {
    "Weighted sum": "weighted_sum",
    "Add difference": "add_difference",
    "No interpolation": "copy",
    "Weight sum": "weighted_sum",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The goldens' models, and the two that their own script makes."""
    folder = Folder(tmp_path_factory.mktemp("goldens"))
    models = FURTHER / "models"
    target = folder.models_dir / "Stable-diffusion"
    for name in ("tiny-sd1", "tiny-inpaint"):
        for ending in ("safetensors", "yaml"):
            shutil.copyfile(models / "Stable-diffusion" / f"{name}.{ending}", target / f"{name}.{ending}")
    shutil.copyfile(models / "VAE" / "tiny-vae.safetensors", folder.models_dir / "VAE" / "tiny-vae.safetensors")
    source = target / "tiny-sd1.safetensors"
    subprocess.run([sys.executable, TOOLS / "merge_inputs.py", source, target], check=True, capture_output=True)
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


@each(CASES)
def test_the_merge_is_theirs(case: Path, folder: Folder) -> None:
    with gzip.open(case) as file:
        about = json.load(file)
    result = merge(options_of(about), folder.context())
    try:
        done = subprocess.run(
            [sys.executable, TOOLS / "check.py", case, result.files[0]], capture_output=True, text=True, check=False
        )
    finally:
        for made in (result.files[0], result.files[0].with_suffix(".yaml")):
            made.unlink()
    assert done.returncode == 0, done.stdout[-1000:]
