"""A depth checkpoint from file to picture: what its UNet is shown in img2img, in inpainting and without a picture."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.exact_back import exact_back
from tests.library.small import small_checkpoint
from tests.library.small_midas import small_midas
from tests.processing.reporters import Silent
from webui.domain.errors import UnusableFileError
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.processing.back import Back
from webui.processing.depth_channel import depth_channel
from webui.processing.start import to_pixels

NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))
HALF = Image.new("L", NOISY.size)
HALF.paste(255, (0, 0, 48, 64))


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    folder = data / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    tensors = small_checkpoint(1, in_channels=5, complete=True)
    save_file({**tensors, **small_midas()}, folder / "depth.safetensors")
    save_file(tensors, folder / "bare.safetensors")
    return exact_back(models_dir=data / "models", data_dir=data, preview_every=0)


def ask(task: Any, *, checkpoint: str = "depth", batch_size: int = 1) -> GenerationRequest:
    return GenerationRequest(
        task=task, prompt="a red cat", checkpoint=checkpoint, sampler="Euler", steps=2, seed=5, width=96, height=64,
        batch_size=batch_size,
    )  # fmt: skip


class Seen:
    """Keeps what the UNet is shown in every call."""

    def __init__(self, back: Back, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = back._models.get(back._library.checkpoint("depth"), None)
        self.samples: list[torch.Tensor] = []
        forward = self.model.unet.module.forward

        def watched(sample: torch.Tensor, *given: Any, **named: Any) -> Any:
            self.samples.append(sample.clone())
            return forward(sample, *given, **named)

        monkeypatch.setattr(self.model.unet.module, "forward", watched)

    @property
    def depths(self) -> torch.Tensor:
        """The fifth channel of every picture in every call."""
        assert all(one.shape[1] == 5 for one in self.samples)
        return torch.cat([one[:, 4:] for one in self.samples])


@pytest.mark.parametrize("masked", [False, True])
def test_the_depth_of_the_picture_is_the_fifth_channel_with_and_without_the_prompt(
    back: Back, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen(back, monkeypatch)
    inpainting = Inpainting(mask=Mask.of(HALF)) if masked else None
    result = back.run(ask(Img2Img(image=NOISY, inpainting=inpainting), batch_size=2), Silent())
    assert [one.image.size for one in result.images] == [NOISY.size] * 2
    cells = (seen.depths.shape[-2], seen.depths.shape[-1])
    assert seen.model.depth is not None
    if not masked:
        expected = depth_channel(seen.model.depth, to_pixels(NOISY, torch.device("cpu")), cells)
        torch.testing.assert_close(seen.depths, expected.expand_as(seen.depths))
    assert (float(seen.depths.min()), float(seen.depths.max())) == (-1, 1)


def test_the_depth_changes_the_picture(back: Back, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> np.ndarray:
        return np.asarray(back.run(ask(Img2Img(image=NOISY)), Silent()).images[0].image)

    first = made()
    assert (made() == first).all()
    monkeypatch.setattr("webui.processing.start.depth_channel", lambda *given: -depth_channel(*given))
    assert (made() != first).any()


def test_without_a_picture_there_is_no_depth(back: Back, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(back, monkeypatch)
    result = back.run(ask(Txt2Img()), Silent())
    assert result.images[0].image.size == (96, 64)
    assert not seen.depths.any()


def test_without_its_depth_network_it_is_refused_in_a_sentence(back: Back) -> None:
    with pytest.raises(UnusableFileError, match=r"depth_model\.model\.pretrained\.\*, .*scratch\.\*\) are missing"):
        back.run(ask(Img2Img(image=NOISY), checkpoint="bare"), Silent())
