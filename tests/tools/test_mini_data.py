"""The drawn data set of the miniature: scenes, pictures, captions, and the judge that reads pictures back."""

import numpy as np
import pytest

from tools.train_mini.captions import caption
from tools.train_mini.drawing import draw
from tools.train_mini.judge import compare, judge
from tools.train_mini.scenes import (
    COLOURS,
    CONTRAST,
    MARGIN,
    NEW_SHAPE,
    PLACES,
    SHAPES,
    SIZE,
    Background,
    Scene,
    Thing,
    distance,
    held_out,
    random_scene,
)
from tools.train_mini.styles import draw_dusk, draw_inked


def scenes(count: int, *, test: bool = False) -> list[Scene]:
    return [random_scene(np.random.default_rng((77, index)), test=test) for index in range(count)]


def test_a_seed_gives_one_scene_one_picture_and_one_caption() -> None:
    def made() -> tuple[Scene, bytes, str]:
        generator = np.random.default_rng(3)
        scene = random_scene(generator)
        return scene, draw(scene).tobytes(), caption(scene, generator)

    assert made() == made()


def test_training_never_sees_what_is_held_out() -> None:
    assert not any(held_out(scene) for scene in scenes(400))
    assert all(held_out(scene) for scene in scenes(100, test=True))


def test_everything_stands_out_and_keeps_clear_of_the_edge() -> None:
    for scene in scenes(150):
        for thing in scene.things:
            assert distance(COLOURS[thing.colour], COLOURS[scene.background.colour]) >= CONTRAST
        pixels = np.asarray(draw(scene)).astype(int)
        empty = np.asarray(draw(Scene((), scene.background))).astype(int)
        drawn = (pixels != empty).any(axis=2)
        drawn[MARGIN - 3 : -MARGIN + 3, MARGIN - 3 : -MARGIN + 3] = False
        assert not drawn.any(), scene


def test_the_set_is_wide() -> None:
    seen = scenes(1500)
    assert {thing.shape for scene in seen for thing in scene.things} == set(SHAPES)
    assert {thing.colour for scene in seen for thing in scene.things} == set(COLOURS)
    assert {len(scene.things) for scene in seen} == {1, 2, 3}
    assert {scene.place for scene in seen} == set(PLACES)
    assert {scene.relation for scene in seen} == {None, "left", "right", "above", "below", "beside"}
    assert {thing.style for scene in seen for thing in scene.things} == {"plain", "outlined", "striped", "dotted"}
    assert any(scene.background.to for scene in seen)


def test_a_caption_names_what_is_there_and_nothing_else() -> None:
    for index, scene in enumerate(scenes(300)):
        words = caption(scene, np.random.default_rng(index)).replace(",", "").split()
        named = {word for word in words if word in COLOURS}
        there = {thing.colour for thing in scene.things} | {scene.background.colour}
        assert named == there | ({scene.background.to} - {None})
        for thing in scene.things:
            assert any(word.startswith(thing.shape) for word in words), words


@pytest.mark.parametrize("test", [False, True])
def test_the_judge_reads_drawn_pictures(test: bool) -> None:
    marks = [compare(scene, judge(draw(scene))) for scene in scenes(200, test=test)]
    for name in ("colour", "shape", "background", "place", "relation", "count"):
        seen = [getattr(mark, name) for mark in marks if getattr(mark, name) is not None]
        assert np.mean(seen) >= 0.99, name


def test_the_judge_sees_what_is_wrong() -> None:
    scene = Scene((Thing("circle", "red", 64, 64, 22),), Background("blue"))
    others = {
        "colour": Scene((Thing("circle", "green", 64, 64, 22),), Background("blue")),
        "shape": Scene((Thing("square", "red", 64, 64, 22),), Background("blue")),
        "background": Scene((Thing("circle", "red", 64, 64, 22),), Background("black")),
        "place": Scene((Thing("circle", "red", 34, 64, 22),), Background("blue")),
        "count": Scene((Thing("circle", "red", 34, 64, 22), Thing("circle", "red", 94, 64, 22)), Background("blue")),
    }
    for name, other in others.items():
        marks = compare(scene, judge(draw(other)))
        wrong = {field for field in ("colour", "shape", "background", "place", "count") if not getattr(marks, field)}
        assert name in wrong
        assert wrong <= {name, "place"}  # two circles are in no one place


def test_the_judge_tells_relations_apart() -> None:
    left, right = Thing("star", "yellow", 35, 64, 20), Thing("square", "purple", 93, 64, 20)
    asked = Scene((left, right), Background("grey"), relation="left")
    assert compare(asked, judge(draw(asked))).relation
    swapped = Scene((Thing("star", "yellow", 93, 64, 20), Thing("square", "purple", 35, 64, 20)), Background("grey"))
    assert compare(asked, judge(draw(swapped))).relation is False


def test_the_judge_takes_noise_for_no_scene() -> None:
    from PIL import Image

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
    wrong = [compare(scene, judge(noise)) for scene in scenes(50)]
    assert np.mean([mark.colour and mark.shape and mark.background for mark in wrong]) < 0.05


def test_the_judge_knows_the_new_shape() -> None:
    scene = Scene((Thing(NEW_SHAPE, "pink", 64, 64, 24),), Background("black"))
    assert judge(draw(scene)).objects[0].shape == NEW_SHAPE


def test_styles_keep_the_scene() -> None:
    scene = Scene((Thing("square", "red", 64, 64, 22),), Background("cyan"))
    plain = np.asarray(draw(scene)).astype(int)
    inked = np.asarray(draw_inked(scene)).astype(int)
    dusk = np.asarray(draw_dusk(scene)).astype(int)
    assert (inked[64, 64] == plain[64, 64]).all()
    assert (dusk[64, 64] == plain[64, 64]).all()
    assert inked[64, 64 - 20].sum() < 60  # the contour
    assert np.abs(dusk[2, 2] - plain[2, 2]).max() < 10  # the sky
    assert dusk[125, 2].sum() < 60 < plain[125, 2].sum()
