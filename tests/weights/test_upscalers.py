"""Upscaler networks: recognised by their tensors, whatever they are saved as; strangers refused in words."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.library.library import ModelLibrary
from webui.library.upscaler_scale import by_shapes, scale_of
from webui.library.upscalers import find_upscaler, upscaler_names
from webui.weights.families.registry import FAMILIES
from webui.weights.recognise import without_torchvision
from webui.weights.upscalers import UpscalerCache, load_upscaler

pytestmark = pytest.mark.usefixtures("pickles_here")
CPU = torch.device("cpu")


def esrgan(scale: int = 2) -> dict[str, torch.Tensor]:
    """The weights of a small ESRGAN."""
    with without_torchvision():
        from spandrel.architectures.ESRGAN import ESRGAN
    torch.manual_seed(0)
    return dict(ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=scale).state_dict())


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    folder = tmp_path / "models" / "ESRGAN"
    folder.mkdir(parents=True)
    save_file(esrgan(), folder / "small.safetensors")
    torch.save({"params_ema": esrgan()}, folder / "RealESRGAN_x4plus.pth")
    save_file({"some.weight": torch.zeros(2, 2)}, folder / "stranger.safetensors")
    (folder / "torn.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    return ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)


def test_files_are_listed_by_the_names_that_a1111_gives_them(library: ModelLibrary) -> None:
    names = upscaler_names(library)
    assert names == ("None", "Lanczos", "Nearest", "R-ESRGAN 4x+", "small", "stranger")
    assert find_upscaler(library, "R-ESRGAN 4x+").stem == "RealESRGAN_x4plus"
    with pytest.raises(UnknownModelError, match="small"):
        find_upscaler(library, "nothing-like-it")
    with pytest.raises(UnusableFileError):
        find_upscaler(library, "torn")


def test_a_pickle_is_the_same_network(library: ModelLibrary) -> None:
    cache = UpscalerCache(library, CPU)
    pixels = np.random.default_rng(0).random((12, 10, 3), dtype=np.float32)
    plain = cache.get(find_upscaler(library, "small"))
    assert (plain.scale, plain.averages) == (2, False)
    first = plain(pixels)
    assert first.shape == (24, 20, 3)
    assert first.dtype == np.float32
    assert 0 <= first.min() <= first.max() <= 1
    assert (cache.get(find_upscaler(library, "R-ESRGAN 4x+"))(pixels) == first).all()
    assert cache.get(find_upscaler(library, "small")) is cache.get(find_upscaler(library, "small"))


def test_channels_go_in_as_rgb(library: ModelLibrary) -> None:
    pixels = np.random.default_rng(0).random((6, 5, 3), dtype=np.float32)
    model = UpscalerCache(library, CPU).get(find_upscaler(library, "small"))
    with without_torchvision():
        from spandrel.architectures.ESRGAN import ESRGAN
    network = ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2)
    network.load_state_dict(esrgan())
    with torch.inference_mode():
        wanted = network.eval()(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].clamp(0, 1).permute(1, 2, 0)
    assert np.abs(model(pixels) - wanted.numpy()).max() < 1e-5


def test_half_precision_files_compute_in_float32(tmp_path: Path) -> None:
    save_file({name: tensor.half() for name, tensor in esrgan().items()}, tmp_path / "half.safetensors")
    model = load_upscaler(tmp_path / "half.safetensors", "half", CPU)
    assert model(np.zeros((4, 4, 3), np.float32)).dtype == np.float32


def test_strangers_are_refused_in_words(library: ModelLibrary) -> None:
    with pytest.raises(UnusableFileError, match=r"stranger\.safetensors: not a network"):
        UpscalerCache(library, CPU).get(find_upscaler(library, "stranger"))


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_the_scale_is_read_from_the_header(tmp_path: Path, scale: int) -> None:
    with without_torchvision():
        from spandrel.architectures.Compact import Compact
        from spandrel.architectures.ESRGAN import ESRGAN
    networks = [
        ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=scale),
        Compact(num_feat=8, num_conv=2, upscale=scale),
    ]
    for network in networks:
        path = tmp_path / f"{type(network).__name__}.safetensors"
        save_file(dict(network.state_dict()), path)
        assert scale_of(path) == load_upscaler(path, path.name, CPU).scale


@pytest.mark.parametrize(
    ("name", "scale"),
    [("RealESRGAN_x2plus", 2), ("4x-UltraSharp", 4), ("2x_thing", 2), ("swin-l_x4_GAN", 4), ("unknown", 4)],
)
def test_the_scale_of_a_pickle_is_what_its_name_says(tmp_path: Path, name: str, scale: int) -> None:
    assert scale_of(tmp_path / f"{name}.pth") == scale


def test_shapes_of_other_networks_tell_their_scale() -> None:
    swin = {
        "upsample.0.weight": (256, 64, 3, 3),
        "upsample.2.weight": (256, 64, 3, 3),
        "conv_first.weight": (9, 3, 3, 3),
    }
    assert by_shapes(swin) == 4
    assert by_shapes({"upsample.0.weight": (576, 64, 3, 3)}) == 3
    assert by_shapes({"params.upsample.weight": (12, 60, 3, 3)}) == 2
    assert by_shapes({"m_head.0.weight": (64, 3, 3, 3), "m_tail.0.weight": (3, 64, 3, 3)}) == 1
    assert by_shapes({"other.weight": (3, 3)}) is None


def test_names_of_torchvision_do_not_stay_behind() -> None:
    esrgan()
    assert not [name for name in sys.modules if name.partition(".")[0] == "torchvision"]
