"""Noise in a picture of one's own: what is drawn and measured, on the miniature, which was trained."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from webui.domain.errors import Cancelled
from webui.domain.extensions import ActionProgress
from webui.domain.images import Picture
from webui.domain.noised_picture import LEVELS, NoisedPicture
from webui.domain.request import GenerationRequest, Img2Img
from webui.processing.back import Back


def _circle() -> Image.Image:
    image = Image.new("RGB", (128, 128), (40, 70, 220))
    ImageDraw.Draw(image).ellipse((40, 40, 88, 88), fill=(220, 30, 30))
    return image


REQUEST = GenerationRequest(
    prompt="a red circle on a blue background", checkpoint="mini", sampler="Euler", steps=1, seed=7,
    width=128, height=128, task=Img2Img(image=Picture.of(_circle())),
)  # fmt: skip


@pytest.fixture(scope="module")
def found(back: Back) -> NoisedPicture:
    told: list[ActionProgress] = []
    found = back.noised(REQUEST, told.append, lambda: False)
    assert [one.done for one in told] == [*range(1, LEVELS + 1)]
    return found


def _tile(found: NoisedPicture, kind: int, level: int) -> np.ndarray:
    """Kinds are 0 noised, 1 predicted, 2 clean."""
    width, height = found.tile
    left, top = level % found.columns * width, (1 + 2 * kind + level // found.columns) * height
    return np.asarray(found.atlas.crop((left, top, left + width, top + height)), np.float32)


def test_the_loss_falls_with_the_timestep(found: NoisedPicture) -> None:
    """A trace of noise is hard to tell from the picture; almost pure noise is told as what it is."""
    losses = np.array(found.losses)
    assert len(losses) == LEVELS
    assert losses[0] == losses.max()
    thirds = [float(part.mean()) for part in np.array_split(losses, 3)]
    assert thirds[0] > thirds[1] > thirds[2]
    assert losses[-1] < losses[0] / 20


def test_little_noise_leaves_the_picture_and_much_leaves_none(found: NoisedPicture) -> None:
    clean = np.asarray(_circle().resize(found.tile), np.float32)
    away = [float(np.abs(_tile(found, 0, level) - clean).mean()) for level in range(LEVELS)]
    assert away[0] < 12
    assert away[-1] > 2 * away[0]
    assert float(np.abs(_tile(found, 2, 0) - clean).mean()) < 12  # the clean estimate at the lowest level


def test_the_predicted_noise_becomes_the_true_one(found: NoisedPicture) -> None:
    width, height = found.tile
    true = np.asarray(found.atlas.crop((0, 0, width, height)), np.float32)
    away = [float(np.abs(_tile(found, 1, level) - true).mean()) for level in range(LEVELS)]
    assert away[-1] < 6
    assert away[0] > away[LEVELS // 2] > away[-1] * 0.9


def test_it_ends_within_a_level(back: Back) -> None:
    with pytest.raises(Cancelled):
        back.noised(REQUEST, lambda progress: None, lambda: True)
