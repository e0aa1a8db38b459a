"""Films of a run: as many frames as steps, of even sizes, decodable, and with the cells that were recorded."""

import io
from collections.abc import Sequence

import av
import numpy as np
import pytest
from PIL import Image

from webui.imaging.step_film import HEAT, HELD, MOST_STEPS, SMALLEST, Film, FilmRow, film_file

STEPS, CELLS = 5, (6, 9)  # height, width: an odd number of them


def strips(squares: int = 3, steps: int = STEPS, cells: tuple[int, int] = CELLS) -> list[bytes]:
    generator = np.random.default_rng(1)
    return [png(generator.integers(0, 255, (cells[0], squares * cells[1], 3), dtype=np.uint8)) for _ in range(steps)]


def png(values: np.ndarray) -> bytes:
    kept = io.BytesIO()
    Image.fromarray(values).save(kept, "PNG")
    return kept.getvalue()


def seen(data: bytes, kind: str) -> Sequence[np.ndarray]:
    if kind == "mp4":
        with av.open(io.BytesIO(data), "r") as container:
            [stream] = container.streams.video
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    image = Image.open(io.BytesIO(data))
    found = []
    for at in range(getattr(image, "n_frames", 1)):
        image.seek(at)
        found.append(np.asarray(image.convert("RGB")))
    return found


@pytest.mark.parametrize(("row", "place"), [("noisy", 0), ("noise", 1)])
def test_a_strip_has_the_cells_of_each_step_beside_each_other(row: FilmRow, place: int) -> None:
    recorded = strips()
    [whole] = seen(film_file(Film(row, recorded), "png"), "png")
    height, width = whole.shape[0], whole.shape[1] // STEPS
    assert (height % 2, width % 2) == (0, 0)
    assert width >= SMALLEST
    for step, strip in enumerate(recorded):
        square = np.asarray(Image.open(io.BytesIO(strip)))[:, place * CELLS[1] : (place + 1) * CELLS[1]]
        each = whole[:, step * width : (step + 1) * width]
        across, down = width // CELLS[1] // 2, height // CELLS[0] // 2
        assert np.array_equal(
            each[down :: height // CELLS[0], across :: width // CELLS[1]][: CELLS[0], : CELLS[1]], square
        )


def test_an_animation_has_a_frame_for_each_step_and_a_film_holds_the_last_one() -> None:
    frames = list(Film("clean", strips(1)).frames())
    for kind, count in (("gif", STEPS), ("mp4", STEPS + HELD)):
        found = seen(film_file(Film("clean", strips(1)), "gif" if kind == "gif" else "mp4"), kind)
        assert len(found) == count
        assert {one.shape for one in found} == {(*reversed(frames[0].size), 3)}
        # colours are few in the one and at half the resolution in the other: their means stay
        for shown, frame in zip(found, frames, strict=False):
            assert np.abs(shown.mean((0, 1)) - np.asarray(frame).mean((0, 1))).max() < 8


def test_guidance_is_heat_on_one_scale_for_the_whole_run() -> None:
    white = np.full((4, 12, 3), 255, np.uint8)
    frames = list(Film("guidance", [png(white)] * 6, [1, 1, 1, 1, 0.5, 9]).frames())
    shown = [frame.getpixel((0, 0)) for frame in frames]
    assert shown[0] == shown[3] == shown[5] == HEAT[-1][1]  # beyond the scale it gets no brighter
    assert HEAT[1][1][0] < np.array(shown[4])[0] < HEAT[2][1][0]
    [black] = Film("guidance", [png(white * 0)], [1]).frames()
    assert black.getpixel((0, 0)) == HEAT[0][1]


def test_a_long_run_has_several_lines() -> None:
    [whole] = seen(film_file(Film("clean", strips(1, 20, (4, 4))), "png"), "png")
    assert whole.shape == (2 * SMALLEST, 16 * SMALLEST, 3)


@pytest.mark.parametrize("kind", ["png", "gif", "mp4"])
def test_what_is_too_much_or_nothing_is_refused_before_it_is_decoded(kind: str) -> None:
    large = strips(1, 1, (2, 1100))
    for found, said in (([], "0 steps"), ([b"x"] * (MOST_STEPS + 1), "1 to 150"), (large, "1100 x 2")):
        with pytest.raises(ValueError, match=said):
            film_file(Film("clean", found), "png" if kind == "png" else "gif" if kind == "gif" else "mp4")
