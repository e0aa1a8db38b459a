"""Enlarging pictures: sizes, passes, and tiles that must not be seen."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from webui.domain.errors import Cancelled
from webui.domain.upscale import Upscale
from webui.imaging.extras_picture import Whole, enlarge
from webui.imaging.upscale import (
    LANCZOS,
    NEAREST,
    Pixels,
    UpscalerPass,
    by_filter,
    by_model,
    places,
    resized,
    rounded,
    upscale,
)


class Doubler:
    """A network that doubles every pixel, and remembers the tiles it was given."""

    scale = 2

    def __init__(self, *, averages: bool = False) -> None:
        self.averages = averages
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, pixels: Pixels) -> Pixels:
        self.seen.append(pixels.shape[:2])
        return pixels.repeat(2, axis=0).repeat(2, axis=1)


def noisy(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def silent(done: int, total: int) -> None: ...


def pass_of(name: str, scale: float, whole: Whole = rounded) -> UpscalerPass:
    return by_filter(scale, NEAREST if name == "Nearest" else LANCZOS, whole)


@pytest.mark.parametrize("averages", [False, True])
@pytest.mark.parametrize("size", [(40, 30), (97, 33), (33, 97), (100, 100), (200, 70)])
def test_tiles_are_not_to_be_seen(size: tuple[int, int], averages: bool) -> None:
    model, image = Doubler(averages=averages), noisy(*size)
    tiled = by_model(model, silent, tile=32, overlap=8)(image)
    whole = by_model(Doubler(), silent, tile=0)(image)
    assert tiled.size == whole.size == (size[0] * 2, size[1] * 2)
    assert abs(np.asarray(tiled).astype(int) - np.asarray(whole).astype(int)).max() <= 1
    assert len(model.seen) > 1
    assert all(max(tile) <= 32 for tile in model.seen)


@pytest.mark.parametrize("length", [5, 32, 33, 60, 200, 1001])
def test_tiles_cover_a_side_and_overlap(length: int) -> None:
    found = places(length, 32, 8)
    assert found[0] == 0
    assert found[-1] + 32 >= length
    assert all(0 < after - before <= 24 for before, after in pairwise(found))


def test_progress_is_told_and_a_stop_is_heard_between_tiles() -> None:
    seen: list[tuple[int, int]] = []
    by_model(Doubler(), lambda *place: seen.append(place), tile=32, overlap=8)(noisy(60, 60))
    assert seen == [(done, 9) for done in range(10)]

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Cancelled("stopped")

    model = Doubler()
    with pytest.raises(Cancelled):
        by_model(model, stop, tile=32, overlap=8)(noisy(60, 60))
    assert len(model.seen) == 2


def test_passes_are_repeated_until_the_size_is_reached() -> None:
    model = Doubler()
    assert upscale(noisy(20, 10), 3, by_model(model, silent)).size == (60, 30)
    assert model.seen == [(10, 20), (20, 40)]
    once = Doubler()
    assert upscale(noisy(20, 10), 1, by_model(once, silent)).size == (20, 10)
    assert len(once.seen) == 1


@pytest.mark.parametrize("name", ["Lanczos", "Nearest"])
@pytest.mark.parametrize(("scale", "size"), [(1, (37, 53)), (1.37, (51, 73)), (4, (148, 212))])
def test_odd_sizes_keep_their_proportions(name: str, scale: float, size: tuple[int, int]) -> None:
    image = noisy(37, 53)
    assert upscale(image, scale, by_model(Doubler(), silent)).size == size
    made = upscale(image, scale, pass_of(name, scale))
    assert made.size == size
    direct = image.resize(size, NEAREST if name == "Nearest" else LANCZOS)
    assert (np.asarray(made) == np.asarray(direct)).all()  # one pass, not two


@pytest.mark.parametrize(
    ("size", "scale", "exact", "cut"),
    [
        ((200, 152), 1.5, (300, 228), (296, 224)),
        ((200, 152), 1.25, (250, 190), (248, 184)),
        ((37, 53), 1, (37, 53), None),
    ],
)
def test_only_pictures_in_eights_are_cut_down_to_eights_and_only_where_asked(
    size: tuple[int, int], scale: float, exact: tuple[int, int], cut: tuple[int, int] | None
) -> None:
    image = noisy(*size)
    options = Upscale(images=(image,), upscaler="Nearest", scale=scale)
    assert enlarge(image, options, pass_of)[0].size == exact
    as_a1111, _ = enlarge(image, options.model_copy(update={"in_eights": True}), pass_of)
    grown = image.resize(exact, NEAREST)  # A1111 brings what its pass made to size by Lanczos
    assert (np.asarray(as_a1111) == np.asarray(grown if cut is None else grown.resize(cut, LANCZOS))).all()


@pytest.mark.parametrize("crop", [True, False])
def test_to_a_size_keeps_the_proportions(crop: bool) -> None:
    options = Upscale(images=(noisy(37, 53),), mode="to", width=100, height=100, crop=crop)
    made, _ = enlarge(noisy(37, 53), options, pass_of)
    assert made.size == ((100, 100) if crop else (100, 143))


def test_a_picture_that_shrinks_needs_no_upscaler() -> None:
    def never(scale: float) -> UpscalerPass:
        raise AssertionError

    assert resized(noisy(64, 32), 20, 10, never).size == (20, 10)


def test_transparency_is_kept_and_grey_becomes_rgb() -> None:
    clear = noisy(20, 10)
    clear.putalpha(Image.new("L", clear.size, 77))
    made = by_model(Doubler(), silent)(clear)
    assert made.mode == "RGBA"
    assert made.getchannel("A").getextrema() == (77, 77)


def test_extras_blends_two_upscalers() -> None:
    image = noisy(16, 16)
    options = Upscale(images=(image,), upscaler="Nearest", second_upscaler="Lanczos", second_visibility=0.25)
    made, text = enlarge(image, options, pass_of)
    nearest, lanczos = (image.resize((32, 32), resample) for resample in (NEAREST, LANCZOS))
    assert (np.asarray(made) == np.asarray(Image.blend(nearest, lanczos, 0.25))).all()
    assert text == "Postprocess upscale by: 2.0, Postprocess upscaler: Nearest, Postprocess upscaler 2: Lanczos"


@pytest.mark.parametrize(("crop", "size"), [(True, (64, 48)), (False, (64, 64))])
def test_extras_to_a_size_covers_it_and_crops_where_asked(crop: bool, size: tuple[int, int]) -> None:
    options = Upscale(images=(noisy(16, 16),), mode="to", width=64, height=48, crop=crop)
    made, text = enlarge(noisy(16, 16), options, pass_of)
    assert made.size == size
    assert text.startswith("Postprocess upscale to: 64x48")
    assert ("Postprocess crop to: 64x48" in text) is crop


def test_the_longer_side_grows_no_further_than_allowed() -> None:
    options = Upscale(images=(noisy(32, 16),), scale=8, max_side=64)
    made, text = enlarge(noisy(32, 16), options, pass_of)
    assert made.size == (64, 32)
    assert "Max side length: 64" in text


def test_no_upscaler_leaves_the_picture_alone() -> None:
    image = noisy(9, 7)
    assert enlarge(image, Upscale(images=(image,), upscaler="None"), pass_of) == (image, "")


def test_pictures_that_would_grow_too_large_are_refused() -> None:
    with pytest.raises(ValueError, match="megapixels"):
        Upscale(images=(noisy(2000, 2000),), scale=8)
