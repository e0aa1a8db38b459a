"""What tests of experiments share: a back that paints without any model, and the run of a course to its end."""

from collections.abc import Callable, Sequence

from PIL import Image

from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts
from webui.experiments.course import Experiment, Made, Shown

FACTS = ModelFacts("tiny", "0123456789")


def painted(request: GenerationRequest) -> Made:
    """Grey pictures, each with its seed and place in its text."""
    size = (request.width, request.height)
    images = []
    for index in range(request.images):
        one = request.with_(seed=request.seed + index) if request.task.kind != "upscale" else request
        details = f"Steps: {one.steps}, Seed: {one.seed}, Size: {one.width}x{one.height}, RNG: CPU, Version: v1.10.1"
        text = f"{one.prompt}\n{details}"
        images.append(GeneratedImage(Image.new("RGB", size, (index, 99, 99)), one, text, index, 7))
    return Made(GenerationResult(request, tuple(images), FACTS))


def run(
    experiment: Experiment, make: Callable[[GenerationRequest], Made] = painted
) -> tuple[Shown, Sequence[GenerationRequest]]:
    """What an experiment shows, and the requests that it gave on the way."""
    course = experiment.course
    asked: list[GenerationRequest] = []
    made: Made | None = None
    while True:
        try:
            request = next(course) if made is None else course.send(made)
        except StopIteration as end:
            shown: Shown = end.value
            return shown, asked
        asked.append(request)
        made = make(request)
