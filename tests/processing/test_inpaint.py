"""Inpainting and outpainting through the whole pipeline: what is protected stays, and what cannot be done is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.processing.reporters import Silent
from webui.domain.inpainting import Inpainting, Outpainting, SoftInpainting
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.processing.back import Back, build
from webui.processing.inpaint import prepared
from webui.worker.main import WorkerConfig

NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
LEFT = Image.new("L", (64, 64))
LEFT.paste(255, (0, 0, 32, 64))


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return build(WorkerConfig(tiny_models_dir, data, device="cpu", precision="fp32", threads=1, preview_every=0))


def run(back: Back, sampler: str = "Euler", *, batch_size: int = 1, **task: Any) -> GenerationResult:
    request = GenerationRequest(
        task=Img2Img(**{"image": NOISY, **task}), prompt="a red cat", checkpoint="tiny-sd1", sampler=sampler,
        steps=3, seed=5, width=64, height=64, batch_size=batch_size,
    )  # fmt: skip
    return back.run(request, Silent())


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def masked(**more: Any) -> Inpainting:
    return Inpainting(**{"mask": LEFT, "mask_blur_x": 0, "mask_blur_y": 0, **more})


@pytest.mark.parametrize("sampler", ["Euler a", "DDIM"])
@pytest.mark.parametrize("more", [{}, {"content": "noise"}, {"area": "masked", "padding": 4}, {"soft": {}}])
def test_what_is_protected_stays_and_what_is_masked_changes(back: Back, sampler: str, more: dict[str, Any]) -> None:
    made = pixels(run(back, sampler, inpainting=masked(**more)).images[0].image)
    assert made.shape == (64, 64, 3)
    if "soft" not in more:  # soft inpainting decides by what changed, and a cell reaches far in so small a picture
        assert (made[:, 32:] == pixels(NOISY)[:, 32:]).all()
    assert abs(made[:, :24] - pixels(NOISY)[:, :24]).mean() > 5


def test_inverting_swaps_the_halves_and_the_text_says_so(back: Back) -> None:
    made = run(back, inpainting=masked(invert=True, mask_blur_x=2, mask_blur_y=2)).images[0]
    assert (pixels(made.image)[:, :24] == pixels(NOISY)[:, :24]).all()
    assert "Mask mode: Inpaint not masked, Mask blur: 2" in made.infotext


def test_a_blank_mask_is_told_and_nothing_is_lost(back: Back) -> None:
    blank = Image.new("L", (64, 64))
    close = run(back, inpainting=masked(mask=blank, area="masked"))
    assert "blank" in close.notices[0].text
    assert (pixels(close.images[0].image) == pixels(run(back).images[0].image)).all()
    whole = run(back, inpainting=masked(mask=blank))
    assert "blank" in whole.notices[0].text
    assert (pixels(whole.images[0].image) == pixels(NOISY)).all()


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_both_ends_of_the_strength_work_with_a_mask(back: Back, strength: float) -> None:
    made = run(back, inpainting=masked(), denoising_strength=strength).images[0]
    assert (pixels(made.image)[:, 32:] == pixels(NOISY)[:, 32:]).all()


@pytest.mark.parametrize("area", ["whole", "masked"])
def test_a_mask_of_another_size_and_a_tiny_picture_are_brought_to_size(back: Back, area: str) -> None:
    small = LEFT.resize((8, 8), Image.Resampling.NEAREST)
    assert len(run(back, inpainting=masked(mask=small, area=area)).images) == 1
    assert len(run(back, image=Image.new("RGB", (1, 1)), inpainting=masked(area=area)).images) == 1


def test_each_picture_of_a_batch_starts_from_its_own_and_can_be_made_alone(back: Back) -> None:
    flipped = NOISY.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    both = run(back, further_images=(flipped,), batch_size=2, inpainting=masked()).images
    assert (pixels(both[1].image)[:, 32:] == pixels(flipped)[:, 32:]).all()
    alone = back.run(both[1].request, Silent()).images[0]
    assert abs(pixels(both[1].image) - pixels(alone.image)).max() <= 2


def test_outpainting_keeps_the_picture_and_grows_it_by_whole_cells(back: Back) -> None:
    made = run(back, outpainting=Outpainting(right=12, top=8, mask_blur=2), denoising_strength=0.9).images[0]
    assert made.image.size == (80, 72)
    assert (pixels(made.image)[24:, :48] == pixels(NOISY)[16:, :48]).all()
    assert "Size: 80x72" in made.infotext


def test_mask_and_composite_come_beside_the_picture(back: Back) -> None:
    made = run(back, inpainting=masked(return_mask=True, return_composite=True)).images[0]
    mask, cut = made.attachments
    assert (pixels(mask.convert("L"))[:, 32:] == 0).all()
    assert cut.mode == "RGBA"


def test_soft_inpainting_is_told_with_the_numbers_as_they_were_sent(back: Back) -> None:
    text = run(back, inpainting=masked(soft=SoftInpainting(contrast_boost=4.0))).images[0].infotext
    assert "Soft inpainting enabled: True, Soft inpainting schedule bias: 1, " in text
    assert "Soft inpainting transition contrast boost: 4.0, Soft inpainting mask influence: 0, " in text


def test_whole_and_masked_prepare_pictures_of_the_size_asked_for() -> None:
    for area in ("whole", "masked"):
        for mode in ("resize", "crop", "fill", "latent"):
            task = Img2Img(image=NOISY.resize((90, 50)), inpainting=masked(area=area), resize_mode=mode)
            canvas = prepared(task, 72, 40)
            assert canvas.mask is not None
            assert {canvas.mask.size, *(one.size for one in canvas.pictures)} == {(72, 40)}
