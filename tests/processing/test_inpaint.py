"""Inpainting and outpainting through the whole pipeline: what is protected stays, and what cannot be done is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.exact_back import exact_back
from tests.narrowing import img2img, known
from tests.processing.reporters import Silent
from webui.domain.inpainting import Inpainting, Outpainting, SoftInpainting
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.processing.back import Back
from webui.processing.inpaint import prepared, settled
from webui.processing.plan import make_plan
from webui.processing.start import Start, start_of, to_pixels

NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
LEFT = Image.new("L", (64, 64))
LEFT.paste(255, (0, 0, 32, 64))


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, preview_every=0)


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


SPOT = Image.new("L", (64, 64))
SPOT.paste(255, (24, 28, 36, 36))  # 12 x 8 pixels


@pytest.mark.parametrize("padding", [0, 5, 12])
def test_a_close_up_shows_the_mask_with_its_padding_in_the_aspect_asked_for(padding: int) -> None:
    canvas = prepared(Img2Img(image=NOISY, inpainting=masked(mask=SPOT, area="masked", padding=padding)), 96, 48)
    left, top, right, bottom = known(canvas.box)
    assert (top, bottom) == (28 - padding, 36 + padding) or (left, right) == (24 - padding, 36 + padding)
    assert left <= 24 - padding
    assert right >= 36 + padding
    assert abs((right - left) - 2 * (bottom - top)) <= 2
    assert canvas.pictures[0].size == (96, 48)


def test_padding_stops_at_the_edge_of_the_picture() -> None:
    canvas = prepared(Img2Img(image=NOISY, inpainting=masked(mask=SPOT, area="masked", padding=500)), 64, 64)
    assert canvas.box == (0, 0, 64, 64)


def test_the_inner_half_of_a_blurred_rim_is_new_and_of_a_close_up_all_of_it_fades() -> None:
    blurry = {"mask_blur_x": 4, "mask_blur_y": 4}
    whole = prepared(Img2Img(image=NOISY, inpainting=masked(**blurry)), 64, 64)
    mask, shield = pixels(known(whole.mask)), pixels(known(whole.shield))
    assert ((mask > 0) & (mask < 255)).any()
    assert (shield == np.minimum(2 * mask, 255)).all()
    close = prepared(Img2Img(image=NOISY, inpainting=masked(area="masked", **blurry)), 64, 64)
    assert (pixels(known(close.shield)) == mask).all()


@pytest.mark.parametrize("content", ["fill", "noise", "nothing"])
@pytest.mark.parametrize("area", ["whole", "masked"])
def test_what_is_under_the_mask_plays_no_part_unless_it_is_the_content(content: str, area: str) -> None:
    other = NOISY.copy()
    other.paste("red", (24, 28, 36, 36))
    shown = [
        prepared(Img2Img(image=one, inpainting=masked(mask=SPOT, content=content, area=area)), 64, 64).pictures[0]
        for one in (NOISY, other)
    ]
    assert shown[0].tobytes() == shown[1].tobytes()
    kept = prepared(Img2Img(image=other, inpainting=masked(mask=SPOT, content="original")), 64, 64)
    assert kept.pictures[0].tobytes() == other.tobytes()


def start(back: Back, **inpainting: Any) -> Start:
    task = Img2Img(image=NOISY, inpainting=masked(**inpainting))
    request = GenerationRequest(task=task, checkpoint="tiny-sd1", seed=5, width=64, height=64)
    made = start_of(make_plan(request), back._models.get(back._library.checkpoint("tiny-sd1"), None))
    assert made is not None
    return made


def test_the_masked_part_starts_from_the_images_own_noise_or_from_nothing(back: Back) -> None:
    filled, noisy, nothing = (start(back, content=content).latents for content in ("fill", "noise", "nothing"))
    drawn = torch.randn(1, *noisy.shape[1:], generator=torch.Generator().manual_seed(5))
    left, right = (..., slice(0, 4)), (..., slice(4, 8))
    torch.testing.assert_close(noisy[left], drawn[left])
    assert not nothing[left].any()
    for one in (noisy, nothing):
        torch.testing.assert_close(one[right], filled[right], rtol=0, atol=1e-4)  # the encoder's draw


def test_a_latent_cell_is_repainted_or_not_where_the_mask_is_rounded(back: Back) -> None:
    grey = Image.new("L", (64, 64), 150)
    assert set(known(start(back, mask=grey).painted).flatten().tolist()) == {1.0}
    soft = known(start(back, mask=grey, mask_round=False).painted)
    torch.testing.assert_close(soft, torch.full_like(soft, 150 / 255))


def test_the_masks_weight_decides_how_much_an_inpainting_checkpoint_is_shown(back: Back) -> None:
    """At 0 it is shown the whole picture, at 1 it is shown grey where the mask is."""
    request = GenerationRequest(
        task=Img2Img(image=NOISY, inpainting=masked()), checkpoint="tiny-inpaint", seed=5, width=64, height=64
    )
    model = back._models.get(back._library.checkpoint("tiny-inpaint"), None)
    shown = {
        weight: known(
            known(start_of(make_plan(request.with_(inpainting_mask_weight=weight)), model)).image_channels(model)
        )[:, 1:]
        for weight in (0.0, 0.5, 1.0)
    }
    grey = NOISY.copy()
    grey.paste((128, 128, 128), (0, 0, 32, 64))
    for weight, picture in ((0.0, NOISY), (1.0, grey)):
        wanted = model.vae.encode(to_pixels(picture, torch.device("cpu")))
        assert float((shown[weight] - wanted).abs().max()) < 0.05 * float(wanted.std())
    assert float((shown[0.5] - shown[1.0]).abs().max()) > 0.02


def test_colours_are_corrected_where_that_is_asked_for(back: Back) -> None:
    """The corrected picture has the mean colour of the one it started from."""
    green = Image.new("RGB", (64, 64), (40, 160, 70))
    plain, corrected = (run(back, image=green, color_correction=asked).images[0].image for asked in (False, True))
    assert abs(pixels(corrected).mean(axis=(0, 1)) - (40, 160, 70)).max() < 20
    assert abs(pixels(plain).mean(axis=(0, 1)) - (40, 160, 70)).max() > 30
    assert (pixels(plain) == pixels(run(back, image=green).images[0].image)).all()


def test_outpainting_paints_the_new_parts_and_a_rim_twice_the_blur_wide(back: Back) -> None:
    request = GenerationRequest(
        task=Img2Img(image=NOISY, outpainting=Outpainting(right=16, mask_blur=4)), width=64, height=64
    )
    model = back._models.get(back._library.checkpoint("tiny-sd1"), None)
    done = settled(request, model.spec)
    mask = pixels(known(known(img2img(done).inpainting).mask).open().convert("L"))
    assert (done.width, done.height) == (80, 64)
    assert (mask[32] == np.where(np.arange(80) >= 64 - 2 * 4, 255, 0)).all()
