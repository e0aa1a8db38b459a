"""What the rest of the miniature's family does to a picture: networks, second checkpoint, edges, upscaler, merges."""

from typing import Any

import numpy as np
from PIL import Image

from tests.miniature.painting import drawn, look, paint, paint_anew, paint_each, pixels, run, share
from tools.train_mini.control import edges
from tools.train_mini.scenes import Background, Scene, Thing
from webui.domain.images import Picture
from webui.domain.request import Img2Img
from webui.domain.upscale import Upscale
from webui.processing.back import Back

EDGED = (
    ("circle", "top left", 40.0, 44.0),
    ("star", "top right", 88.0, 40.0),
    ("square", "bottom right", 84.0, 90.0),
    ("cross", "bottom left", 40.0, 84.0),
)
PROMPT = "a red circle on a blue background"


def darkness(picture: Image.Image) -> float:
    """Share of nearly black pixels."""
    return float((pixels(picture).max(axis=2) < 70).mean())


def test_a_lora_at_nothing_changes_nothing_and_at_one_draws_its_style(back: Back) -> None:
    plain = paint_each(back, PROMPT)
    before = pixels(paint_anew(back, PROMPT, steps=3))
    assert np.array_equal(pixels(paint_anew(back, f"{PROMPT} <lora:mini-ink:0>", steps=3)), before)
    inked = [darkness(picture) for picture in paint_each(back, f"{PROMPT} <lora:mini-ink:1>")]
    assert np.mean(inked) > np.mean([darkness(picture) for picture in plain]) + 0.004
    after = paint_anew(back, PROMPT, steps=3)  # a LoRA that was there leaves nothing behind
    assert np.array_equal(pixels(after), before)


def test_a_lora_teaches_a_shape_that_the_base_does_not_know(back: Back) -> None:
    prompt = "a red heart on a white background"
    taught = look(back, f"{prompt} <lora:mini-heart:1>")
    assert share(taught, shape="heart") >= 0.5
    assert share(taught, shape="heart") > share(look(back, prompt), shape="heart")
    assert share(taught, colour="red") >= 0.75


def test_the_embedding_stands_for_its_picture(back: Back) -> None:
    seen = look(back, "mini-beacon")
    assert share(seen, colour="yellow") >= 0.75
    assert share(seen, shape="star") >= 0.5
    assert np.mean([verdict.background == "black" for verdict in seen]) >= 0.75
    infotext = run(back, "mini-beacon", steps=1).images[0].infotext
    assert "mini-beacon" in infotext


def dusk(picture: Image.Image) -> float:
    """How much darker the background is at the bottom than at the top."""
    values = pixels(picture).sum(axis=2) / 3.0
    return float(np.median(values[2:8]) - np.median(values[-8:-2]))


def test_the_second_checkpoint_paints_at_dusk_and_a_merge_half_so(back: Back) -> None:
    prompt = "a red circle on a white background"
    recipe = {"checkpoint_merge": {"b": "mini-dusk", "method": "weighted_sum", "alpha": 0.5}}
    kinds: dict[str, dict[str, Any]] = {
        "base": {},
        "merge": {"extensions": recipe, "steps": 15},
        "dusk": {"checkpoint": "mini-dusk"},
    }
    depths = {
        name: float(
            np.median([dusk(picture) for picture in paint_each(back, prompt, 4 if name == "merge" else 2, **changes)])
        )
        for name, changes in kinds.items()
    }
    assert abs(depths["base"]) < 20
    assert depths["dusk"] > 120
    assert 25 < depths["merge"] < depths["dusk"] - 25
    assert share(look(back, prompt, **kinds["merge"]), shape="circle", colour="red") >= 0.75


def overlap(picture: Image.Image, thing: Thing) -> float:
    """IoU of what stands out on a picture with what the edges enclosed."""
    values = pixels(picture)
    rims = np.concatenate([values[:, :4], values[:, -4:]], axis=1)
    behind = np.median(rims, axis=1)[:, None]  # row by row, as it may be a gradient
    mask = np.linalg.norm(values - behind, axis=2) > 50
    wanted = np.linalg.norm(pixels(drawn(thing)) - pixels(drawn()), axis=2) > 90
    return float((mask & wanted).sum() / (mask | wanted).sum())


def test_the_picture_follows_the_edges_and_does_not_at_weight_nothing(back: Back) -> None:
    followed: dict[float, list[float]] = {1.3: [], 0.0: []}
    for seed, (shape, place, x, y) in enumerate(EDGED, start=1):
        thing = Thing(shape, "red", x, y, 26.0)
        hint = Picture.of(edges(Scene((thing,), Background("white")))).to_base64()
        for weight in (1.3,) if seed > 2 else (1.3, 0.0):  # without the edges, two pictures are enough to see it
            unit = {"enabled": True, "module": "none", "model": "mini-edges", "weight": weight, "image": hint}
            prompt = f"red {shape}, at the {place}, white background"  # how large and where exactly, the edges say
            made = paint(back, prompt, seed=seed, cfg_scale=1.5, steps=12, extensions={"controlnet": {"units": [unit]}})
            followed[weight].append(overlap(made, thing))
    assert np.mean(followed[1.3]) >= 0.7
    assert np.mean(followed[0.0]) < np.mean(followed[1.3]) - 0.3


def test_the_upscaler_doubles_a_picture_and_is_nearer_to_a_large_drawing_than_pixels_repeated(back: Back) -> None:
    thing = Thing("star", "yellow", 64.0, 64.0, 34.0)
    large = drawn(thing)
    small = large.resize((64, 64), Image.Resampling.BOX)
    request = Upscale.model_validate({"images": [Picture.of(small)], "upscaler": "mini-x2", "scale": 2.0})
    made = run(back, "", task=request).images[0].image
    assert made.size == (128, 128)
    repeated = small.resize((128, 128), Image.Resampling.NEAREST)
    assert error(made, large) < 0.6 * error(repeated, large)


def error(one: Image.Image, other: Image.Image) -> float:
    return float(np.square(pixels(one) - pixels(other)).mean())


def test_the_inpainting_checkpoint_paints_from_nothing_too(back: Back) -> None:
    seen = look(back, PROMPT, checkpoint="mini-inpainting")
    assert share(seen, colour="red") >= 0.75
    assert np.mean([verdict.background == "blue" for verdict in seen]) >= 0.75


def test_img2img_takes_the_second_checkpoint(back: Back) -> None:
    thing = Thing("square", "green", 60.0, 60.0, 24.0)
    start = Img2Img(image=Picture.of(drawn(thing, background="white")), denoising_strength=0.5)
    prompt = "a green square on a white background"
    for seen in look(back, prompt, checkpoint="mini-dusk", task=start):
        assert "green" in [found.colour for found in seen.objects]  # beside the dark part of the background
