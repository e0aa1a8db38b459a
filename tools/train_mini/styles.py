"""The same scenes in other styles: what the style LoRA and the second checkpoint learn."""

from PIL import Image, ImageChops, ImageFilter

from tools.train_mini.drawing import draw, draw_on, thing_mask
from tools.train_mini.scenes import Scene

INK = (5, 5, 5)
INK_WIDTH = 5  # pixels, odd: side of the filter that widens a shape by half of it
SHADOW = 0.45  # what is left of the background's light
SHADOW_OFFSET = (6, 6)  # pixels to the right and down


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


def draw_shadowed(scene: Scene) -> Image.Image:
    """Every object throws a shadow to the lower right."""
    picture = draw(Scene((), scene.background))
    for thing in scene.things:
        shadow = ImageChops.offset(thing_mask(thing), *SHADOW_OFFSET)
        picture.paste(picture.point(lambda value: int(value * SHADOW)), mask=shadow)
    return draw_on(picture, scene.things)
