"""Small functions that extensions may call: sizes and masks of pictures, prompts, samplers, texts in files.

They stay as they are even where the code behind them moves or changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from webui.domain import catalog
from webui.domain.catalog import SamplerInfo
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.imaging import masks, openpose, resize
from webui.library import accounting
from webui.library import json_object as json_objects
from webui.library import unfinished as unfinished_files
from webui.prompt import composition
from webui.prompt.composition import NetworkTag

FULL_STRENGTH = 0.999  # larger denoising strengths count as this
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside


def fitted(picture: Image.Image, mode: Literal["resize", "crop", "fill"], width: int, height: int) -> Image.Image:
    """The picture, RGB or L, at exactly width x height, as the resize modes of img2img bring it there.

    Args:
        mode: `resize` stretches it; `crop` covers the size and cuts off what lies beyond it; `fill` shows all of it and
            stretches its border over the rest.
    """
    return resize.fitted(picture, mode, width, height)


def coverage(mask: Image.Image, *, rounded: bool) -> Image.Image:
    """Where the mask of an `Inpainting` paints, mode L: 255 is repainted.

    Args:
        mask: L, or LA where the alpha channel is the mask.
        rounded: whether an alpha above a half counts as all, and any other as nothing.
    """
    return masks.coverage(mask, rounded=rounded)


def blurred(mask: Image.Image, blur_x: int, blur_y: int) -> Image.Image:
    """The mask, mode L, after the Gaussian blur of inpainting; the standard deviations are in pixels."""
    return masks.blurred(mask, blur_x, blur_y)


def painted_box(mask: Image.Image, padding: int) -> Box | None:
    """The smallest box around all that is not black, `padding` pixels larger inside the mask; None where all is."""
    return masks.painted_box(mask, padding)


def with_aspect(box: Box, target: tuple[int, int], image: tuple[int, int]) -> Box:
    """The box made longer on one axis, so that it has the aspect of `target` as far as the image allows.

    Args:
        target, image: (width, height) in pixels.
    """
    return masks.with_aspect(box, target, image)


def pose_picture(people: Sequence[Mapping[str, Sequence[float] | None]], width: int, height: int) -> Image.Image:
    """People of OpenPose's JSON, drawn on black as control networks read them.

    Args:
        people: each with flat lists of x, y and confidence, in pixels or in shares of the canvas: `pose_keypoints_2d`
            (18 points), `hand_left_keypoints_2d`, `hand_right_keypoints_2d` (21), `face_keypoints_2d` (70).
    """
    return openpose.pose_picture(people, width, height)


def extra_networks(prompt: str) -> tuple[str, tuple[NetworkTag, ...]]:
    """The prompt without its tags `<kind:name:...>`, and the tags in the order in which they were written."""
    return composition.extra_networks(prompt)


def find_sampler(label: str) -> SamplerInfo | None:
    """The facts about the sampler of that label (`Euler a`); None where there is none."""
    return catalog.find_sampler(label)


def split_sampler(name: str) -> tuple[str, str]:
    """Sampler and schedule of an old name that holds both: `DPM++ 3M SDE Exponential`. One without a schedule, or with
    the sampler's own, comes with `Automatic`; one that nobody knows comes back as it is.
    """
    return catalog.split_combined(name)


def steps_of(request: GenerationRequest, *, hires: bool) -> int:
    """The number of steps to which shares of a run refer, as A1111's extensions count them: the requested ones, in
    img2img those that are run.

    Args:
        hires: whether the run is the second pass of hires fix.
    """
    task = request.task
    if isinstance(task, Txt2Img) and hires:
        return task.hires.steps or request.steps
    if not isinstance(task, Img2Img) or task.fix_steps:
        return request.steps
    return int(min(task.denoising_strength, FULL_STRENGTH) * request.steps) + 1


def sampler_of(request: GenerationRequest, *, hires: bool) -> str:
    """The label of the sampler of a pass."""
    task = request.task
    return (task.hires.sampler if hires and isinstance(task, Txt2Img) else "") or request.sampler


def json_object(name: str, text: str | bytes) -> dict[str, Any]:
    """A JSON object from a text that came in a file.

    Args:
        name: what the text is, for the error.

    Raises:
        UnusableFileError: it is not JSON, is nested too deep, or holds something else than an object.
    """
    return json_objects.json_object(name, text)


def listed(names: Iterable[str]) -> str:
    """The first names of many for a sentence, and how many more there are."""
    return accounting.listed(names)


def unfinished(path: Path) -> Path:
    """A new name beside `path`, for a file that is written under it and then renamed to `path`.

    A file that a killed process left under such a name is removed at the next start.
    """
    return unfinished_files.unfinished(path)
