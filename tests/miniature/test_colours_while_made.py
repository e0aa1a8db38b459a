"""What is shown while a picture is made has the colours of the picture: previews, and the frames of a step film."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d

from extensions.step_film.frames import frame
from tests.miniature.painting import drawn, pixels
from tools.train_mini.judge import judge
from tools.train_mini.scenes import COLOURS, Thing
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Progress
from webui.library.library import ModelLibrary
from webui.processing.back import Back
from webui.processing.preview import preview
from webui.sampling.colours import latent_colours
from webui.sampling.steps import Step
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model, load_vae
from webui.weights.model import LoadedModel

MODELS = Path(__file__).parents[2] / "models"
ROUND = Thing("circle", "red", 64.0, 64.0, 30.0)
MIDDLE, CORNER = (slice(56, 72), slice(56, 72)), (slice(0, 16), slice(0, 16))


class Keeping:
    """Keeps the previews of a job."""

    def __init__(self) -> None:
        self.previews: list[bytes] = []

    def progress(self, progress: Progress) -> None:
        if progress.preview is not None:
            self.previews.append(progress.preview)

    def image(self, image: GeneratedImage) -> None: ...

    def stopped(self) -> str:
        return ""

    def recorded(self, part: RecordedPart) -> None: ...
    def finishing(self) -> bool:
        return False


def nearest(picture: Image.Image, place: tuple[slice, slice]) -> str:
    """The name of the colour that a part of a picture is nearest to."""
    mean = pixels(picture.convert("RGB").resize((128, 128)))[place].mean(axis=(0, 1))
    return min(COLOURS, key=lambda name: float(np.linalg.norm(mean - np.array(COLOURS[name]))))


def miniature(folder: Path) -> LoadedModel:
    library = ModelLibrary(MODELS, folder, FAMILIES)
    return load_model(library, library.checkpoint("mini"), None, torch.device("cpu"), torch.float32)


def test_the_preview_of_a_red_circle_is_red(tmp_path: Path) -> None:
    model = miniature(tmp_path)
    picture = drawn(ROUND)
    latents = model.vae.encode(torch.from_numpy(pixels(picture)).permute(2, 0, 1)[None].float() / 255)
    shown = Image.open(io.BytesIO(preview(latents, model.latents)))
    assert (nearest(shown, MIDDLE), nearest(shown, CORNER)) == ("red", "blue")
    level = torch.tensor(0.1)
    film = frame(Step(0, 1, level, level), latents[0], latents[0], model.latents, 128)
    assert nearest(film.pictures[-1], MIDDLE) == "red"
    family = Image.open(io.BytesIO(preview(latents, model.spec.latents)))
    assert nearest(family, MIDDLE) != "red"  # which is why the colours are fitted


@pytest.mark.parametrize("name", ["mini", "mini-dusk", "mini-inpainting"])
def test_previews_of_the_checkpoints_that_ship_are_true(name: str, tmp_path: Path) -> None:
    """The mean error of a preview's colours, 0 to 1, against the decoded picture is below 0.1 (it is 0.08)."""
    library = ModelLibrary(MODELS, tmp_path, FAMILIES)
    file = library.checkpoint(name)
    vae = load_vae(library, file, None, library.spec(file), torch.device("cpu"), torch.float32)
    form, errors = vae.seen(library.spec(file).latents), []
    assert vae.colours is vae.colours  # found once
    for number, colour in enumerate(("red", "green", "blue", "yellow", "white", "black")):
        shape = ("circle", "square", "triangle")[number % 3]
        picture = torch.from_numpy(pixels(drawn(Thing(shape, colour, 64.0, 64.0, 20.0 + 4 * number))))
        latents = vae.encode(picture.permute(2, 0, 1)[None].float() / 255)
        decoded = avg_pool2d(vae.decode(latents), form.cell)[0].permute(1, 2, 0)
        errors.append(float((decoded - latent_colours(latents[0], form).float() / 255).abs().mean()))
    assert sum(errors) / len(errors) < 0.1


def test_the_last_preview_of_a_job_looks_like_its_picture(back: Back) -> None:
    request = GenerationRequest(
        prompt="a red circle on a blue background", checkpoint="mini", steps=15, cfg_scale=5.0, seed=1,
        width=128, height=128,
    )  # fmt: skip
    keeping = Keeping()
    made = back.run(request, keeping).images[0].image
    circle = judge(made).objects[0]
    place = (slice(int(circle.y) - 6, int(circle.y) + 6), slice(int(circle.x) - 6, int(circle.x) + 6))
    shown = Image.open(io.BytesIO(keeping.previews[-1]))
    assert nearest(made, place) == nearest(shown, place) == "red"
