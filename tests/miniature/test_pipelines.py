"""What img2img, inpainting, outpainting, the refiner, hires fix and upscalers do to what is on a picture."""

import numpy as np
import pytest
from PIL import Image

from tests.miniature.painting import drawn, look, paint_each, pixels, run
from tools.train_mini.judge import Verdict, judge
from tools.train_mini.scenes import COLOURS, Thing
from webui.domain.hires import Hires
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting, Outpainting
from webui.domain.masks import Mask
from webui.domain.request import Img2Img, Refiner, Txt2Img
from webui.processing.back import Back

SIDE = 128
LEFT = Thing("circle", "red", 36.0, 64.0, 22.0)
RIGHT = Thing("star", "yellow", 94.0, 64.0, 22.0)


def started(picture: Image.Image, **options: object) -> Img2Img:
    return Img2Img.model_validate({"image": Picture.of(picture), **options})


def left_half() -> Mask:
    mask = Image.new("L", (SIDE, SIDE), 0)
    mask.paste(255, (0, 0, SIDE // 2, SIDE))
    return Mask.of(mask)


def colours(verdict: Verdict) -> list[str]:
    return [found.colour for found in verdict.objects]


def test_img2img_at_low_strength_keeps_what_is_there(back: Back) -> None:
    start = started(drawn(LEFT), denoising_strength=0.3)
    for seen in look(back, "a red circle on a blue background", task=start, steps=15):
        assert (colours(seen), seen.background) == (["red"], "blue")
        assert abs(seen.objects[0].x - LEFT.x) < 6
        assert abs(seen.objects[0].y - LEFT.y) < 6
    for seen in look(back, "a red circle at the top right on a blue background", task=start, steps=15):
        assert abs(seen.objects[0].x - LEFT.x) < 8  # a new prompt does not move it at this strength
        assert abs(seen.objects[0].y - LEFT.y) < 8


def test_img2img_at_high_strength_follows_the_new_prompt(back: Back) -> None:
    start = started(drawn(LEFT), denoising_strength=0.9)
    seen = look(back, "a large green square on a white background", task=start)
    assert np.mean([verdict.background == "white" for verdict in seen]) >= 0.75
    assert np.mean([bool(verdict.objects) and verdict.objects[0].colour == "green" for verdict in seen]) >= 0.75


@pytest.mark.parametrize("checkpoint", ["mini", "mini-inpainting"])
def test_inpainting_changes_the_masked_shape_and_nothing_else(back: Back, checkpoint: str) -> None:
    original = drawn(LEFT, RIGHT)
    task = started(
        original, denoising_strength=0.9, inpainting=Inpainting(mask=left_half(), mask_blur_x=0, mask_blur_y=0)
    )
    prompt = "a green circle to the left of a yellow star on a blue background"
    green = []
    for made in paint_each(back, prompt, task=task, checkpoint=checkpoint):
        assert (pixels(made)[:, SIDE // 2 :] == pixels(original)[:, SIDE // 2 :]).all()
        green.append(any(found.colour == "green" and found.x < SIDE / 2 for found in judge(made).objects))
    assert np.mean(green) >= 0.75


def test_outpainting_extends_the_background_without_a_seam(back: Back) -> None:
    middle = Thing("circle", "red", 64.0, 64.0, 22.0)
    task = started(drawn(middle), denoising_strength=0.8, outpainting=Outpainting(right=64, left=64, mask_blur=8))
    for made in map(pixels, paint_each(back, "a red circle on a blue background", 2, task=task)):
        assert made.shape == (SIDE, SIDE + 128, 3)
        for border in (64, 64 + SIDE):
            inside = made[:, border - 6 : border - 2].mean(axis=(0, 1))
            outside = made[:, border + 2 : border + 6].mean(axis=(0, 1))
            assert np.abs(inside - outside).max() < 20
        margin = made[:, :40].reshape(-1, 3).mean(axis=0)
        assert np.linalg.norm(margin - COLOURS["blue"]) < 60


def test_a_refiner_of_the_family_keeps_the_object(back: Back) -> None:
    for seen in look(back, "a red circle on a blue background", refiner=Refiner(checkpoint="mini-dusk", switch_at=0.8)):
        assert (seen.objects[0].colour, seen.objects[0].shape, seen.background) == ("red", "circle", "blue")


@pytest.mark.parametrize("upscaler", ["Latent", "Lanczos", "mini-x2"])
def test_the_hires_pass_keeps_the_object(back: Back, upscaler: str) -> None:
    prompt = "a red circle on a blue background"
    task = Txt2Img(hires=Hires(enabled=True, upscaler=upscaler, denoising_strength=0.4, steps=8))
    for before, made in zip(look(back, prompt), paint_each(back, prompt, 1, task=task), strict=False):
        assert made.size == (2 * SIDE, 2 * SIDE)
        after = judge(made)
        assert after.background == before.background
        assert after.objects[0].colour == before.objects[0].colour
        assert abs(after.objects[0].x - before.objects[0].x) < 8
        assert abs(after.objects[0].y - before.objects[0].y) < 8


def test_strength_nothing_gives_the_picture_back(back: Back) -> None:
    original = drawn(LEFT, RIGHT)
    made = run(back, "a cat", task=started(original, denoising_strength=0.0)).images[0].image
    off = np.abs(pixels(made) - pixels(original))
    assert np.median(off) <= 8  # once through the VAE
    assert sorted(found.colour for found in judge(made).objects) == ["red", "yellow"]
