"""The same scenes in other styles: what the style LoRA and the second checkpoint learn."""

from dataclasses import replace

from PIL import Image, ImageChops, ImageFilter

from tools.train_mini.drawing import draw, thing_mask
from tools.train_mini.scenes import Background, Scene

INK = (5, 5, 5)
INK_WIDTH = 5  # pixels, odd: side of the filter that widens a shape by half of it


def draw_inked(scene: Scene) -> Image.Image:
    """Every object with a black contour."""
    picture = draw(scene)
    for thing in scene.things:
        mask = thing_mask(thing)
        contour = ImageChops.subtract(
            mask.filter(ImageFilter.MaxFilter(INK_WIDTH)), mask.filter(ImageFilter.MinFilter(3))
        )
        picture.paste(INK, mask=contour)
    return picture


def draw_dusk(scene: Scene) -> Image.Image:
    """The background fades to black towards the bottom."""
    return draw(replace(scene, background=Background(scene.background.colour, "black")))
