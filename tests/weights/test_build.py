"""Networks built from shapes: full sizes fit exactly, both namings agree, odd sizes and residuals work."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.library import full_size
from tests.library.small import small_checkpoint, small_vae
from tests.narrowing import untyped
from tests.weights.sources import Memory
from webui.domain.errors import NotFiniteError, UnusableFileError
from webui.library.shapes import UnetShape, VaeShape, unet_shape, vae_shape
from webui.sampling.steps import ModelCall, Residuals, Step
from webui.weights.build import build_unet, build_vae, empty_unet, empty_vae, is_finite
from webui.weights.unet import UnetWrapper

CPU = torch.device("cpu")
ANY_STEP = Step(0, 1, torch.tensor(1.0), torch.tensor(0.0))
HEADS = (8, 8)


def shape_of(tensors: dict[str, Tensor]) -> UnetShape:
    shape = unet_shape({name: tuple(value.shape) for name, value in tensors.items()})
    assert shape is not None
    return shape


def vae_shape_of(tensors: dict[str, Tensor]) -> VaeShape:
    shape = vae_shape({name: tuple(value.shape) for name, value in tensors.items()})
    assert shape is not None
    return shape


def door(tensors: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> UnetWrapper:
    shape = shape_of(tensors)
    return UnetWrapper(build_unet(Memory(tensors), shape, HEADS, CPU, dtype), shape)


def call(height: int = 8, width: int = 8, channels: int = 4) -> ModelCall:
    draw = torch.Generator().manual_seed(0)
    return ModelCall(
        step=ANY_STEP,
        sample=torch.randn(2, channels, height, width, generator=draw),
        timestep=torch.tensor([981.25, 981.25]),
        context=torch.randn(2, 77, 64, generator=draw),
        positive=torch.tensor([True, False]),
    )


@pytest.mark.parametrize(
    ("make", "heads"),
    [
        (full_size.sd1_unet, (8, 8, 8, 8)),
        (full_size.sd2_unet, (5, 10, 20, 20)),
        (full_size.sdxl_unet, (5, 10, 20)),
        (full_size.refiner_unet, (6, 12, 24, 24)),
        (full_size.ssd1b_unet, (5, 10, 20)),
    ],
)
def test_full_size_unets_come_back_from_their_shapes(make: Callable[[], nn.Module], heads: tuple[int, ...]) -> None:
    original = make()
    shape = unet_shape(full_size.shapes_of(original))
    assert shape is not None
    built = empty_unet(shape, heads)
    assert full_size.shapes_of(built) == full_size.shapes_of(original)
    assert all(parameter.is_meta for parameter in built.parameters())
    assert {shape.layout.to_ldm(name) for name, _ in built.named_parameters()} == set(shape.keys)


def test_every_head_count_of_a_full_size_unet_is_the_originals() -> None:
    original = full_size.refiner_unet()
    shape = unet_shape(full_size.shapes_of(original))
    assert shape is not None
    built = empty_unet(shape, (6, 12, 24, 24))
    heads = {name: module.heads for name, module in original.named_modules() if hasattr(module, "heads")}
    assert {name: module.heads for name, module in built.named_modules() if hasattr(module, "heads")} == heads


def test_a_middle_of_another_depth_than_its_level_is_built() -> None:
    table = full_size.shapes_of(full_size.sdxl_unet(depths=(1, 2, 4)))
    shape = unet_shape(
        {name: value for name, value in table.items() if "mid_block.attentions.0.transformer_blocks.3" not in name}
    )
    assert shape is not None
    assert (shape.levels[-1].encoder, shape.middle_depth) == ((4, 4), 3)
    assert len(empty_unet(shape, (5, 10, 20)).mid_block.attentions[0].transformer_blocks) == 3


def test_full_size_vae_comes_back_from_its_shapes() -> None:
    original = full_size.vae()
    shape = vae_shape(full_size.shapes_of(original))
    assert shape is not None
    assert full_size.shapes_of(empty_vae(shape)) == full_size.shapes_of(original)


def test_both_namings_give_the_same_network() -> None:
    tensors = small_checkpoint(5)
    shape = shape_of(tensors)
    plain = {str(shape.layout.to_diffusers(name)): tensors[key] for name, key in shape.keys.items()}
    assert shape_of(plain).naming == "diffusers"
    torch.testing.assert_close(door(plain)(call(), None), door(tensors)(call(), None), rtol=0, atol=0)


def test_both_namings_of_a_vae_give_the_same_network() -> None:
    tensors = small_vae()
    shape = vae_shape_of(tensors)
    plain = {str(shape.layout.to_diffusers(name)): tensors[key] for name, key in shape.keys.items()}
    assert vae_shape_of(plain).naming == "diffusers"
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    one = build_vae(Memory(tensors), shape, CPU, torch.float32).decode(latents).sample
    two = build_vae(Memory(plain), vae_shape_of(plain), CPU, torch.float32).decode(latents).sample
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 7), (5, 16), (1, 2)])
def test_any_latent_size_works(height: int, width: int) -> None:
    answer = door(small_checkpoint(5))(call(height, width), None)
    assert answer.shape == (2, 4, height, width)
    assert torch.isfinite(answer).all()


def test_odd_sizes_are_fitted_after_the_convolution() -> None:
    """LDM doubles 5 to 10, convolves, and shrinks to 9; the convolution therefore sees 10 columns."""
    upsample = untyped(door(small_checkpoint(5)).module).up_blocks[0].upsamplers[0]
    seen: list[torch.Size] = []
    upsample.conv.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape))
    assert upsample(torch.randn(1, 64, 4, 5), (8, 9)).shape == (1, 64, 8, 9)
    assert seen == [(1, 64, 8, 10)]


def test_rows_do_not_influence_each_other() -> None:
    unet = door(small_checkpoint(5))
    both = call()
    one = ModelCall(ANY_STEP, both.sample[:1], both.timestep[:1], both.context[:1], both.positive[:1])
    torch.testing.assert_close(unet(both, None)[:1], unet(one, None), rtol=0, atol=1e-5)


def test_fractional_timesteps_matter_also_in_half_precision() -> None:
    unet = door(small_checkpoint(5), torch.bfloat16)
    first = call()
    later = ModelCall(ANY_STEP, first.sample, first.timestep + 6.5, first.context, first.positive)
    answer = unet(first, None)
    assert answer.dtype == torch.float32
    assert not torch.equal(answer, unet(later, None))


def residual_shapes() -> list[tuple[int, ...]]:
    return [*[(2, 32, 8, 8)] * 3, (2, 32, 4, 4), *[(2, 64, 4, 4)] * 2]


def test_residuals_act_on_their_skip_and_zeros_change_nothing() -> None:
    unet = door(small_checkpoint(5))
    assert unet.shape.skips == 6
    plain = unet(call(), None)
    zeros = tuple(torch.zeros(shape) for shape in residual_shapes())
    torch.testing.assert_close(unet(call(), Residuals(zeros, torch.zeros(2, 64, 4, 4))), plain, rtol=0, atol=0)
    assert torch.equal(unet(call(), Residuals()), plain)
    for number in range(6):
        changed = list(zeros)
        changed[number] = zeros[number] + 1
        assert not torch.allclose(unet(call(), Residuals(tuple(changed))), plain)
    assert not torch.allclose(unet(call(), Residuals(mid=torch.ones(2, 64, 4, 4))), plain)


def test_too_few_residuals_are_refused() -> None:
    with pytest.raises(ValueError, match="1 residuals for 6 skip"):
        door(small_checkpoint(5))(call(), Residuals((torch.zeros(2, 32, 8, 8),)))


def test_a_missing_tensor_is_named() -> None:
    tensors = small_checkpoint(5)
    del tensors["model.diffusion_model.output_blocks.0.0.out_layers.3.bias"]
    with pytest.raises(UnusableFileError, match=r"output_blocks\.0\.0\.out_layers\.3\.bias is missing"):
        door(tensors)


def test_a_tensor_of_another_shape_is_named() -> None:
    tensors = small_checkpoint(5)
    name = "model.diffusion_model.output_blocks.0.0.out_layers.3.bias"
    tensors[name] = torch.zeros(7, dtype=torch.float16)
    with pytest.raises(UnusableFileError, match=r"bias has the shape \(7,\), expected \(64,\)"):
        door(tensors)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(bad: float) -> None:
    tensors = small_checkpoint(5)
    tensors["model.diffusion_model.out.2.weight"][0, 0, 0, 0] = bad
    with pytest.raises(NotFiniteError, match=r"model\.diffusion_model\.out\.2\.weight"):
        door(tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_large_values_are_finite_though_their_sum_is_not(dtype: torch.dtype) -> None:
    largest = torch.full((40, 50), torch.finfo(dtype).max, dtype=dtype)
    assert not torch.isfinite(largest.sum())
    assert is_finite(largest)
    assert is_finite(torch.empty(0, dtype=dtype))
    for bad in ([float("nan")], [float("inf")], [float("-inf")], [float("inf"), float("-inf")]):
        damaged = torch.zeros(5000, dtype=dtype)
        damaged[-len(bad) :] = torch.tensor(bad, dtype=dtype)
        assert not is_finite(damaged)


def test_values_that_the_precision_cannot_hold_are_refused() -> None:
    tensors = {name: value.float() for name, value in small_checkpoint(5).items()}
    tensors["model.diffusion_model.out.2.bias"][0] = 1e6
    with pytest.raises(NotFiniteError, match="precision fp32"):
        door(tensors, torch.float16)
    assert door(tensors, torch.float32).dtype == torch.float32
