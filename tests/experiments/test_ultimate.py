"""Ultimate SD upscale: what is painted in which order and size, what is answered, and that a tile's surroundings are
enough to paint it.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.experiments.courses import FACTS, painted, run
from webui.domain.errors import BadRequestError
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GeneratedImage, GenerationResult
from webui.experiments.course import Made
from webui.experiments.script import Surroundings
from webui.experiments.ultimate_upscale import ULTIMATE_UPSCALE, factors
from webui.imaging.tile_patches import Board, Patch, window_of
from webui.processing.inpaint import finished, prepared

AROUND = Surroundings(choices={"upscalers": ("None", "Lanczos")}, own_keys=frozenset({"RNG"}))
SEEDED = {"seed": 5, "subseed": 9}


def picture(width: int, height: int) -> Image.Image:
    random = np.random.default_rng(width * height)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))


def request(width: int = 64, height: int = 64, **changes: Any) -> GenerationRequest:
    task = Img2Img(image=Picture.of(picture(width, height)), denoising_strength=0.2)
    return GenerationRequest(prompt="a cat", task=task, width=64, height=64, **{**SEEDED, **changes})


def arguments(**changes: Any) -> list[Any]:
    given = {
        "unused": None, "tile_width": 64, "tile_height": 64, "mask_blur": 4, "padding": 8, "seam_width": 16,
        "seam_strength": 0.35, "seam_padding": 4, "upscaler": 0, "save": True, "redraw": 0, "save_seams": False,
        "seam_blur": 2, "seams": 0, "target": 2, "width": 128, "height": 128, "scale": 2.0,
    }  # fmt: skip
    return list({**given, **changes}.values())


def laid_back(request: GenerationRequest) -> Made:
    """As the back would finish a request whose result is grey: only the masked part changes."""
    if not isinstance(request.task, Img2Img):
        return painted(request)
    canvas = prepared(request.task, request.width, request.height)
    grey = Image.new("RGB", (request.width, request.height), "grey")
    done = finished(canvas, request.task, grey, 0, None).image
    size = f"Size: {request.width}x{request.height}"
    text = f"a cat\nSteps: 20, {size}, Denoising strength: {request.task.denoising_strength}, RNG: CPU, Version: v1"
    return Made(GenerationResult(request, (GeneratedImage(done, request, text, 0, 9),), FACTS))


@pytest.mark.parametrize(
    ("changes", "count", "shown"),
    [
        ({}, 4, 1),
        ({"redraw": 1}, 4, 1),
        ({"redraw": 2, "seams": 1}, 2, 2),
        ({"seams": 2}, 8, 2),
        ({"seams": 3, "redraw": 2}, 5, 2),
        ({"upscaler": 1, "redraw": "None"}, 1, 1),
        ({"tile_width": 128, "tile_height": 0}, 1, 1),
        ({"target": 0}, 1, 1),
        ({"target": 1, "width": 192, "height": 64}, 3, 1),
    ],
)
def test_every_tile_and_seam_is_one_request(changes: dict[str, Any], count: int, shown: int) -> None:
    experiment = ULTIMATE_UPSCALE.start(request(), arguments(**changes), AROUND)
    answer, asked = run(experiment, laid_back)
    assert experiment.count == len(asked) == count
    assert len(answer.pictures) == shown
    assert {one.seed for one in asked} == {5}


def test_chess_paints_one_colour_after_the_other() -> None:
    board = Board((192, 128), (64, 64))
    assert [patch.place for patch in board.tiles(chess=True)] == [
        (0, 0),
        (128, 0),
        (64, 64),
        (64, 0),
        (0, 64),
        (128, 64),
    ]
    assert [patch.place for patch in board.tiles()][:3] == [(0, 0), (64, 0), (128, 0)]


def test_seams_lie_on_the_edges_of_tiles_whatever_the_shape_of_the_picture() -> None:
    board = Board((192, 128), (64, 64))
    bands = [(patch.place, patch.mask.size) for patch in board.bands(16)]
    assert bands == [((56, 0), (16, 128)), ((120, 0), (16, 128)), ((0, 56), (192, 16))]
    for patch in board.bands(16):
        values = np.asarray(patch.mask, np.int32)
        assert values[0, 0] < 32
        assert values[values.shape[0] // 2, values.shape[1] // 2] > 230
    assert len(list(board.half_tiles())) == 3 + 4
    assert [patch.place for patch in board.corners()] == [(32, 32), (96, 32)]


def test_the_text_tells_of_the_whole_picture() -> None:
    changes = {"seams": 1, "upscaler": "lanczos"}
    answer, _ = run(ULTIMATE_UPSCALE.start(request(), arguments(**changes), AROUND), laid_back)
    text = str(answer.infotexts[0]).split("\n")[1]
    told = "upscaler: Lanczos, tile_width: 64, tile_height: 64, mask_blur: 4, padding: 8"
    keys = ", ".join(f"Ultimate SD upscale {one}" for one in told.split(", "))
    # the band has no blur of its own, and A1111 goes on telling that of the tiles
    assert text == f"Steps: 20, Size: 128x128, Denoising strength: 0.35, {keys}, Mask blur: 4, Version: v1"
    assert answer.infotexts[0] == answer.infotexts[1]


def test_a_random_seed_is_drawn_once_for_all_tiles() -> None:
    _, asked = run(ULTIMATE_UPSCALE.start(request(seed=-1), arguments(), AROUND), laid_back)
    assert len({one.seed for one in asked}) == 1
    assert asked[0].seed >= 0


@pytest.mark.parametrize(
    "changes",
    [{"tile_width": 0, "tile_height": 0}, {"scale": 16.0, "tile_width": 2048, "target": 2}, {"redraw": "Spiral"}],
)
def test_what_cannot_be_made_names_the_argument(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="script_args"):
        ULTIMATE_UPSCALE.start(request(640, 640), arguments(**changes), AROUND)


def test_what_asks_for_nothing_says_so() -> None:
    with pytest.raises(BadRequestError, match="nothing is painted anew"):
        run(ULTIMATE_UPSCALE.start(request(), arguments(redraw=2), AROUND), laid_back)


@pytest.mark.parametrize(("target", "expected"), [(2, (2,)), (4, (4,)), (5, (3, 2)), (12, (4, 3)), (1, ())])
def test_the_upscaler_works_in_factors(target: int, expected: tuple[int, ...]) -> None:
    assert factors((100, 80), (100 * target, 80 * target)) == expected


def test_what_is_handed_on_does_not_grow_with_the_picture() -> None:
    def largest(side: int) -> int:
        _, asked = run(ULTIMATE_UPSCALE.start(request(side, side), arguments(), AROUND), laid_back)
        return max(one.task.image.width * one.task.image.height for one in asked if isinstance(one.task, Img2Img))

    assert largest(256) <= largest(192)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_surroundings_of_a_patch_are_enough_to_paint_it(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(40, 160), st.integers(40, 160)))
    place = data.draw(st.tuples(st.integers(-8, size[0] - 1), st.integers(-8, size[1] - 1)))
    shape = data.draw(st.tuples(st.integers(9, 60), st.integers(9, 60)))
    blur, padding = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 20))
    run_size = (8 * data.draw(st.integers(4, 10)), 8 * data.draw(st.integers(4, 10)))
    patch = Patch(place, Image.new("L", shape, 255))
    whole = picture(*size)

    def painted_in(window: tuple[int, int, int, int]) -> tuple[bytes, Image.Image]:
        options = Inpainting(
            mask=Mask.of(patch.within(window)), mask_blur_x=blur, mask_blur_y=blur, area="masked", padding=padding
        )
        task = Img2Img(image=Picture.of(whole.crop(window)), inpainting=options)
        canvas = prepared(task, *run_size)
        done = finished(canvas, task, Image.new("RGB", run_size, "red"), 0, None).image
        result = whole.copy()
        result.paste(done, window[:2])
        return canvas.pictures[0].tobytes(), result

    seen, made = painted_in((0, 0, *size))
    near, made_near = painted_in(window_of(patch, blur, padding, run_size, size))
    assert seen == near
    assert np.array_equal(np.asarray(made), np.asarray(made_near))
