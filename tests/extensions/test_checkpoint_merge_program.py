"""The merger in the program: it loads, its forms are declared, recipes are generated from, models are compared."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from extensions.checkpoint_merge.distance import ALL
from extensions.checkpoint_merge.heatmap import compare, draw
from extensions.checkpoint_merge.merging import merge
from extensions.checkpoint_merge.options import CompareOptions, MergeOptions
from extensions.checkpoint_merge.plugin import dialect
from tests.exact_back import exact_back
from tests.extensions.merging import UNET, Folder, checkpoint
from tests.narrowing import untyped
from tests.processing.reporters import Silent
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.extension_api import BadRequestError, Cancelled, WebuiError
from webui.output.parse import parse, read_fields
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler", steps=2, seed=5, width=64, height=64
)


def test_it_loads_and_its_forms_are_declared(back: Back) -> None:
    info = next(one for one in back.extensions() if one.name == "checkpoint_merge")
    names = ["merge", "merge_loras", "extract_lora", "compare", "read_recipe", "blocks"]
    assert [action.name for action in info.actions] == names
    for action in info.actions:
        assert json.dumps(action.schema)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_models_dir: Path) -> Folder:
    """The tiny checkpoint, a relative of it, one of another size, and a LoRA."""
    folder = Folder(tmp_path_factory.mktemp("try"))
    for file in ("Stable-diffusion/tiny-sd1.safetensors", "Lora/tiny-lora.safetensors"):
        shutil.copyfile(tiny_models_dir / file, folder.models_dir / file)
    torch.manual_seed(6)
    base = folder.get("Stable-diffusion/tiny-sd1")
    relative = {name: tensor + 0.3 * deviation(tensor) * torch.randn(tensor.shape) for name, tensor in base.items()}
    folder.put("Stable-diffusion/relative", {name: tensor.half() for name, tensor in relative.items()})
    folder.put("Stable-diffusion/other", checkpoint(1))
    return folder


def deviation(tensor: torch.Tensor) -> float:
    return float(tensor.float().std()) if tensor.numel() > 1 else 0.0


@pytest.fixture(scope="module")
def back(folder: Folder) -> Back:
    return exact_back(models_dir=folder.models_dir, data_dir=folder.root / "data", extensions_dir=ROOT / "extensions")


def picture(back: Back, **changes: object) -> np.ndarray:
    result = back.run(REQUEST.with_(**changes), Silent())
    assert not result.notices
    return np.asarray(result.images[0].image).astype(int)


def test_a_recipe_gives_the_picture_of_its_merge_and_leaves_no_trace(back: Back, folder: Folder) -> None:
    recipe = {"b": "relative", "method": "weighted_sum", "alpha": 0.6, "alpha_blocks": "COSINE", "loras": "tiny-lora"}
    merge(MergeOptions(a="tiny-sd1", precision="fp32", name="saved", **recipe), folder.context())
    before = picture(back)
    files = folder.files()
    tried = picture(back, extensions={"checkpoint_merge": recipe})
    assert np.array_equal(tried, picture(back, extensions={"checkpoint_merge": recipe}))
    assert folder.files() == files
    assert np.array_equal(picture(back), before)
    saved = picture(back, checkpoint="saved")
    assert np.abs(tried - saved).max() <= 1
    assert np.abs(tried - before).max() > 8
    elsewhere = {"a": "tiny-sd1", **recipe}  # A of the recipe is loaded, whatever the request names
    assert np.array_equal(picture(back, checkpoint="saved", extensions={"checkpoint_merge": elsewhere}), tried)


def test_a_picture_of_a_recipe_says_what_was_merged(back: Back) -> None:
    recipe = {"b": "relative", "method": "weighted_sum", "alpha": 0.6, "loras": "tiny-lora"}
    text = back.run(REQUEST.with_(extensions={"checkpoint_merge": recipe}), Silent()).images[0].infotext
    fields = parse(text)
    assert fields["Model"] == "0.4(tiny-sd1) + 0.6(relative) + tiny-lora"
    assert "Model hash" not in fields
    info = ExtensionInfo("checkpoint_merge", "checkpoint_merge", dialect=dialect())
    again = read_fields(fields, [info]).request.extensions["checkpoint_merge"]
    assert again["a"] == "tiny-sd1.safetensors"
    asked = {"checkpoint_merge": again}
    assert np.array_equal(picture(back, extensions=asked), picture(back, extensions={"checkpoint_merge": recipe}))


def test_merges_are_values_of_one_option_and_need_no_files(back: Back, folder: Folder) -> None:
    """What a plot over merges varies: `checkpoint_merge.alpha`, or `checkpoint_merge.formula` for whole merges."""
    before = folder.files()
    recipe = {"b": "relative", "method": "weighted_sum"}
    by_alpha = [picture(back, extensions={"checkpoint_merge": {**recipe, "alpha": alpha}}) for alpha in (0, 0.5)]
    lines = ("1.0(tiny-sd1) + 0.0(relative)", "0.5(tiny-sd1) + 0.5(relative)")
    by_line = [picture(back, extensions={"checkpoint_merge": {"formula": line}}) for line in lines]
    assert np.array_equal(by_alpha[0], picture(back))
    assert not np.array_equal(by_alpha[0], by_alpha[1])
    for one, other in zip(by_alpha, by_line, strict=True):
        assert np.array_equal(one, other)
    assert folder.files() == before


def test_units_in_another_order_make_the_same_picture(back: Back, folder: Folder) -> None:
    base = folder.get("Stable-diffusion/tiny-sd1")
    torch.manual_seed(7)
    drawn = {name: deviation(one) * torch.randn(one.shape) for name, one in base.items() if one.dim() > 1}
    folder.put("Stable-diffusion/stranger", base | {name: one.to(base[name].dtype) for name, one in drawn.items()})
    recipe = {"b": "stranger", "method": "weighted_sum"}
    plain, ordered = (
        [picture(back, extensions={"checkpoint_merge": {**recipe, "alpha": alpha, "rebasin": rebasin}})
         for alpha in (1, 0.5)]
        for rebasin in (False, True)
    )  # fmt: skip
    assert np.abs(plain[0] - ordered[0]).max() <= 1
    assert np.abs(plain[1] - ordered[1]).max() > 1


def test_a_recipe_that_fails_leaves_the_model_as_it_was(back: Back) -> None:
    before = picture(back)
    faults = {
        "no 'nowhere' in": {"b": "nowhere", "method": "weighted_sum"},
        r"^extensions\.checkpoint_merge\.b: tensor .* other\.safetensors .* tiny-sd1\.safetensors": {
            "b": "other", "method": "weighted_sum",
        },
        "no 'missing' in": {"loras": "tiny-lora:4, missing"},
    }  # fmt: skip
    for message, recipe in faults.items():
        with pytest.raises(WebuiError, match=message):
            picture(back, extensions={"checkpoint_merge": recipe})
    assert np.array_equal(picture(back), before)
    with pytest.raises(BadRequestError, match=r"extensions\.checkpoint_merge"):
        picture(back, extensions={"checkpoint_merge": {"method": "weighted_sum"}})


def test_the_heat_map_shows_where_models_differ(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    a = folder.put("Stable-diffusion/a", checkpoint(1))
    changed = f"{UNET}output_blocks.3.0.in_layers.2.weight"
    folder.put("Stable-diffusion/b", {**a, changed: 1.5 * a[changed]})
    result = compare(CompareOptions(a="a", b="b"), folder.context())
    table = untyped(result.data)
    assert list(table) == ["text", *(f"IN{i:02}" for i in range(12)), "M00", *(f"OUT{i:02}" for i in range(12)), "VAE"]
    block = [a[name].double() for name in a if name.startswith(f"{UNET}output_blocks.3.")]
    wanted = 0.5 * float(a[changed].double().norm()) / sum(float(one.square().sum()) for one in block) ** 0.5
    assert table["OUT03"][ALL] == pytest.approx(wanted, rel=1e-6)
    assert {row for row in table if table[row][ALL]} == {"OUT03"}
    picture = result.images[0]
    assert isinstance(picture, Image.Image)
    colours = {picture.getpixel((70, 62 + 20 * i + 15)) for i in range(len(table))}
    assert len(colours) == 2  # one row stands out
    with pytest.raises(Cancelled):
        compare(CompareOptions(a="a", b="b"), folder.context(lambda: True))


def test_an_empty_table_can_be_drawn() -> None:
    from extensions.checkpoint_merge.distance import Distances

    assert draw(Distances((), {}, ()), "x" * 500).width > 0
