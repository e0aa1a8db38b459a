"""Jobs of the tab Extras: given pictures are enlarged, then extensions may change them (restored faces).

How one picture is enlarged is in `imaging/extras_picture.py`.
"""

import time

from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.upscale import Upscale
from webui.imaging.extras_picture import Whole, enlarge
from webui.imaging.upscale import UpscalerPass, Watch
from webui.output.infotext import quote
from webui.plugins.host import ExtensionHost
from webui.processing.ports import Reporter
from webui.processing.reporting import SharedWish
from webui.processing.upscaling import Upscalers


def upscale_pictures(
    request: GenerationRequest,
    task: Upscale,
    upscalers: Upscalers,
    host: ExtensionHost,
    reporter: Reporter,
    there: frozenset[int] = frozenset(),
) -> GenerationResult:
    """Enlarge the pictures of a task one after another, reporting each as soon as it is there.

    Args:
        there: indices of pictures that an earlier run has made; they are left out.

    Raises:
        BadRequestError: there is no such upscaler.
        UnusableFileError: its file cannot be used.
        Cancelled: stopped by the user before the first picture was made.
    """
    upscalers.check(request)
    reporter = wish = SharedWish(reporter)
    hooks = host.join(request, wish.seen)
    began = time.monotonic()
    made: list[GeneratedImage] = []
    interrupted = False
    for index, picture in enumerate(task.images):
        if index in there:
            continue
        if made and reporter.finishing():
            interrupted = True
            break

        def watch(done: int, total: int, index: int = index) -> None:
            reporter.progress(Progress("upscaling", done, total, index, len(task.images)))
            if reporter.stopped():
                raise Cancelled("stopped by the user")

        def pass_of(name: str, scale: float, whole: Whole, watch: Watch = watch) -> UpscalerPass:
            return upscalers.pass_of(name, scale, watch, whole)

        try:
            watch(0, 1)
            image, text = enlarge(picture.open(), task, pass_of)
        except Cancelled:
            interrupted = True
            break
        image = hooks.edit_image(image, index)
        told = [text] if text else []
        text = ", ".join([*told, *(f"{key}: {quote(value)}" for key, value in hooks.fields(index).items())])
        one = request.with_(task=single(task, index))
        made.append(GeneratedImage(image, one, text, index, 0, words=hooks.file_words(index)))
        reporter.image(made[-1])
    if not made and not there:
        raise Cancelled("stopped before the first picture was made")
    hooks.ended("stopped by the user" if interrupted else "")
    seconds = time.monotonic() - began - sum(hooks.timings.values())
    return GenerationResult(
        request,
        tuple(made),
        ModelFacts("", ""),
        notices=tuple(hooks.notices),
        timings={"upscaling": seconds} | hooks.timings,
        interrupted=interrupted,
    )


def single(task: Upscale, index: int) -> Upscale:
    """The task that makes this one picture of several again."""
    texts = (task.infotexts[index],) if index < len(task.infotexts) else ()
    return task.model_copy(update={"images": (task.images[index],), "infotexts": texts})
