"""guidance, wildcards and step_film in the program, on a tiny checkpoint."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.processing.reporters import Silent
from webui.domain.inpainting import Inpainting
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.output.parse import parse
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
REQUEST = GenerationRequest(
    prompt="a cat", checkpoint="tiny-sd1", sampler="Euler", steps=4, seed=5, width=64, height=64
)


@pytest.fixture(scope="module")
def back(bundled_back: Back) -> Back:
    return bundled_back


def made(back: Back, **changes: object) -> GenerationResult:
    result = back.run(REQUEST.with_(**changes), Silent())
    assert not result.notices
    return result


def pixels(result: GenerationResult) -> np.ndarray:
    return np.asarray(result.images[0].image)


@pytest.mark.parametrize(("sampler", "steps"), [("Euler", 4), ("DDIM", 3)])  # DDIM walks between its timesteps
def test_a_film_is_shown_and_changes_nothing(sampler: str, steps: int, back: Back) -> None:
    plain = made(back, sampler=sampler, n_iter=2)
    filmed = made(back, sampler=sampler, n_iter=2, extensions={"step_film": {"side": 64}})
    assert np.array_equal(pixels(plain), pixels(filmed))
    assert not plain.extras
    assert [strip.size for strip in filmed.extras] == [(56 + steps * 68, 24 + 3 * 68 + 20 + 96)] * 2


def test_guidance_acts_and_is_off_by_default(back: Back) -> None:
    plain = pixels(made(back, cfg_scale=15))
    assert np.array_equal(plain, pixels(made(back, cfg_scale=15, extensions={"guidance": {}})))
    for options in ({"rescale": 0.7}, {"threshold": True}, {"end": 0.5}):
        assert not np.array_equal(plain, pixels(made(back, cfg_scale=15, extensions={"guidance": options})))
    only_prompt = pixels(made(back, cfg_scale=15, extensions={"guidance": {"start": 1}}))
    alone = pixels(made(back, cfg_scale=1))
    # The one calls the network with two rows and the other with one; a processor may add up in another order for each,
    # which moves a value past the edge of its 8-bit step here and there.
    assert np.abs(only_prompt.astype(int) - alone).max() <= 1
    assert np.abs(plain.astype(int) - alone).max() > 1


def test_wildcards_are_decided_by_the_seed_and_written_down(back: Back) -> None:
    prompt = "a {red|blue|green|black} __colour__ cat"
    first = made(back, prompt=prompt, extensions={"wildcards": {}})
    again = made(back, prompt=prompt, extensions={"wildcards": {}})
    assert first.request.prompt == again.request.prompt
    assert parse(first.images[0].infotext)["Template"] == prompt
    assert "{" not in first.images[0].infotext.partition("\n")[0]
    assert np.array_equal(pixels(first), pixels(made(back, prompt=first.request.prompt)))
    assert made(back, prompt=prompt).request.prompt == prompt


def test_each_image_of_a_request_has_a_prompt_of_its_own(back: Back) -> None:
    asked = {"prompt": "a {red|blue|green|black|white|pink} cat", "extensions": {"wildcards": {}}}
    several = made(back, **asked, n_iter=2, batch_size=2).images
    assert len({image.request.prompt for image in several}) > 1
    for image in several:
        alone = made(back, **asked, seed=image.request.seed).images[0]
        assert parse(alone.infotext)["Prompt"] == parse(image.infotext)["Prompt"] == image.request.prompt
        difference = np.abs(np.asarray(alone.image, np.int16) - np.asarray(image.image, np.int16))
        assert difference.max() <= 1


@pytest.mark.parametrize("starts_from_a_picture", [False, True])
def test_combinations_fill_batches_and_the_last_may_be_smaller(back: Back, starts_from_a_picture: bool) -> None:
    changes: dict[str, object] = {"batch_size": 2, "n_iter": 7}
    if starts_from_a_picture:
        grey = Image.new("RGB", (64, 64), "grey")
        half = Image.linear_gradient("L").resize((64, 64))
        changes["task"] = Img2Img(image=grey, inpainting=Inpainting(mask=half, content="noise", area="whole"))
    wished = {"wildcards": {"combinatorial": True}}
    result = made(back, prompt="a {red|blue|green} cat", extensions=wished, **changes)
    assert [image.request.prompt for image in result.images] == [f"a {one} cat" for one in ("red", "blue", "green")]
    assert [image.request.seed for image in result.images] == [5, 6, 7]
    assert (result.request.n_iter, result.request.batch_size) == (2, 2)
    if not starts_from_a_picture:  # there the noise in the masked part is drawn for the first batch
        alone = made(back, prompt="a green cat", seed=7).images[0]
        difference = np.abs(np.asarray(alone.image, np.int16) - np.asarray(result.images[2].image, np.int16))
        assert difference.max() <= 1


def test_images_that_need_different_networks_are_made_one_by_one(back: Back) -> None:
    prompt = "a cat{ <lora:tiny-lora:1>|}"
    several = made(back, prompt=prompt, extensions={"wildcards": {}}, seed=0, batch_size=4).images
    assert [image.request.seed for image in several] == [0, 1, 2, 3]
    assert len({image.request.prompt for image in several}) == 2
    for image in several:
        assert ("Lora hashes" in image.infotext) == ("<lora" in image.request.prompt)
        alone = made(back, prompt=image.request.prompt, seed=image.request.seed).images[0]
        assert np.array_equal(np.asarray(alone.image), np.asarray(image.image))
