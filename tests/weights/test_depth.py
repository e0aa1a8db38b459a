"""The depth network inside a checkpoint: every tensor finds its place, and it computes what the papers say."""

import pytest
import torch

from tests.library.small_midas import PREFIX, Reference, small_midas
from tests.narrowing import known
from tests.weights.sources import Memory
from webui.domain.errors import NotFiniteError, UnusableFileError
from webui.library.midas import MidasShape, midas_shape, place
from webui.processing.depth_channel import depth_channel
from webui.weights.depth import DepthNetwork, answer
from webui.weights.inputs import Input
from webui.weights.midas import build_midas, empty_midas

TENSORS = small_midas()
CPU = torch.device("cpu")


def network(tensors: dict[str, torch.Tensor] = TENSORS) -> DepthNetwork:
    shape = midas_shape({name: tuple(one.shape) for name, one in tensors.items()})
    assert shape is not None
    return build_midas(Memory(tensors), shape, CPU)


NETWORK = network()


def test_every_tensor_is_used_exactly_once() -> None:
    shape = midas_shape({name: tuple(one.shape) for name, one in TENSORS.items()})
    assert shape is not None
    places = [place(shape.layout.to_ldm(name) or "") for name, _ in empty_midas(shape).named_parameters()]
    assert len(set(places)) == len(places)
    assert {name for name, _ in places} == set(TENSORS)
    for stacked in {name for name, third in places if third is not None}:
        assert sorted(third for name, third in places if name == stacked and third is not None) == [0, 1, 2]


def test_the_real_size_is_that_of_the_published_network() -> None:
    stages = ((256, 3), (512, 4), (1024, 9))
    module = empty_midas(MidasShape(64, stages, 768, 3072, 12, 24, (768, 768), 256))
    classifier = 768 * 1000 + 1000  # in the published file, read by nobody
    numbers = sum(one.numel() for one in module.parameters()) + classifier
    assert round(numbers / 1e6) == 123  # MiDaS: "DPT-Hybrid, 123 M"
    assert known(module.config.backbone_out_indices)[2:] == [8, 11]


def test_names_translate_there_and_back() -> None:
    shape = midas_shape({name: tuple(one.shape) for name, one in TENSORS.items()})
    assert shape is not None
    for name, _ in empty_midas(shape).named_parameters():
        ldm = shape.layout.to_ldm(name)
        assert ldm is not None
        assert shape.layout.to_diffusers(ldm) == name


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (64, 96), (96, 32)])
def test_it_computes_what_the_papers_say(height: int, width: int) -> None:
    pixels = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    reference = Reference(TENSORS)
    with torch.no_grad():
        expected = reference(pixels)
        found = answer(NETWORK.module, pixels)
    assert found.shape == (2, height, width)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-4)
    layers = ("scratch.refinenet4.resConfUnit1.conv1", "scratch.refinenet4.resConfUnit1.conv2", "pretrained.model.norm")
    unread = {f"{PREFIX}{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert reference.used == set(TENSORS) - unread  # these nobody reads, in MiDaS neither


@pytest.mark.parametrize(
    ("fit", "size", "expected"),
    [
        ("least", (512, 512), (384, 384)),
        ("least", (768, 512), (576, 384)),  # three quarters are the smaller change
        ("least", (512, 768), (384, 576)),
        ("least", (64, 64), (384, 384)),
        ("least", (100, 200), (192, 384)),
        ("cover", (100, 200), (384, 768)),
        ("stretch", (100, 200), (384, 384)),
        ("stretch", (2000, 10), (384, 384)),
    ],
)
def test_pictures_are_shown_at_sides_near_384(fit: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert Input(384, 384, 32, fit).size(*size) == expected  # type: ignore[arg-type]


def test_a_map_spans_the_range_and_has_the_size_of_the_latents() -> None:
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    channel = depth_channel(NETWORK, pixels, (8, 12))
    assert channel.shape == (1, 1, 8, 12)
    assert float(channel.min()) == -1
    assert float(channel.max()) == 1
    assert torch.equal(channel, depth_channel(NETWORK, pixels, (8, 12)))


class Flat(DepthNetwork):
    """Answers the same everywhere."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Identity(), NETWORK.shown)

    def __call__(self, pixels: torch.Tensor, *, resized: bool = True) -> torch.Tensor:
        return torch.full((1, 1, 32, 32), 3.0)


def test_a_picture_without_depth_becomes_zero() -> None:
    assert torch.equal(depth_channel(Flat(), torch.zeros(1, 3, 64, 64), (8, 8)), torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("name", ["scratch.refinenet2.out_conv.bias", "pretrained.model.blocks.1.attn.qkv.weight"])
def test_a_missing_tensor_is_named(name: str) -> None:
    broken = {key: one for key, one in TENSORS.items() if key != PREFIX + name}
    with pytest.raises(UnusableFileError, match=name.replace(".", r"\.") + " is missing"):
        network(broken)


def test_a_tensor_of_another_shape_is_named() -> None:
    name = PREFIX + "scratch.output_conv.0.weight"
    with pytest.raises(UnusableFileError, match=r"output_conv\.0\.weight has the shape"):
        network({**TENSORS, name: torch.zeros(3, 3)})


def test_weights_that_are_no_numbers_are_refused() -> None:
    name = PREFIX + "scratch.output_conv.0.bias"
    with pytest.raises(NotFiniteError, match=r"output_conv\.0\.bias"):
        network({**TENSORS, name: TENSORS[name] * float("nan")})
