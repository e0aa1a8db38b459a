"""img2img alternative test: img2img from the noise that leads to the picture.

The noise is found by an extension: the one that hears the keys which A1111 writes about it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from webui.domain.request import GenerationRequest, Img2Img
from webui.experiments.course import Experiment, Made, Plan, Shown, with_picture
from webui.experiments.script import ONLY_IMG2IMG, Argument, Script, Surroundings, refused
from webui.imaging.grids import grid_of, row_count

TITLE = "img2img alternative test"
STEPS = "Decode steps"


def inverted(
    request: GenerationRequest, task: Img2Img, values: Sequence[Any], heard: Mapping[str, tuple[str, str]]
) -> GenerationRequest:
    """The request as the script changes it.

    Args:
        values: its arguments by position.
        heard: as `Surroundings` has it.
    """
    _, euler, same_prompts, prompt, negative, same_steps, steps, strongest, cfg_scale, randomness, adjusts = values
    changes: dict[str, Any] = {}
    if euler:
        changes["sampler"] = "Euler"
    if same_prompts:
        changes |= {"prompt": prompt, "negative_prompt": negative}
    if same_steps:
        changes["steps"] = steps
    if strongest:
        changes["task"] = task.model_copy(update={"denoising_strength": 1.0})
    said = {
        "Decode prompt": prompt,
        "Decode negative prompt": negative,
        "Decode CFG scale": cfg_scale,
        STEPS: steps,
        "Randomness": randomness,
        "Sigma Adjustment": adjusts,
    }
    options = {heard[key][1]: value for key, value in said.items() if key in heard}
    return request.with_(**changes, extensions={**request.extensions, heard[STEPS][0]: options})


def _shown(made: Made, around: Surroundings) -> Shown:
    result, images = made.done(), made.images
    grid = None
    if len(images) > 1 and around.returns_grid:
        pictures = [image.image for image in images]
        grid = with_picture(images[0], grid_of(pictures, row_count(len(images)), around.background))
    return Shown.with_their_texts(images, result, grid=grid, notices=result.notices, interrupted=made.stopped)


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    if not isinstance(request.task, Img2Img):
        raise refused(0, "starts from a picture")
    if STEPS not in around.heard:
        raise refused(0, "needs the extension that finds the noise of a picture, and it is not in use")
    cells = (inverted(request, request.task, values, around.heard),)
    return Experiment.of(TITLE, Plan(cells, lambda made: _shown(made[0], around)))


ALTERNATIVE_TEST = Script(
    TITLE,
    (
        Argument("", None),
        Argument("Override sampling method to Euler", True),
        Argument("Override prompts by the original ones", True),
        Argument("Original prompt", ""),
        Argument("Original negative prompt", ""),
        Argument("Override sampling steps by decode steps", True),
        Argument("Decode steps", 50, 1, 150, 1),
        Argument("Override denoising strength to 1", True),
        Argument("Decode CFG scale", 1.0, 0, 15, 0.1),
        Argument("Randomness", 0.0, 0, 1, 0.01),
        Argument("Sigma adjustment for finding noise for image", False),
    ),
    _begin,
    ONLY_IMG2IMG,
    draws_seeds=True,
)
