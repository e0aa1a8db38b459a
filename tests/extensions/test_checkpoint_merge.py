"""Merging checkpoints: each method, preset and precision equals its formula; files stay whole whatever happens."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from extensions.checkpoint_merge import formulas
from extensions.checkpoint_merge.blocks import BASE, PRESETS, Blocks, block_weights, columns
from extensions.checkpoint_merge.merging import merge, merged, read
from extensions.checkpoint_merge.options import MergeOptions, ReadOptions, Recipe, TryOptions
from tests.extensions.merging import TEXT, UNET, VAE, Folder, checkpoint, is_merged, largest_error
from tests.library.small import small_vae
from tests.narrowing import untyped
from webui.extension_api import BadRequestError, Cancelled, NotFiniteError, UnusableFileError, WebuiError
from webui.library.headers import read_header

SD = "Stable-diffusion"
LABELS = (*(f"IN{i:02}" for i in range(12)), "M00", *(f"OUT{i:02}" for i in range(12)))
Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def trio() -> tuple[Tensors, Tensors, Tensors]:
    return checkpoint(1), checkpoint(2), checkpoint(3)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, trio: tuple[Tensors, Tensors, Tensors]) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("shared"))
    for name, tensors in zip("abc", trio, strict=True):
        folder.put(f"{SD}/{name}", tensors)
    return folder


@pytest.fixture
def folder(tmp_path: Path, shared: Folder) -> Folder:
    """A folder with a, b and c that a test may write into and damage."""
    folder = Folder(tmp_path)
    for name in "abc":
        shutil.copyfile(shared.models_dir / SD / f"{name}.safetensors", folder.models_dir / SD / f"{name}.safetensors")
    return folder


def in_memory(recipe: Recipe, folder: Folder) -> Tensors:
    """The merged tensors without a file."""
    with merged(recipe, folder.context().models) as (result, _):
        return {name: result.read(name) for name in result.names()}


def label(name: str) -> str:
    """The block of a tensor, told apart here by other means than in the extension."""
    if not name.startswith(UNET):
        return BASE
    first, *rest = name.removeprefix(UNET).split(".")
    return {
        "input_blocks": f"IN{int(rest[0]):02}" if rest[0].isdigit() else "",
        "output_blocks": f"OUT{int(rest[0]):02}" if rest[0].isdigit() else "",
        "middle_block": "M00",
        "time_embed": "IN00",
        "out": "OUT11",
    }[first]


def reference(trio: tuple[Tensors, Tensors, Tensors], formula: Callable[..., Tensor]) -> Tensors:
    """`formula(name, a, b, c)` in double precision where weights merge, A's tensor elsewhere."""
    a, b, c = trio
    return {
        name: formula(name, a[name].double(), b[name].double(), c[name].double()) if is_merged(name) else a[name]
        for name in a
    }


def ties_by_hand(a: Tensor, b: Tensor, c: Tensor, scale: float, density: float) -> Tensor:
    tasks = []
    for one in (a, b):
        task = (one - c).flatten()
        kept = task.abs().argsort(descending=True)[: round(density * len(task))]
        trimmed = torch.zeros_like(task)
        trimmed[kept] = task[kept]
        tasks.append(trimmed)
    both = torch.stack(tasks)
    sign = both.sum(dim=0).sign()
    agree = (both.sign() == sign) & (both != 0)
    mean = (both * agree).sum(dim=0) / agree.sum(dim=0).clamp(min=1)
    return c + scale * mean.reshape(c.shape)


FORMULAS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "weighted_sum": lambda a, b, c: 0.7 * a + 0.3 * b,
    "add_difference": lambda a, b, c: a + 0.3 * (b - c),
    "triple_sum": lambda a, b, c: 0.5 * a + 0.3 * b + 0.2 * c,
    "sum_twice": lambda a, b, c: 0.8 * (0.7 * a + 0.3 * b) + 0.2 * c,
    "train_difference": lambda a, b, c: (
        a + 1.8 * 0.3 * (b - c).sign() * (b - a).abs() / ((b - c).abs() + (b - a).abs()) * (b - c).abs()
    ),
    "ties": lambda a, b, c: ties_by_hand(a, b, c, 0.3, 0.25),
    "copy": lambda a, b, c: a,
}


@pytest.mark.parametrize("method", FORMULAS)
def test_each_method_is_its_formula(method: str, shared: Folder, trio: tuple[Tensors, Tensors, Tensors]) -> None:
    recipe = Recipe(a="a", b="b", c="c", method=method, alpha=0.3, beta=0.2, density=0.25)
    wanted = reference(trio, lambda name, a, b, c: FORMULAS[method](a, b, c))
    assert largest_error(in_memory(recipe, shared), wanted) < 1e-6


def test_dare_keeps_a_share_and_scales_it_up(folder: Folder, trio: tuple[Tensors, Tensors, Tensors]) -> None:
    options = MergeOptions(a="a", b="c", c="c", method="dare", alpha=0.5, density=0.25, seed=7, name="out")
    merge(options, folder.context())
    got, (a, _, c) = folder.merged(), trio
    name = f"{UNET}input_blocks.1.0.in_layers.2.weight"
    share = (got[name] - c[name]) / (a[name] - c[name])
    kept = share.abs() > 0.5
    assert float((share[kept] - 0.5 / 0.25).abs().max()) < 1e-2
    assert float(share[~kept].abs().max()) < 1e-3
    assert 0.2 < float(kept.float().mean()) < 0.3
    merge(options.model_copy(update={"name": "again"}), folder.context())
    assert largest_error(folder.merged("again"), got) == 0


def test_dare_in_pieces_is_dare_of_the_whole() -> None:
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 1000)
    keeps = [formulas.KeepSource(1, "x", model, 0.3)(1000) for model in "ab"]
    whole = c + 0.8 / 0.3 * ((a - c) * keeps[0] + (b - c) * keeps[1])
    sources = [formulas.KeepSource(1, "x", model, 0.3) for model in "ab"]
    pieces = [
        formulas.dare(part_a, part_b, part_c, 0.8, (sources[0](250), sources[1](250)), 0.3)
        for part_a, part_b, part_c in zip(a.split(250), b.split(250), c.split(250), strict=True)
    ]
    torch.testing.assert_close(torch.cat(pieces), whole)


def preset_by_hand(name: str, i: int) -> float:
    """Presets as the community describes them, value by value."""
    u = i / 24
    return {
        "GRAD_V": abs(1 - i / 12),
        "GRAD_A": 1 - abs(1 - i / 12),
        "FLAT_25": 0.25,
        "FLAT_75": 0.75,
        "WRAP08": float(i < 4 or i >= 21),
        "WRAP12": float(i < 6 or i >= 19),
        "WRAP14": float(i < 7 or i >= 18),
        "WRAP16": float(i < 8 or i >= 17),
        "MID12_50": 0.5 * (5 <= i <= 18),
        "OUT07": float(i >= 18),
        "OUT12": float(i >= 13),
        "OUT12_5": 0.5 if i == 12 else float(i >= 13),
        "SMOOTHSTEP": 3 * u**2 - 2 * u**3,
        "REVERSE_SMOOTHSTEP": 1 - 3 * u**2 + 2 * u**3,
        "COSINE": 0.5 * (1 + math.cos(math.pi * u)),
        "REVERSE_COSINE": 0.5 * (1 - math.cos(math.pi * u)),
    }[name]


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_its_formula(preset: str) -> None:
    table = block_weights("alpha_blocks", preset, 0.15, 0.5, Blocks(12)).by_label
    assert table == pytest.approx({BASE: 0.15, **{one: preset_by_hand(preset, i) for i, one in enumerate(LABELS)}})


def test_each_block_has_its_weight(shared: Folder, trio: tuple[Tensors, Tensors, Tensors]) -> None:
    weights = {BASE: 0.15, **{one: preset_by_hand("COSINE", i) for i, one in enumerate(LABELS)}}
    assert len(set(weights.values())) == len(weights)

    def formula(name: str, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        weight = weights[label(name)]
        return (1 - weight) * a + weight * b

    recipe = Recipe(a="a", b="b", alpha_blocks="COSINE", alpha_base=0.15)
    assert largest_error(in_memory(recipe, shared), reference(trio, formula)) < 1e-6


def test_only_out_blocks_change_only_those(folder: Folder, trio: tuple[Tensors, Tensors, Tensors]) -> None:
    numbers = ",".join(["0"] * 13 + ["0.5"] * 12)
    merge(MergeOptions(a="a", b="b", alpha_blocks=numbers, alpha_base=0, name="out"), folder.context())
    got, a = folder.merged(), trio[0]
    changed = {name for name in a if not torch.equal(got[name], a[name])}
    assert changed == {name for name in a if name.startswith((f"{UNET}output_blocks.", f"{UNET}out."))}


def test_presets_are_stretched_over_the_blocks_of_sdxl() -> None:
    names = [f"{UNET}input_blocks.{i}.0.weight" for i in range(9)]
    blocks = Blocks.of(names)
    assert blocks.labels == (*(f"IN0{i}" for i in range(9)), "M00", *(f"OUT0{i}" for i in range(9)))
    table = block_weights("alpha_blocks", "grad_v", None, 0.5, blocks).by_label
    assert table[BASE] == 0.5
    assert [table[one] for one in blocks.labels] == pytest.approx([abs(1 - i / 9) for i in range(19)])
    assert blocks.label(f"{UNET}label_emb.0.0.weight") == "IN00"
    assert blocks.label(f"{UNET}out.2.weight") == "OUT08"


def test_one_number_more_is_the_base_and_another_count_is_refused() -> None:
    blocks = Blocks(12)
    text = ",".join(str(i / 100) for i in range(26))
    table = block_weights("alpha_blocks", text, None, 0.5, blocks).by_label
    assert (table[BASE], table["IN00"], table["M00"], table["OUT11"]) == (0, 0.01, 0.13, 0.25)
    for wrong in ("1,2", "sinus", "nan," * 24 + "0"):
        with pytest.raises(BadRequestError, match="alpha_blocks"):
            block_weights("alpha_blocks", wrong, None, 0.5, blocks)


def test_the_file_holds_what_is_read_in_memory(folder: Folder) -> None:
    options = MergeOptions(a="a", b="b", alpha_blocks="COSINE", name="out")
    merge(options, folder.context())
    assert largest_error(folder.merged(), in_memory(options, folder)) == 0


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_precision(precision: str, dtype: torch.dtype, folder: Folder, trio: tuple[Tensors, Tensors, Tensors]) -> None:
    merge(MergeOptions(a="a", b="b", alpha=0.5, precision=precision, name="out"), folder.context())
    got, (a, b, _) = folder.merged(), trio
    for name, tensor in got.items():
        wanted = (0.5 * a[name] + 0.5 * b[name]).to(dtype) if is_merged(name) else a[name]
        assert tensor.dtype == wanted.dtype
        assert torch.equal(tensor, wanted)


def test_an_overflow_is_an_error_that_names_the_tensor_and_leaves_nothing(folder: Folder) -> None:
    before = folder.files()
    with pytest.raises(NotFiniteError, match=r"tensor .*model.*float16"):
        merge(MergeOptions(a="a", b="b", alpha=4, alpha_blocks="4," * 24 + "4", precision="fp16", name="out"),
              _huge(folder).context())  # fmt: skip
    assert folder.files() == before | {f"{SD}/b.safetensors"}


def _huge(folder: Folder) -> Folder:
    folder.put(f"{SD}/b", {name: value * (1e5 if is_merged(name) else 1) for name, value in checkpoint(2).items()})
    return folder


def test_a_vae_is_baked_in_after_the_merge(folder: Folder, trio: tuple[Tensors, Tensors, Tensors]) -> None:
    torch.manual_seed(9)
    vae = folder.put("VAE/other", {name: torch.randn_like(value) for name, value in small_vae().items()})
    merge(MergeOptions(a="a", b="b", alpha=0.5, vae="other", name="out"), folder.context())
    got = folder.merged()
    assert all(torch.equal(got[VAE + name], value) for name, value in vae.items())
    name = f"{UNET}middle_block.0.in_layers.2.weight"
    torch.testing.assert_close(got[name], 0.5 * (trio[0][name] + trio[1][name]))


def test_an_inpainting_model_merges_its_image_channels(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    a = folder.put(f"{SD}/painter", checkpoint(1, in_channels=9))
    b = folder.put(f"{SD}/plain", checkpoint(2))
    context = folder.context()
    result = merge(MergeOptions(a="painter", b="plain", alpha=0.5), context)
    assert result.data == {"name": "0.5(painter) + 0.5(plain).inpainting.safetensors"}
    name = f"{UNET}input_blocks.0.0.weight"
    got = folder.merged("0.5(painter) + 0.5(plain).inpainting")[name]
    assert torch.equal(got[:, 4:], a[name][:, 4:])
    torch.testing.assert_close(got[:, :4], 0.5 * (a[name][:, :4] + b[name]))
    with pytest.raises(BadRequestError, match=r"painter\.safetensors.*plain\.safetensors.*place of A"):
        merge(MergeOptions(a="plain", b="painter", name="x"), context)


def test_the_recipe_comes_back_as_options(folder: Folder) -> None:
    options = MergeOptions(
        a="a", b="b", c="c", method="add_difference", alpha=0.25, alpha_blocks="GRAD_V", alpha_base=0.1,
        precision="fp16", discard="alphas*", name="out", seed=3,
    )  # fmt: skip
    merge(options, folder.context())
    header = read_header(folder.models_dir / SD / "out.safetensors")
    assert "alphas_cumprod" not in header.tensors
    assert header.metadata["format"] == "pt"
    parents = json.loads(header.metadata["sd_merge_models"])
    assert {one["name"] for one in parents.values()} == {"a", "b", "c"}
    result = read(ReadOptions(file="out"), folder.context())
    assert MergeOptions.model_validate(result.data) == options
    merge(MergeOptions.model_validate({**untyped(result.data), "name": "again"}), folder.context())
    assert largest_error(folder.merged("again"), folder.merged()) == 0
    merge(MergeOptions(a="out", b="b", name="child"), folder.context())
    known = json.loads(read_header(folder.models_dir / SD / "child.safetensors").metadata["sd_merge_models"])
    assert known.keys() > parents.keys()
    with pytest.raises(UnusableFileError, match="has no recipe"):
        read(ReadOptions(file="a"), folder.context())


def test_a_file_of_that_name_is_never_replaced(folder: Folder) -> None:
    before = (folder.models_dir / SD / "c.safetensors").read_bytes()
    with pytest.raises(WebuiError, match="already"):
        merge(MergeOptions(a="a", b="b", name="c"), folder.context())
    assert (folder.models_dir / SD / "c.safetensors").read_bytes() == before
    (folder.models_dir / SD / "out.yaml").write_text("model: {}")
    with pytest.raises(BadRequestError, match=r"out\.yaml is there already"):
        merge(MergeOptions(a="a", b="b", name="out"), folder.context())


def test_a_name_that_is_taken_meanwhile_is_not_replaced(folder: Folder) -> None:
    path = folder.models_dir / SD / "out.safetensors"
    with pytest.raises(WebuiError, match="already; choose another name"):
        merge(
            MergeOptions(a="a", b="b", name="out"),
            folder.context(progress=lambda *_: untyped(path.is_file() or path.write_bytes(b"theirs"))),
        )
    assert path.read_bytes() == b"theirs"
    assert not [name for name in folder.files() if name.endswith(".part")]


def test_cancelled_leaves_nothing(folder: Folder) -> None:
    before, seen = folder.files(), []

    def progress(done: int, total: int, text: str) -> None:
        seen.append(done)

    with pytest.raises(Cancelled):
        merge(MergeOptions(a="a", b="b", name="out"), folder.context(lambda: len(seen) > 50, progress))
    assert seen == sorted(seen)
    assert folder.files() == before


def test_a_truncated_file_is_refused(folder: Folder) -> None:
    path = folder.models_dir / SD / "b.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    before = folder.files()
    with pytest.raises(UnusableFileError, match=r"b\.safetensors: truncated"):
        merge(MergeOptions(a="a", b="b", name="out"), folder.context())
    assert folder.files() == before


def test_a_file_that_shrinks_during_the_merge_is_an_error(folder: Folder) -> None:
    path, before = folder.models_dir / SD / "b.safetensors", folder.files()

    def progress(done: int, total: int, text: str) -> None:
        if done == 10:
            with path.open("r+b") as file:
                file.truncate(1000)

    with pytest.raises(UnusableFileError, match=r"b\.safetensors: ends inside tensor"):
        merge(MergeOptions(a="a", b="b", name="out"), folder.context(progress=progress))
    assert folder.files() == before


def test_what_does_not_belong_together_is_refused_with_both_names(folder: Folder) -> None:
    other = checkpoint(4)
    name = f"{TEXT}final_layer_norm.weight"
    folder.put(f"{SD}/odd", {**other, name: torch.zeros(3)})
    with pytest.raises(BadRequestError, match=rf"{name}.*odd\.safetensors.*a\.safetensors"):
        merge(MergeOptions(a="a", b="odd", name="out"), folder.context())
    del other[f"{UNET}out.2.bias"]
    folder.put(f"{SD}/lacking", other)
    with pytest.raises(BadRequestError, match=r"lacking\.safetensors lacks .*out\.2\.bias.*a\.safetensors"):
        merge(MergeOptions(a="a", b="lacking", name="out"), folder.context())
    result = merge(MergeOptions(a="a", b="lacking", missing="keep", name="out"), folder.context())
    assert "out.2.bias kept from A" in result.text
    sd2 = {name.replace(TEXT, "cond_stage_model.model."): value for name, value in checkpoint(5).items()}
    folder.put(f"{SD}/second", sd2)
    with pytest.raises(BadRequestError, match=r"second\.safetensors is of the family sd2, a\.safetensors of sd1"):
        merge(MergeOptions(a="a", b="second", name="out2"), folder.context())


def test_a_recipe_must_name_its_models() -> None:
    with pytest.raises(ValidationError, match="needs a checkpoint C"):
        MergeOptions(a="a", b="b", method="ties")
    with pytest.raises(ValidationError, match="needs a checkpoint B"):
        MergeOptions(a="a")
    assert TryOptions().method == "copy"


@pytest.mark.parametrize(("levels", "count"), [([2, 2, 2, 2], 25), ([2, 2, 2], 19), ([1, 1], 9)])
def test_the_columns_of_a_form_are_the_blocks_of_the_unet(levels: list[int], count: int) -> None:
    told: Any = columns(levels)
    assert len(told["labels"]) == len(told["depths"]) == count
    assert told["depths"] == told["depths"][::-1]
    assert max(told["depths"]) == told["depths"][count // 2] == len(levels) - 1
    assert {len(numbers) for numbers in told["presets"].values()} == {count}
    weights = block_weights("alpha_blocks", "GRAD_V", None, 0.3, Blocks(count // 2))
    assert told["presets"]["GRAD_V"] == [round(weights.by_label[label], 4) for label in told["labels"]]
