"""Restored faces: alignment, cutting and pasting, with networks and faces that stand in."""

import math
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from extensions.face_restore.alignment import (
    SIDE,
    TEMPLATE,
    Face,
    alignment,
    chained,
    inverse,
    scale_of,
    shift,
    similarity,
)
from extensions.face_restore.cutting import cut, soft_mask
from extensions.face_restore.restoring import restore
from tests.extensions.drawn_faces import changed, face_at, green, picture, psnr, same
from tests.narrowing import channels, known


@pytest.mark.parametrize(("eyes", "degrees"), [(20, 17), (60, -75), (126, 0), (126, 180), (190, 30)])
def test_a_network_that_changes_nothing_gives_the_picture_back(eyes: int, degrees: float) -> None:
    middle = 2 * eyes
    face = face_at(middle, middle, eyes, degrees)
    image = picture(4 * eyes, 4 * eyes, [face])
    made = restore(image, [face], same, 1.0)
    assert made.size == image.size
    assert made is not image
    assert psnr(made, image) > 40


def test_restoring_twice_stays_near() -> None:
    faces = [face_at(150, 150), face_at(300, 130, 40, 10)]
    image = picture(faces=faces)
    once = restore(image, faces, same, 1.0)
    twice = restore(once, faces, same, 1.0)
    assert psnr(once, twice) > 40
    assert psnr(image, twice) > 40


def test_the_crop_has_the_landmarks_where_restorers_expect_them() -> None:
    face = face_at(200, 160, 45, 30)
    crop = cut(picture(faces=[face]), known(alignment(face, (400, 300))))
    assert crop.size == (SIDE, SIDE)
    for x, y in TEMPLATE[:2]:
        red, middle, blue = channels(crop, int(x), int(y))
        assert blue > 90 > red + middle  # navy eyes
    mouth = channels(crop, int(TEMPLATE[3][0]), int(TEMPLATE[3][1]))
    assert mouth[0] > 2 * mouth[2]


def test_pasted_faces_fade_in_without_a_step() -> None:
    face = face_at(200, 150, 50)
    flat = Image.new("RGB", (400, 300), "black")
    made = np.asarray(restore(flat, [face], green, 1.0), np.int64)[..., 1]
    assert made[150, 200] == 255
    assert made.min() == 0
    assert max(np.abs(np.diff(made, axis=0)).max(), np.abs(np.diff(made, axis=1)).max()) < 20
    assert np.asarray(soft_mask())[0].max() == 0


def test_large_faces_fade_in_too() -> None:
    flat = Image.new("RGB", (1500, 1500), "black")
    made = np.asarray(restore(flat, [face_at(750, 750, 300, 20)], green, 1.0), np.int64)[..., 1]
    assert made[750, 750] == 255
    assert max(np.abs(np.diff(made, axis=0)).max(), np.abs(np.diff(made, axis=1)).max()) < 8


def test_no_face_and_no_visibility_are_the_very_picture() -> None:
    image = picture()
    assert restore(image, [], green, 1.0) is image
    assert restore(image, [face_at(200, 150)], green, 0.0) is image


def test_visibility_blends() -> None:
    face, image = face_at(200, 150), picture()
    whole = np.asarray(restore(image, [face], green, 1.0), np.float64)
    half = np.asarray(restore(image, [face], green, 0.5), np.float64)
    assert np.abs(half - (whole + np.asarray(image)) / 2).max() <= 1


def test_forty_faces_are_all_restored_and_one_is_in_memory_at_a_time() -> None:
    faces = [face_at(50 + 100 * (n % 8), 50 + 100 * (n // 8), 18, 7 * n) for n in range(40)]
    image = picture(800, 500)

    def peak(some: list[Face]) -> tuple[Image.Image, int]:
        tracemalloc.start()
        made = restore(image, some, green, 1.0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return made, most

    _, one = peak(faces[:1])
    made, forty = peak(faces)
    assert forty < one * 1.2 + 2**20
    assert all(channels(made, int(face.points[2][0]), int(face.points[2][1]))[1] > 250 for face in faces)


@pytest.mark.parametrize(("x", "y"), [(0, 150), (399, 0), (200, 299), (-20, 150), (395, 310)])
def test_faces_at_the_border_and_beyond(x: int, y: int) -> None:
    face = face_at(x, y, 60, 12)
    image = picture(faces=[face])
    assert psnr(restore(image, [face], same, 1.0), image) > 38
    assert changed(restore(image, [face], green, 1.0), image).any()


def test_faces_outside_tiny_or_broken_are_passed_over() -> None:
    image = picture()
    nothing = [
        face_at(4000, 150),
        face_at(200, 150, 3),
        Face(np.full((5, 2), 100.0)),
        Face(np.full((5, 2), np.nan)),
        face_at(200, 150, 4e4),
        Face(TEMPLATE + np.array((0, 1e9))),
    ]
    assert restore(image, nothing, green, 1.0) is image
    tiny = Image.new("RGB", (1, 1))
    assert restore(tiny, [face_at(0, 0, 10)], same, 1.0).size == (1, 1)


def test_far_from_the_face_nothing_changes() -> None:
    face, image = face_at(100, 100, 30), picture()
    where = changed(restore(image, [face], green, 1.0), image)
    reach = 30 / np.linalg.norm(TEMPLATE[0] - TEMPLATE[1]) * SIDE
    assert not where[:, int(100 + reach) :].any()
    assert not where[int(100 + reach) :].any()


def test_stopped_between_faces_keeps_those_that_are_done() -> None:
    faces, answers = [face_at(100, 150, 30), face_at(300, 150, 25)], iter([False, True])
    made = restore(picture(), faces, green, 1.0, lambda: next(answers))
    assert channels(made, 100, 150)[1] > 250
    assert channels(made, 300, 150) == picture().getpixel((300, 150))


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "LA"])
def test_other_modes_keep_their_transparency(mode: str) -> None:
    image = picture().convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    made = restore(image, [face_at(200, 150)], green, 1.0)
    assert made.mode == ("RGBA" if mode in ("RGBA", "LA") else "RGB")
    if made.mode == "RGBA":
        assert made.getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_umeyama_finds_a_known_similarity_and_never_mirrors() -> None:
    turn = math.radians(40)
    rotation = 1.7 * np.array([(math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))])
    found = known(similarity(TEMPLATE, TEMPLATE @ rotation.T + (3, -8)))
    assert np.allclose(found, np.column_stack([rotation, (3, -8)]))
    assert np.isclose(scale_of(found), 1.7)
    assert np.allclose(chained(found, inverse(found)), shift(0, 0))
    mirrored = similarity(TEMPLATE * (-1, 1), TEMPLATE)
    assert mirrored is not None
    assert np.linalg.det(mirrored[:, :2]) > 0


def test_umeyama_is_the_least_squares_solution() -> None:
    noise = np.random.default_rng(3).normal(0, 5, TEMPLATE.shape)
    source = TEMPLATE * 0.3 + noise
    found = known(similarity(source, TEMPLATE))
    rows = [row for (x, y) in source for row in ((x, -y, 1, 0), (y, x, 0, 1))]  # (a, b, tx, ty), linear in them
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), TEMPLATE.ravel())[0]
    assert np.allclose(found, [(a, -b, tx), (b, a, ty)])
