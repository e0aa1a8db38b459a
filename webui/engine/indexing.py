"""Telling the library of pictures what was saved just now: who had it made, in which job, and from which picture."""

from collections.abc import Callable
from pathlib import Path

from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import GeneratedImage
from webui.gallery.gallery import Gallery
from webui.gallery.picture_facts import Kind, Origin, pixels_of
from webui.jobs.kind import Worked

OnKept = Callable[[Worked[GenerationRequest], GeneratedImage], None]


def indexing(gallery: Gallery) -> OnKept:
    """What a keeper of pictures calls with each that is in its file."""

    def note(job: Worked[GenerationRequest], image: GeneratedImage) -> None:
        gallery.note_saved(Path(image.path), origin_of(job, image))

    return note


def origin_of(job: Worked[GenerationRequest], image: GeneratedImage) -> Origin:
    """Where a picture of a job comes from. Its pixels are known here where its file keeps them as they are."""
    source = source_of(job.work, image.index)
    return Origin(
        job.owner,
        job.id,
        image.index,
        kind_of_task(job.work),
        pixels_of(image.image) if image.path.endswith(".png") else "",
        pixels_of(source.open()) if source is not None else "",
    )


def source_of(request: GenerationRequest, index: int) -> Picture | None:
    """The picture that the one at this place of a job is made from; None for one that is made from noise."""
    task = request.task
    if isinstance(task, Txt2Img):
        return task.first_pass
    if isinstance(task, Img2Img):
        pictures = (task.image, *task.further_images)
        return pictures[index % len(pictures)]
    return task.images[index] if index < len(task.images) else None


def kind_of_task(request: GenerationRequest) -> Kind:
    """What the library calls the pictures of a request."""
    if isinstance(request.task, Img2Img):
        return "inpaint" if request.task.inpainting or request.task.outpainting else "img2img"
    return request.task.kind
