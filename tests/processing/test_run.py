"""The pipeline on the smallest real checkpoint at hand: what must hold for any, without a reference image."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.exact_back import exact_back
from webui.domain.errors import BadRequestError, NotFiniteError, UnknownModelError
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest, Noise, Refiner, Speed
from webui.domain.result import GeneratedImage, Progress
from webui.processing.back import Back
from webui.processing.decode import check_finite, decode, to_image
from webui.processing.preview import preview
from webui.processing.tiling import wrapped_edges
from webui.weights.families.stable_diffusion.members import LATENTS, LATENTS_XL

REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler", steps=6, seed=5, width=64, height=64
)


class Recorder:
    """Remembers what is reported; `stop` decides after each step."""

    def __init__(
        self,
        stop: Callable[[Progress], str] = lambda progress: "",
        finish: Callable[[Progress], bool] = lambda progress: False,
    ) -> None:
        self.seen: list[Progress] = []
        self.images: list[GeneratedImage] = []
        self._stop = stop
        self._finish = finish

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)

    def image(self, image: GeneratedImage) -> None:
        self.images.append(image)

    def stopped(self) -> str:
        return self._stop(self.seen[-1])

    def recorded(self, part: RecordedPart) -> None: ...
    def finishing(self) -> bool:
        return self._finish(self.seen[-1])


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=data / "extensions", preview_every=2)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ SDE", "DDIM", "UniPC", "Restart", "LCM", "DDPM", "PNDM"])
def test_a_batch_is_its_singles(back: Back, sampler: str) -> None:
    both = back.run(REQUEST.with_(sampler=sampler, batch_size=2, steps=4), Recorder()).images
    alone = [back.run(made.request, Recorder()).images[0] for made in both]
    for together, single in zip(both, alone, strict=True):
        assert abs(pixels(together.image) - pixels(single.image)).max() <= 3
        assert together.infotext == single.infotext


def test_an_approximation_is_told_in_the_text_and_ends_with_its_job(back: Back) -> None:
    exact = back.run(REQUEST, Recorder()).images[0]
    faster = back.run(REQUEST.with_(speed=Speed(block_cache=0.9, text_gate=0.5)), Recorder()).images[0]
    assert (pixels(faster.image) != pixels(exact.image)).any()
    assert "First block cache: 0.9, T-GATE: 0.5" in faster.infotext
    assert (pixels(back.run(REQUEST, Recorder()).images[0].image) == pixels(exact.image)).all()


def test_batches_one_after_another_are_one_batch(back: Back) -> None:
    wide = back.run(REQUEST.with_(batch_size=2), Recorder()).images
    long = back.run(REQUEST.with_(n_iter=2), Recorder()).images
    assert [made.request.seed for made in wide] == [made.request.seed for made in long] == [5, 6]
    assert abs(pixels(wide[1].image) - pixels(long[1].image)).max() <= 2


def test_a_drawn_seed_makes_the_image_again(back: Back) -> None:
    first = back.run(REQUEST.with_(seed=-1), Recorder()).images[0]
    again = back.run(first.request, Recorder()).images[0]
    assert first.request.seed >= 0
    assert (pixels(first.image) == pixels(again.image)).all()


def test_progress_goes_through_the_phases_and_shows_previews(back: Back) -> None:
    recorder = Recorder()
    back.run(REQUEST.with_(n_iter=2), recorder)
    phases = list(dict.fromkeys(one.phase for one in recorder.seen))
    assert phases == ["loading", "encoding", "sampling", "decoding"]
    assert [one.step for one in recorder.seen if one.preview] == [2, 4, 6] * 2
    fractions = [one.fraction for one in recorder.seen]
    assert fractions == sorted(fractions)
    assert [made.index for made in recorder.images] == [0, 1]


def test_an_interrupt_keeps_what_is_there(back: Back) -> None:
    recorder = Recorder(lambda progress: "interrupt" if (progress.batch, progress.step) == (1, 3) else "")
    result = back.run(REQUEST.with_(n_iter=3), recorder)
    assert result.interrupted
    assert len(result.images) == 2
    assert [one.batch for one in recorder.seen][-1] == 1


def test_a_job_that_is_to_finish_makes_the_batch_in_work_whole_and_no_other(back: Back) -> None:
    whole = back.run(REQUEST.with_(n_iter=3, batch_size=2, steps=2), Recorder())
    recorder = Recorder(finish=lambda progress: True)
    result = back.run(REQUEST.with_(n_iter=3, batch_size=2, steps=2), recorder)
    assert result.interrupted
    assert [made.index for made in result.images] == [0, 1]
    for made, one in zip(result.images, whole.images, strict=False):
        assert (made.infotext, pixels(made.image).tobytes()) == (one.infotext, pixels(one.image).tobytes())
    alone = back.run(REQUEST.with_(steps=2), Recorder(finish=lambda progress: True))
    assert not alone.interrupted  # there was nothing that it did not make


def test_a_skip_ends_its_batch_alone(back: Back) -> None:
    recorder = Recorder(lambda progress: "skip" if (progress.batch, progress.step) == (0, 2) else "")
    result = back.run(REQUEST.with_(n_iter=2), recorder)
    assert not result.interrupted
    assert len(result.images) == 2
    whole = back.run(REQUEST.with_(seed=6), Recorder())
    assert (pixels(result.images[1].image) == pixels(whole.images[0].image)).all()


def test_of_a_job_that_goes_on_whole_batches_are_left_out_and_the_rest_is_what_it_would_have_been(back: Back) -> None:
    request = REQUEST.with_(n_iter=3, batch_size=2, steps=2, subseed=9)
    whole = {made.index: made for made in back.run(request, Recorder()).images}
    recorder = Recorder()
    rest = back.run(request, recorder, frozenset({0, 1, 3})).images
    assert [made.index for made in rest] == [made.index for made in recorder.images] == [2, 4, 5]
    for made in rest:
        assert (made.infotext, made.subseed) == (whole[made.index].infotext, whole[made.index].subseed)
        assert (pixels(made.image) == pixels(whole[made.index].image)).all()
    assert {one.batch for one in recorder.seen if one.phase == "sampling"} == {1, 2}
    assert back.run(request, Recorder(), frozenset(range(6))).images == ()


def test_the_next_request_is_not_touched_by_what_came_before(back: Back) -> None:
    request = REQUEST.with_(steps=2)
    plain = back.run(request, Recorder()).images[0]
    for other in (
        request.with_(tiling=True),
        request.with_(clip_skip=2),
        request.with_(checkpoint="tiny-vpred"),
        request.with_(refiner=Refiner(checkpoint="tiny-sd1-b", switch_at=0.5)),
        request.with_(noise=Noise(source="NV", ensd=31337)),
    ):
        changed = back.run(other, Recorder()).images[0]
        assert (pixels(plain.image) != pixels(changed.image)).any()
    assert (pixels(back.run(request, Recorder()).images[0].image) == pixels(plain.image)).all()


def test_tags_nobody_handles_are_cut_out_with_a_notice(back: Back) -> None:
    tagged = back.run(REQUEST.with_(prompt="a red cat<lora:ink:0.8>"), Recorder())
    assert any("<lora:ink:0.8>" in notice.text for notice in tagged.notices)
    assert (pixels(tagged.images[0].image) == pixels(back.run(REQUEST, Recorder()).images[0].image)).all()


def test_models_that_are_not_there_are_named(back: Back) -> None:
    with pytest.raises(UnknownModelError, match="nothing-like-it"):
        back.run(REQUEST.with_(checkpoint="nothing-like-it"), Recorder())
    with pytest.raises(BadRequestError, match=r"refiner\.checkpoint"):
        back.run(REQUEST.with_(refiner=Refiner(checkpoint="nothing-like-it")), Recorder())


def test_stopped_at_the_first_step_is_cancelled_or_shows_that_step(back: Back) -> None:
    """After one step there is an estimate, so there is a picture."""
    result = back.run(REQUEST, Recorder(lambda progress: "interrupt"))
    assert result.interrupted
    assert len(result.images) == 1


def test_latents_that_are_not_finite_name_the_checkpoint() -> None:
    with pytest.raises(NotFiniteError, match=r"ink\.safetensors.*step 7"):
        check_finite(torch.tensor([0.0, float("nan")]), "ink.safetensors", 7)
    check_finite(torch.zeros(2), "ink.safetensors", 7)


def test_pixels_are_truncated_to_eight_bits() -> None:
    image = to_image(torch.tensor([0.999, 0.5, -1.0]).reshape(3, 1, 1))
    assert image.getpixel((0, 0)) == (254, 127, 0)


def test_pixels_are_edited_before_they_are_truncated() -> None:
    model: Any = SimpleNamespace(vae=SimpleNamespace(decode=lambda one: (one[:, :3] / 255).half()))
    latents = torch.full((2, 4, 1, 1), 3.75)
    [plain, _] = decode(latents, model, tiled=False)
    assert plain.getpixel((0, 0)) == (3, 3, 3)
    brighter = decode(latents, model, tiled=False, edit=lambda pixels, place: pixels + (place + 0.375) / 255)
    assert [image.getpixel((0, 0)) for image in brighter] == [(4, 4, 4), (5, 5, 5)]


def test_a_preview_is_a_jpeg_of_the_pictures_shape() -> None:
    with Image.open(io.BytesIO(preview(torch.randn(2, 4, 8, 16), LATENTS_XL))) as image:
        assert (image.format, image.size) == ("JPEG", (128, 64))
    with Image.open(io.BytesIO(preview(torch.full((1, 4, 200, 100), float("nan")), LATENTS))) as image:
        assert image.size == (256, 512)


def test_wrapped_edges_are_put_back_after_a_fault() -> None:
    layer = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    torch.nn.init.ones_(layer.weight)
    picture = torch.zeros(1, 1, 4, 4)
    picture[..., 0] = 1
    flat = layer(picture)

    def work() -> None:
        with wrapped_edges([layer]):
            assert layer(picture)[0, 0, 1, 3] > 0
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        work()
    torch.testing.assert_close(layer(picture), flat)
