"""Merging as SuperMerger does: parts of blocks, what is merged at all, methods on whole tensors, and Git Re-Basin."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from extensions.checkpoint_merge import whole_formulas
from extensions.checkpoint_merge.merging import merged
from extensions.checkpoint_merge.one_line import fields_of_line
from extensions.checkpoint_merge.options import Recipe, TryOptions
from extensions.checkpoint_merge.rebasin import heads_by_attention
from extensions.checkpoint_merge.units import Units, units_of
from tests.extensions.merging import TEXT, UNET, VAE, Folder, checkpoint, is_merged, largest_error
from webui.extension_api import BadRequestError

SD = "Stable-diffusion"
Tensors = dict[str, Tensor]
ATTENTION = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
TEXT_ATTENTION = f"{TEXT}encoder.layers.0.self_attn.q_proj.weight"
CONVOLUTION = f"{UNET}input_blocks.1.0.in_layers.2.weight"
LATER = f"{UNET}output_blocks.3.0.in_layers.2.weight"


@pytest.fixture(scope="module")
def trio() -> tuple[Tensors, ...]:
    return checkpoint(1), checkpoint(2), checkpoint(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, trio: tuple[Tensors, ...]) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("kinds"))
    for name, tensors in zip("abc", trio, strict=True):
        folder.put(f"{SD}/{name}", tensors)
    return folder


def made(folder: Folder, *names: str, **recipe: Any) -> Tensors:
    """These tensors of a merge of a, b and c; all of them without names."""
    given = {"a": "a", "b": "b", "c": "c", **recipe}
    with merged(Recipe(**given), folder.context().models) as (result, _):
        return {name: result.read(name) for name in names or result.names()}


def share(folder: Folder, trio: tuple[Tensors, ...], name: str, **recipe: Any) -> float:
    """How much of B a weighted sum has in a tensor."""
    a, b, _ = trio
    got = made(folder, name, **recipe)[name]
    return round(float(((got - a[name]) / (b[name] - a[name])).median()), 3)


@pytest.mark.parametrize(
    ("rules", "weights"),
    [
        ("IN01:attn:0.9", (0.9, 0.3, 0.3, 0.3)),
        ("IN00-IN04:attn:0.9, OUT03:in_layers:0", (0.9, 0.3, 0.0, 0.3)),
        ("IN:attn1 in_layers:0.8", (0.8, 0.8, 0.3, 0.3)),
        ("NOT IN:NOT attn:0.8", (0.3, 0.3, 0.8, 0.3)),
        ("NOT BASE::0.8\nIN01::0.1", (0.1, 0.1, 0.8, 0.3)),
        (":attn:0.7", (0.7, 0.3, 0.3, 0.7)),
    ],
)
def test_rules_give_parts_of_blocks_their_own_weight(
    rules: str, weights: tuple[float, ...], folder: Folder, trio: tuple[Tensors, ...]
) -> None:
    names = (ATTENTION, CONVOLUTION, LATER, TEXT_ATTENTION)
    assert tuple(share(folder, trio, name, alpha=0.3, elements=rules) for name in names) == weights


@pytest.mark.parametrize(
    ("lists", "merges"),
    [
        ({"include": "IN00-IN11"}, (True, True, False, False)),
        ({"exclude": "IN00-IN11, BASE"}, (False, False, True, False)),
        ({"include": "attn"}, (True, False, False, True)),
        ({"include": "IN01", "exclude": "attn1"}, (False, True, False, False)),
    ],
)
def test_what_is_included_merges_and_what_is_excluded_stays(
    lists: dict[str, str], merges: tuple[bool, ...], folder: Folder, trio: tuple[Tensors, ...]
) -> None:
    names = (ATTENTION, CONVOLUTION, LATER, TEXT_ATTENTION)
    got = made(folder, *names, **lists)
    assert tuple(not torch.equal(got[name], trio[0][name]) for name in names) == merges


@pytest.mark.parametrize(
    "wrong",
    [{"elements": "IN01:0.5"}, {"elements": "XX:attn:1"}, {"elements": "IN01:attn:nan"}, {"exclude": "IN01-IN99"}],
)
def test_what_cannot_be_read_is_refused(wrong: dict[str, str], folder: Folder) -> None:
    with pytest.raises(BadRequestError):
        made(folder, CONVOLUTION, **wrong)


def test_smooth_add_adds_the_filtered_difference(folder: Folder, trio: tuple[Tensors, ...]) -> None:
    a, b, c = trio
    names = (CONVOLUTION, ATTENTION, f"{UNET}out.2.bias")
    for name, got in made(folder, *names, method="smooth_add", alpha=0.4).items():
        smooth = ndimage.gaussian_filter(ndimage.median_filter((b[name] - c[name]).numpy(), size=3), sigma=1)
        torch.testing.assert_close(got, a[name] + 0.4 * torch.from_numpy(smooth))


@pytest.mark.parametrize(
    ("alpha", "beta", "rows"), [(0.5, 0.25, range(8, 24)), (0.75, 0.5, [*range(8), *range(16, 32)])]
)
def test_tensor_takes_rows_of_b(
    alpha: float, beta: float, rows: list[int], folder: Folder, trio: tuple[Tensors, ...]
) -> None:
    a, b, _ = trio
    for method, axis in (("tensor", 0), ("tensor2", 1)):
        got = made(folder, CONVOLUTION, method=method, alpha=alpha, beta=beta)[CONVOLUTION]
        wanted = a[CONVOLUTION].clone()
        index = torch.tensor(list(rows))
        wanted.index_copy_(axis, index, b[CONVOLUTION].index_select(axis, index))
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("method", ["cosine_a", "cosine_b"])
def test_cosine_keeps_a_where_columns_are_alike(method: str, folder: Folder, trio: tuple[Tensors, ...]) -> None:
    a, b, _ = trio
    got = made(folder, method=method, alpha=0.2)
    vae = next(name for name in a if name.startswith(VAE) and is_merged(name))
    assert torch.equal(got[vae], a[vae])
    one, other = a[CONVOLUTION].numpy(), b[CONVOLUTION].numpy()
    kept = (got[CONVOLUTION].numpy() - other) / (one - other)
    of_columns = np.median(kept, axis=0)
    assert np.abs(kept - of_columns).max() < 1e-2  # one share for each column
    alike = (one * other).sum(0) / np.sqrt((one**2).sum(0) * (other**2).sum(0))
    inside = (of_columns > 1e-3) & (of_columns < 1 - 1e-3)
    assert inside.any()
    assert np.corrcoef(alike[inside], of_columns[inside])[0, 1] > 0.999
    assert made(folder, CONVOLUTION, method=method, alpha=4)[CONVOLUTION].equal(b[CONVOLUTION])


def test_the_similarities_at_either_end_do_not_count() -> None:
    among = whole_formulas.Similarities.of([torch.linspace(0, 1, 1001), torch.tensor([float("nan"), -5.0, 5.0])])
    assert 0.005 < among.low < 0.015
    assert 0.985 < among.high < 0.995


def shuffled(tensors: Tensors, heads: dict[str, int]) -> Tensors:
    """The same network with its hidden units in another order."""
    torch.manual_seed(8)
    result = {name: tensor.clone() for name, tensor in tensors.items()}
    for units in units_of({name: tuple(tensor.shape) for name, tensor in tensors.items()}, heads):
        reorder(result, units)
    return result


def reorder(tensors: Tensors, units: Units) -> None:
    size = units.count // units.groups
    groups = torch.randperm(units.groups)
    for part in units.parts:
        order = torch.cat([int(group) * size + torch.randperm(size) for group in groups])
        for place in part:
            view = tensors[place.tensor].narrow(place.axis, place.start, units.count)
            view.copy_(view.index_select(place.axis, order))


def test_a_network_in_another_order_merges_with_itself(folder: Folder, trio: tuple[Tensors, ...]) -> None:
    a = trio[0]
    heads = heads_by_attention(folder.context().models.spec("a"), a)
    assert set(heads.values()) == {8}
    folder.put(f"{SD}/shuffled", shuffled(a, heads))
    recipe: dict[str, Any] = {"b": "shuffled", "alpha": 0.5}
    assert largest_error(made(folder, **recipe), a) > 0.1
    assert largest_error(made(folder, **recipe, rebasin=True), a) < 1e-6
    assert largest_error(made(folder, method="add_difference", b="b", c="shuffled", rebasin=True, alpha=0), a) == 0


def test_units_may_change_places_without_changing_the_network() -> None:
    """Two convolutions with a group normalisation between them, and a gated feed-forward layer."""
    torch.manual_seed(1)
    first, norm, second = nn.Conv2d(3, 64, 3), nn.GroupNorm(32, 64), nn.Conv2d(64, 5, 3)
    nn.init.normal_(norm.weight)
    wide, narrow = nn.Linear(6, 32), nn.Linear(16, 6)
    layers = {"m.in_layers.2": first, "m.out_layers.0": norm, "m.emb_layers.1": nn.Linear(4, 64),
              "m.out_layers.3": second, "m.ff.net.0.proj": wide, "m.ff.net.2": narrow}  # fmt: skip
    tensors = {f"{name}.{kind}": value.data for name, one in layers.items() for kind, value in one.named_parameters()}
    picture, words = torch.randn(1, 3, 9, 9), torch.randn(2, 6)

    def outputs() -> tuple[Tensor, Tensor]:
        values, gates = wide(words).chunk(2, dim=-1)
        return second(nn.functional.silu(norm(first(picture)))), narrow(values * nn.functional.gelu(gates))

    before, weight = outputs(), first.weight.clone()
    found = list(units_of({name: tuple(tensor.shape) for name, tensor in tensors.items()}, {}))
    assert [(units.count, units.groups) for units in found] == [(64, 32), (16, 1)]
    for units in found:
        reorder(tensors, units)
    assert not torch.equal(first.weight, weight)
    for got, wanted in zip(outputs(), before, strict=True):
        torch.testing.assert_close(got, wanted)


def test_units_whose_layers_are_not_all_there_are_left_alone() -> None:
    assert not list(units_of({"m.mlp.fc1.weight": (8, 4), "x.layers.0.mlp.fc1.weight": (8, 4)}, {}))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("0.7(a model) + 0.3(b (2))", {"method": "weighted_sum", "a": "a model", "b": "b (2)", "alpha": 0.3}),
        ("a-1 + 0.5(b - c)", {"method": "add_difference", "a": "a-1", "b": "b", "c": "c", "alpha": 0.5}),
        (
            "0.5(a) + 0.3(b) + .2(c)",
            {"method": "triple_sum", "a": "a", "b": "b", "c": "c", "alpha": 0.3, "beta": 0.2},
        ),
    ],
)
def test_a_merge_is_written_in_one_line(line: str, fields: dict[str, Any]) -> None:
    assert fields_of_line(line) == fields
    assert TryOptions(formula=line, alpha=0.9).resolved().model_dump(include=set(fields)) == fields


@pytest.mark.parametrize("line", ["a + b", "0.7(a) + 0.7(b)", "a + x(b - c)"])
def test_a_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="formula: "):
        TryOptions(formula=line)
