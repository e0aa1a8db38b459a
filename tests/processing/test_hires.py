"""Hires fix and Extras through the whole pipeline: what must hold of any run, without a reference image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.exact_back import exact_back
from tests.narrowing import known, txt2img
from webui.domain.errors import BadRequestError, Cancelled
from webui.domain.hires import Hires
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest, Refiner, TokenMerging, Txt2Img
from webui.domain.result import GeneratedImage, Progress, where_stopped
from webui.domain.upscale import Upscale
from webui.processing.back import Back
from webui.processing.hires import second_plan
from webui.processing.plan import Walk, make_plan

NOISY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


class Recorder:
    """Remembers what is reported; `stop` decides after each report."""

    def __init__(self, stop: Callable[[Progress], str] = lambda progress: "") -> None:
        self.seen: list[Progress] = []
        self._stop = stop

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)

    def image(self, image: GeneratedImage) -> None: ...
    def stopped(self) -> str:
        return self._stop(self.seen[-1])

    def recorded(self, part: RecordedPart) -> None: ...
    def finishing(self) -> bool:
        return False


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, preview_every=0)


def ask(first_pass: Image.Image | None = None, **hires: Any) -> GenerationRequest:
    options = Hires(**{"enabled": True, "scale": 1.5, "upscaler": "Latent", **hires})
    return GenerationRequest(
        task=Txt2Img(hires=options, first_pass=first_pass), prompt="a red cat", checkpoint="tiny-sd1",
        sampler="Euler", steps=3, seed=5, width=64, height=64,
    )  # fmt: skip


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def test_the_second_plan_changes_what_the_options_say_and_nothing_else() -> None:
    first = make_plan(ask(steps=4, sampler="Heun", prompt="a dog", denoising_strength=0.5, cfg_scale=3))
    second = second_plan(first, known(txt2img(first.request).hires), 8)
    assert (first.walk, first.calls) == (Walk(3, 3), 3)
    assert (second.walk, second.calls, second.base_calls) == (Walk(8, 4), 8, 3)
    assert (second.request.width, second.request.height, second.text_size) == (96, 96, (96, 96))
    assert (second.prompt, second.request.cfg_scale) == ("a dog", 3)
    assert [one.seeds for one in second.batches] == [one.seeds for one in first.batches]
    assert {text.prompt for batch in second.batches for text in batch.texts} == {"a dog"}


@pytest.mark.parametrize("upscaler", ["Latent (nearest-exact)", "Nearest"])
def test_a_batch_is_its_singles(back: Back, upscaler: str) -> None:
    """Of a size with other proportions than the first pass has: what lies beyond it is cut off."""
    to_size = ask(upscaler=upscaler, resize_width=96, resize_height=80)
    for made in back.run(to_size.with_(batch_size=2), Recorder()).images:
        alone = back.run(made.request, Recorder()).images[0]
        assert made.image.size == (96, 80)
        assert abs(pixels(made.image) - pixels(alone.image)).max() <= 6  # of pictures, the encoder's draw differs
        assert made.infotext == alone.infotext


@pytest.mark.parametrize("upscaler", ["Latent", "Lanczos"])
def test_a_finished_picture_takes_the_place_of_the_first_pass(back: Back, upscaler: str) -> None:
    recorder = Recorder()
    made = back.run(ask(NOISY, upscaler=upscaler, denoising_strength=0.0), recorder).images[0]
    assert made.image.size == (96, 96)
    assert [one.step for one in recorder.seen if one.phase == "sampling" and one.step] == []
    if upscaler == "Lanczos":  # a picture that has the size already goes in as it is
        large = NOISY.resize((96, 96), Image.Resampling.LANCZOS)
        again = back.run(ask(large, upscaler=upscaler, denoising_strength=0.0), Recorder()).images[0]
        assert (pixels(again.image) == pixels(made.image)).all()


def test_progress_counts_both_passes(back: Back) -> None:
    recorder = Recorder()
    back.run(ask(steps=2), recorder)
    sampling = [(one.step, one.steps) for one in recorder.seen if one.phase == "sampling" and one.step]
    assert sampling == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("step", [2, 4])
def test_stopped_in_either_pass_there_is_a_picture(back: Back, step: int) -> None:
    result = back.run(ask(), Recorder(lambda progress: "interrupt" if progress.step == step else ""))
    assert result.interrupted
    assert result.images[0].image.size == ((64, 64) if step == 2 else (96, 96))
    assert where_stopped(result.notices, 0) == f"stopped at step {step} of 6"
    assert where_stopped(result.notices, 1) == ""


@pytest.mark.parametrize("first_pass", [None, NOISY])
def test_a_skip_ends_its_batch_alone(back: Back, first_pass: Image.Image | None) -> None:
    request = ask(first_pass).with_(n_iter=2)
    recorder = Recorder(lambda progress: "skip" if (progress.batch, progress.step) == (0, 2) else "")
    skipped, whole = back.run(request, recorder), back.run(request, Recorder())
    assert len(skipped.images) == len(whole.images) == 2
    assert (pixels(skipped.images[1].image) == pixels(whole.images[1].image)).all()
    assert [bool(where_stopped(skipped.notices, index)) for index in range(2)] == [True, False]


def test_checkpoint_refiner_and_merging_take_part(back: Back) -> None:
    plain = pixels(back.run(ask(), Recorder()).images[0].image)
    changed = [
        ask(checkpoint="tiny-sd1-b"),
        ask().with_(refiner=Refiner(checkpoint="tiny-sd1-b", switch_at=0.01)),
        ask(refiner_pass="first pass").with_(refiner=Refiner(checkpoint="tiny-sd1-b", switch_at=0.01)),
        ask().with_(token_merging=TokenMerging(hires_ratio=0.5)),
        ask(extra_noise=0.5),
    ]
    made = [pixels(back.run(request, Recorder()).images[0].image) for request in changed]
    assert all((one != plain).any() for one in made)
    assert (made[1] != made[2]).any()
    assert (pixels(back.run(ask(), Recorder()).images[0].image) == plain).all()  # nothing stays behind


def test_what_is_not_there_is_named(back: Back) -> None:
    with pytest.raises(BadRequestError, match=r"task\.hires\.upscaler: no 'R-ESRGAN 4x\+'"):
        back.run(ask(upscaler="R-ESRGAN 4x+"), Recorder())
    with pytest.raises(BadRequestError, match=r"task\.hires\.checkpoint"):
        back.run(ask(checkpoint="nothing-like-it"), Recorder())


def test_inpainting_checkpoints_have_a_second_pass(back: Back) -> None:
    assert back.run(ask().with_(checkpoint="tiny-inpaint"), Recorder()).images[0].image.size == (96, 96)


def extras(count: int = 2, **options: Any) -> GenerationRequest:
    return GenerationRequest(task=Upscale(images=(NOISY,) * count, **options))


def test_extras_makes_pictures_without_a_checkpoint(back: Back) -> None:
    result = back.run(extras(scale=1.5, upscaler="Nearest"), Recorder())
    assert [made.image.size for made in result.images] == [(96, 96)] * 2
    assert result.images[1].infotext == "Postprocess upscale by: 1.5, Postprocess upscaler: Nearest"
    rest = back.run(extras(scale=1.5, upscaler="Nearest"), Recorder(), frozenset({0}))
    assert [made.index for made in rest.images] == [made.index for made in result.images[1:]]
    again = back.run(result.images[1].request, Recorder())
    assert (pixels(again.images[0].image) == pixels(result.images[1].image)).all()


def test_extras_is_stopped_between_pictures(back: Back) -> None:
    result = back.run(extras(3), Recorder(lambda progress: "interrupt" if progress.batch == 1 else ""))
    assert (len(result.images), result.interrupted) == (1, True)
    with pytest.raises(Cancelled):
        back.run(extras(), Recorder(lambda progress: "interrupt"))
    with pytest.raises(BadRequestError, match=r"task\.second_upscaler"):
        back.run(extras(second_upscaler="nothing-like-it"), Recorder())
