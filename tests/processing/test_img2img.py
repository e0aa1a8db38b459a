"""img2img: how far a run goes, how pictures are brought to size, and what must hold of any run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.exact_back import exact_back
from webui.domain.errors import BadRequestError
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest, Img2Img, Refiner
from webui.domain.result import GeneratedImage, Progress
from webui.imaging.resize import FitMode, fitted
from webui.output.parse import parse, read_fields
from webui.processing.back import Back
from webui.processing.inpaint import prepared
from webui.processing.plan import Walk, make_plan, walk_of

NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
SAMPLERS = ("Euler a", "DPM++ SDE", "DPM fast", "DPM adaptive", "Restart", "LCM", "DDIM", "PLMS", "PNDM", "UniPC")


class Silent:
    def __init__(self) -> None:
        self.seen: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)

    def image(self, image: GeneratedImage) -> None: ...
    def stopped(self) -> str:
        return ""

    def recorded(self, part: RecordedPart) -> None: ...
    def finishing(self) -> bool:
        return False


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, preview_every=0)


def ask(sampler: str = "Euler", *, checkpoint: str = "tiny-sd1", batch_size: int = 1, **task: Any) -> GenerationRequest:
    return GenerationRequest(
        task=Img2Img(**{"image": NOISY, **task}),
        prompt="a red cat",
        checkpoint=checkpoint,
        sampler=sampler,
        steps=6,
        seed=5,
        width=64,
        height=64,
        batch_size=batch_size,
    )


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize(
    ("strength", "plain", "fixed"),
    [
        (0.0, Walk(20, 1), Walk(0, 20)),
        (0.1, Walk(20, 3), Walk(200, 20)),
        (0.3, Walk(20, 7), Walk(66, 20)),
        (0.5, Walk(20, 11), Walk(40, 20)),
        (0.75, Walk(20, 16), Walk(26, 20)),
        (1.0, Walk(20, 20), Walk(20, 20)),
    ],
)
def test_a_run_goes_as_far_as_a1111s(strength: float, plain: Walk, fixed: Walk) -> None:
    request = ask(denoising_strength=strength).with_(steps=20)
    assert walk_of(request) == plain
    assert walk_of(request.with_(task=Img2Img(image=NOISY, denoising_strength=strength, fix_steps=True))) == fixed


def test_prompts_are_timed_by_the_steps_asked_for() -> None:
    plan = make_plan(ask("Heun", denoising_strength=0.5))
    assert (plan.calls, plan.run_calls) == (12, 8)


@pytest.mark.parametrize("mode", ["resize", "crop", "fill"])
@pytest.mark.parametrize("size", [(64, 48), (100, 8), (8, 100), (64, 64), (1000, 1), (1, 1000)])
def test_every_mode_makes_the_size_asked_for_and_keeps_an_even_colour(mode: Any, size: tuple[int, int]) -> None:
    made = fitted(Image.new("RGB", size, (10, 200, 30)), mode, 72, 40)
    assert made.size == (72, 40)
    assert made.getcolors() == [(72 * 40, (10, 200, 30))]


def test_crop_keeps_the_middle_and_fill_keeps_all() -> None:
    bars = Image.new("RGB", (96, 32), "red")
    bars.paste("blue", (32, 0, 64, 32))
    cropped = fitted(bars, "crop", 32, 32)
    assert cropped.getpixel((16, 16)) == (0, 0, 255)
    whole = bars.resize((96, 32), Image.Resampling.LANCZOS).crop((32, 0, 64, 32))
    assert abs(pixels(cropped) - pixels(whole)).max() <= 1
    filled = fitted(bars, "fill", 96, 96)
    assert [filled.getpixel((x, 2)) for x in (5, 48, 90)] == [(255, 0, 0), (0, 0, 255), (255, 0, 0)]


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "DPM adaptive"])  # it steps for all at once
def test_a_batch_is_its_singles(back: Back, sampler: str) -> None:
    both = back.run(ask(sampler, denoising_strength=0.6, batch_size=2), Silent()).images
    for made in both:
        alone = back.run(made.request, Silent()).images[0]
        assert abs(pixels(made.image) - pixels(alone.image)).max() <= 3
        assert made.infotext == alone.infotext


@pytest.fixture(scope="module")
def kept(back: Back) -> np.ndarray:
    """The picture after no step of any sampler: through the VAE and back."""
    return pixels(back.run(ask(denoising_strength=0.0, fix_steps=True), Silent()).images[0].image)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_lower_the_strength_the_closer_to_the_picture(back: Back, kept: np.ndarray, sampler: str) -> None:
    near, far = (
        pixels(back.run(ask(sampler, denoising_strength=strength).with_(steps=4), Silent()).images[0].image)
        for strength in (0.0, 1.0)
    )
    assert abs(near - kept).mean() < abs(far - kept).mean()


@pytest.mark.parametrize(("sampler", "steps"), [("Euler", 4), ("DDIM", 2)])
def test_progress_counts_the_steps_that_are_run(back: Back, sampler: str, steps: int) -> None:
    reporter = Silent()
    back.run(ask(sampler, denoising_strength=0.5), reporter)
    assert [one.step for one in reporter.seen if one.phase == "sampling" and one.step] == list(range(1, steps + 1))


def test_noise_multiplier_and_extra_noise_change_the_picture_and_the_text(back: Back) -> None:
    for sampler in ("Euler", "DDIM"):
        plain = back.run(ask(sampler), Silent()).images[0]
        changed = back.run(ask(sampler, noise_multiplier=0.8, extra_noise=0.3), Silent()).images[0]
        assert (pixels(plain.image) != pixels(changed.image)).any()
        assert "Denoising strength: 0.75, RNG: CPU, Noise multiplier: 0.8, Extra noise: 0.3" in changed.infotext
    reading = read_fields(parse(changed.infotext))
    assert len(reading.notices) == 3
    assert reading.request.task.kind == "txt2img"


def test_the_refiner_and_inpainting_checkpoints_take_part(back: Back) -> None:
    refined = ask().with_(refiner=Refiner(checkpoint="tiny-sd1-b", switch_at=0.5))
    assert (
        pixels(back.run(refined, Silent()).images[0].image) != pixels(back.run(ask(), Silent()).images[0].image)
    ).any()
    assert len(back.run(ask(checkpoint="tiny-inpaint", batch_size=2), Silent()).images) == 2


def test_what_cannot_be_done_is_refused_in_words(back: Back) -> None:
    with pytest.raises(BadRequestError, match="at least 8 pixels"):
        back.run(ask(image=Image.new("RGB", (100, 4)), resize_mode="latent"), Silent())


@pytest.mark.parametrize("mode", ["resize", "crop", "fill"])
def test_a_small_picture_is_enlarged_by_the_upscaler_that_was_chosen(mode: FitMode) -> None:
    asked: list[tuple[int, int]] = []

    def grow(picture: Image.Image, width: int, height: int) -> Image.Image:
        asked.append((width, height))
        return picture.resize((width, height), Image.Resampling.NEAREST)

    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    task = Img2Img(image=image, resize_mode=mode)
    [made] = prepared(task, 64, 64, grow).pictures
    assert asked == [{"resize": (64, 64), "crop": (96, 64), "fill": (64, 42)}[mode]]
    if mode == "crop":
        whole = image.resize((96, 64), Image.Resampling.NEAREST)
        assert (np.asarray(made) == np.asarray(whole.crop((16, 0, 80, 64)))).all()
    asked.clear()
    assert prepared(task, 16, 16, grow).pictures[0].size == (16, 16)
    assert asked == [], "a picture that shrinks needs no upscaler"


def test_an_upscaler_that_is_not_there_is_named(back: Back) -> None:
    with pytest.raises(BadRequestError, match=r"task\.resize_upscaler: no 'R-ESRGAN 4x\+'"):
        back.run(ask(resize_upscaler="R-ESRGAN 4x+"), Silent())
