"""Tiny autoencoders from files of each form: the network that their authors describe, in place of the VAE."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Progress
from webui.library.files import ModelFile
from webui.library.tiny_vaes import TinyPart, find_tiny, tensors_of
from webui.processing.back import Back
from webui.weights.tensors import TensorFile
from webui.weights.tiny_vae import build_half

pytestmark = pytest.mark.usefixtures("pickles_here")
WIDTH = 8
DECODER = (1, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19)  # the places of layers with weights
ENCODER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
WITHOUT_BIAS = {"decoder": (7, 12, 17), "encoder": (2, 6, 10)}
SINGLE = {"decoder": (1, 7, 12, 17, 19), "encoder": (0, 2, 6, 10, 14)}


def weights(part: TinyPart, channels: int = 4) -> dict[str, Tensor]:
    """Random weights under the names of the authors' own files."""
    torch.manual_seed(3)
    found: dict[str, Tensor] = {}
    places = DECODER if part == "decoder" else ENCODER
    for place in places:
        inputs = {("decoder", 1): channels, ("encoder", 0): 3}.get((part, place), WIDTH)
        outputs = {("decoder", 19): 3, ("encoder", 14): channels}.get((part, place), WIDTH)
        names = [f"{place}"] if place in SINGLE[part] else [f"{place}.conv.{number}" for number in (0, 2, 4)]
        for name in names:
            found[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3) * 0.2
            if place not in WITHOUT_BIAS[part]:
                found[f"{name}.bias"] = torch.randn(outputs) * 0.1
    return found


def conv(tensors: Mapping[str, Tensor], name: str, here: Tensor, stride: int = 1) -> Tensor:
    return functional.conv2d(here, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), stride, padding=1)


def block(tensors: Mapping[str, Tensor], place: int, here: Tensor) -> Tensor:
    inner = functional.relu(conv(tensors, f"{place}.conv.0", here))
    inner = functional.relu(conv(tensors, f"{place}.conv.2", inner))
    return functional.relu(conv(tensors, f"{place}.conv.4", inner) + here)


def decoded(tensors: Mapping[str, Tensor], latents: Tensor) -> Tensor:
    """The authors' decoder, layer by layer."""
    here = functional.relu(conv(tensors, "1", (latents / 3).tanh() * 3))
    for place in DECODER[1:-1]:
        if place in SINGLE["decoder"]:
            here = conv(tensors, f"{place}", nn.Upsample(scale_factor=2)(here))
        else:
            here = block(tensors, place, here)
    return conv(tensors, "19", here).clamp(0, 1)


def encoded(tensors: Mapping[str, Tensor], pixels: Tensor) -> Tensor:
    here = conv(tensors, "0", pixels)
    for place in ENCODER[1:-1]:
        here = conv(tensors, f"{place}", here, 2) if place in SINGLE["encoder"] else block(tensors, place, here)
    return conv(tensors, "14", here)


def forms(part: TinyPart) -> list[dict[str, Tensor]]:
    own = weights(part)
    shift = 1 if part == "decoder" else 0
    layers = {}
    for name, tensor in own.items():
        place, _, rest = name.partition(".")
        layers[f"{part}.layers.{int(place) - shift}.{rest}"] = tensor
    return [own, {f"taesd_{part}.{name}": one for name, one in own.items()} | {"vae_scale": torch.ones(())}, layers]


@pytest.mark.parametrize("form", [0, 1, 2], ids=["bare", "both in one", "diffusers"])
@pytest.mark.parametrize("part", ["decoder", "encoder"])
def test_each_form_is_the_network_of_its_authors(part: TinyPart, form: int, tmp_path: Path) -> None:
    save_file(forms(part)[form], tmp_path / "tiny.safetensors")
    with TensorFile(tmp_path / "tiny.safetensors") as source:
        half = build_half(source, part, 4, torch.device("cpu"))
    given = torch.randn(1, 4, 6, 5) * 4 if part == "decoder" else torch.rand(1, 3, 32, 24)
    expected = decoded(weights(part), given) if part == "decoder" else encoded(weights(part), given)
    torch.testing.assert_close(half(given), expected, atol=1e-5, rtol=1e-4)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    save_file(weights("decoder", channels=16), tmp_path / "tiny.safetensors")
    with TensorFile(tmp_path / "tiny.safetensors") as source:
        with pytest.raises(UnusableFileError, match=r"1\.weight has the shape .*other latents"):
            build_half(source, "decoder", 4, torch.device("cpu"))
        build_half(source, "decoder", 16, torch.device("cpu"))
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with TensorFile(tmp_path / "other.safetensors") as source, pytest.raises(UnusableFileError, match="no encoder"):
        build_half(source, "encoder", 4, torch.device("cpu"))
    assert tensors_of(["model.diffusion_model.x"], "decoder") == {}


def test_files_are_found_by_the_names_that_people_have() -> None:
    def file(name: str) -> ModelFile:
        return ModelFile(Path(name), "taesd", name)

    there = [
        file("taesdxl_decoder.pth"),
        file("taesd_decoder.pth"),
        file("taesd_decoder.safetensors"),
        file("taesd.pt"),
    ]
    assert find_tiny(there, "taesd", "decoder", "SD1").name == "taesd_decoder.safetensors"
    assert find_tiny(there, "taesd", "encoder", "SD1").name == "taesd.pt"
    assert find_tiny(there, "taesdxl", "decoder", "SDXL").name == "taesdxl_decoder.pth"
    with pytest.raises(UnknownModelError, match=r"taesdxl_encoder\.safetensors or \.pth.*models/VAE-taesd or "):
        find_tiny(there, "taesdxl", "encoder", "SDXL")
    with pytest.raises(UnknownModelError, match="none for checkpoints of the family Other"):
        find_tiny(there, "", "decoder", "Other")


class Watching(Silent):
    """Keeps previews."""

    def __init__(self) -> None:
        self.previews = 0

    def progress(self, progress: Progress) -> None:
        self.previews += progress.preview is not None

    def image(self, image: GeneratedImage) -> None: ...


def made(back: Back, **more: str) -> tuple[np.ndarray, str]:
    request = GenerationRequest.model_validate(
        {"prompt": "a", "steps": 1, "width": 64, "height": 64, "seed": 1, "checkpoint": "tiny-sd2-v", **more}
    )
    image = back.run(request, Silent()).images[0]
    return np.asarray(image.image), image.infotext


def test_a_job_decodes_by_it_and_a_missing_file_is_said(
    reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    models = tmp_path_factory.mktemp("models")
    (models / "Stable-diffusion").symlink_to(reference_models_dir / "Stable-diffusion")
    back = exact_back(
        models_dir=models, data_dir=tmp_path_factory.mktemp("data"), preview_every=1, preview_kind="TAESD"
    )
    without = back.run(GenerationRequest(steps=1, width=64, height=64, checkpoint="tiny-sd2-v"), Silent())
    assert [one.text for one in without.notices if "taesd_decoder" in one.text] != []
    with pytest.raises(UnknownModelError, match="taesd_decoder"):
        made(back, vae_decoder="TAESD")
    folder = models / "vae_approx"
    folder.mkdir()
    torch.save(weights("decoder"), folder / "taesd_decoder.pth")
    watching = Watching()
    request = GenerationRequest(steps=1, width=64, height=64, seed=1, checkpoint="tiny-sd2-v", prompt="a")
    plain = back.run(request, watching)
    assert watching.previews
    assert not plain.notices
    assert "VAE Decoder" not in plain.images[0].infotext
    pixels, text = made(back, vae_decoder="TAESD")
    assert pixels.shape == (64, 64, 3)
    assert not np.array_equal(pixels, np.asarray(plain.images[0].image.convert("RGB")))
    assert "VAE Decoder: TAESD" in text
    assert np.array_equal(made(back)[0], np.asarray(plain.images[0].image))
    assert isinstance(plain.images[0].image, Image.Image)
