"""Making a picture of the Library once more: the request that made it, as exactly as it is known."""

from webui.api.page.library_door import LibraryDoor
from webui.api.page.library_messages import Again
from webui.domain.errors import WrongStateError
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import where_stopped
from webui.domain.upscale import Upscale
from webui.gallery.searching import Row
from webui.output.metadata import read_parameters, read_request


def made_again(door: LibraryDoor, picture: int, viewer: str | None, owner: str) -> Again:
    """Submit the request of a picture as a job of one image.

    Args:
        viewer: the one user whose pictures may be looked at; None: everybody's.
        owner: of the new job.

    Raises:
        BadRequestError: there is no such picture.
        WrongStateError: it cannot be told how it was made; says why.
        WebuiError: the job cannot be taken on.
    """
    row = door.gallery.search.details(picture, viewer).row
    image = safe_open(door.gallery.path_of(picture, viewer))
    infos = door.engine.extensions.infos
    found = read_request(image, infos)
    stored = door.engine.request_of(row.job) if row.job else None
    request = _with_its_task(row, found, stored)
    notices = tuple(one.text for one in read_parameters(image).reading(infos).notices) if stored is None else ()
    if halted := _where_stopped(door, row):
        notices = (f"The first was {halted}; this one was made to its end.", *notices)
    job = door.engine.submit(request, save=True, owner=owner)
    return Again(job=job.id, notices=notices)


def request_again(door: LibraryDoor, picture: int, viewer: str | None) -> GenerationRequest:
    """The request that makes a picture once more.

    Args:
        viewer: the one user whose pictures may be looked at; None: everybody's.

    Raises:
        BadRequestError: there is no such picture.
        WrongStateError: it cannot be told how it was made; says why.
    """
    row = door.gallery.search.details(picture, viewer).row
    found = read_request(safe_open(door.gallery.path_of(picture, viewer)), door.engine.extensions.infos)
    return _with_its_task(row, found, door.engine.request_of(row.job) if row.job else None)


def _where_stopped(door: LibraryDoor, row: Row) -> str:
    """Where the picture was stopped by the user, as its job tells; "" where it was not."""
    record = door.engine.queue.record(row.job) if row.job else None
    return where_stopped(record.notices, row.position) if record is not None else ""


def _with_its_task(row: Row, found: GenerationRequest | None, stored: GenerationRequest | None) -> GenerationRequest:
    """The request of the one image, with the pictures that its file does not hold."""
    if row.kind == "grid":
        raise WrongStateError("a sheet of several pictures is not made again; open one of its pictures")
    if stored is not None and isinstance(stored.task, Upscale):
        position = min(row.position, len(stored.task.images) - 1)
        texts = stored.task.infotexts[position : position + 1]
        task = stored.task.model_copy(update={"images": (stored.task.images[position],), "infotexts": texts})
        return stored.with_(task=task)
    if found is None:
        raise WrongStateError(f"{row.name} has no generation parameters, so nobody knows how it was made")
    alone = found.with_(batch_size=1, n_iter=1)
    if stored is not None:  # it names files as they are named here
        alone = alone.with_(checkpoint=stored.checkpoint, vae=stored.vae)
    if row.kind not in ("img2img", "inpaint", "upscale"):
        return alone if stored is None else alone.with_(task=stored.task)
    if stored is None or not isinstance(stored.task, Img2Img):
        raise WrongStateError(
            f"{row.name} was made from another picture, and its job is not known any more; "
            "send it to img2img with the picture that it was made from"
        )
    pictures = (stored.task.image, *stored.task.further_images)
    image = pictures[row.position % len(pictures)]
    return alone.with_(task=stored.task.model_copy(update={"image": image, "further_images": ()}))
