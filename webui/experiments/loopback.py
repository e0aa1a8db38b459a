"""Loopback: img2img over and over, each time from what the time before made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GeneratedImage, GenerationResult
from webui.experiments.course import Course, Experiment, Shown, ShownPicture, with_picture
from webui.experiments.extra_details import with_early
from webui.experiments.script import ONLY_IMG2IMG, Argument, Script, Surroundings, refused
from webui.imaging.grids import grid_of

TITLE = "Loopback"
Curve = Literal["Aggressive", "Linear", "Lazy"]


@dataclass(frozen=True, slots=True)
class Options:
    """`final` is the strength of the last loop; `curve` says how it is reached from the request's."""

    loops: int
    final: float
    curve: Curve


def strength(first: float, options: Options, loop: int) -> float:
    """The denoising strength of a loop, counted from 0."""
    if options.loops == 1:
        return first
    share = loop / (options.loops - 1)
    if options.curve == "Aggressive":
        share = math.sin(share * math.pi / 2)
    elif options.curve == "Lazy":
        share = 1 - math.cos(share * math.pi / 2)
    return min(1.0, max(0.0, first + (options.final - first) * share))


def course(request: GenerationRequest, task: Img2Img, options: Options, around: Surroundings) -> Course:
    """The loops, `n_iter` times from the first picture again. Seeds count up over all of them."""
    single = request.with_(batch_size=1, n_iter=1, task=task.model_copy(update={"further_images": ()}))
    history: list[GeneratedImage] = []
    results: list[GenerationResult] = []
    seed, stopped = request.seed, False
    for _ in range(request.n_iter):
        last: GeneratedImage | None = None
        for loop in range(options.loops):
            changed = _task(task, last, strength(task.denoising_strength, options, loop))
            made = yield single.with_(seed=seed, task=changed)
            stopped = made.stopped
            if results and stopped and not made.images:
                break
            results.append(made.done())
            last = made.first()
            seed += 1
            if request.n_iter == 1:
                history.append(last)
            if stopped:
                break
        if request.n_iter > 1 and last is not None:
            history.append(last)
        if stopped:
            break
    return _shown(history, results[0], options, around, interrupted=stopped)


def _task(task: Img2Img, last: GeneratedImage | None, denoising_strength: float) -> Img2Img:
    changes: dict[str, Any] = {"denoising_strength": denoising_strength, "further_images": ()}
    if last is not None:
        changes["image"] = Picture.of(last.image)
        if task.inpainting is not None:
            changes["inpainting"] = task.inpainting.model_copy(update={"content": "original"})
    return task.model_copy(update=changes)


def _shown(
    history: Sequence[GeneratedImage],
    result: GenerationResult,
    options: Options,
    around: Surroundings,
    *,
    interrupted: bool,
) -> Shown:
    first = result.images[0]
    extra = {"Final denoising strength": options.final, "Denoising curve": options.curve}
    text = with_early(first.infotext, extra)
    pictures = [ShownPicture(with_picture(one, one.image, text)) for one in history]
    if len(history) > 1 and around.returns_grid:
        grid = grid_of([one.image for one in history], 1, around.background)
        pictures.insert(0, ShownPicture(with_picture(first, grid, text), "grid"))
    last = history[-1]
    return Shown.with_one_text(pictures, text, [last], result, interrupted=interrupted)


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    loops, final, curve, interrogation = values
    if interrogation != "None":
        raise refused(3, "pictures are not described here; send None")
    if not isinstance(request.task, Img2Img):
        raise refused(0, "starts from a picture")
    options = Options(loops, final, curve)
    return Experiment(TITLE, loops * request.n_iter, course(request, request.task, options, around))


LOOPBACK = Script(
    TITLE,
    (
        Argument("Loops", 4, 1, 32, 1),
        Argument("Final denoising strength", 0.5, 0, 1, 0.01),
        Argument("Denoising strength curve", "Linear", choices=("Aggressive", "Linear", "Lazy")),
        Argument("Append interrogated prompt at each iteration", "None", choices=("CLIP", "DeepBooru", "None")),
    ),
    _begin,
    ONLY_IMG2IMG,
    draws_seeds=True,
    kind="loopback",
)
