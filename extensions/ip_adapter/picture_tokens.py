"""Makes the tokens of a unit: those of the prompt's side and those of the negative prompt's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from webui.extension_api import BadRequestError, JobContext, UnusableFileError

from .adapter_files import FACE_WIDTH
from .encoder_files import encoder_for
from .face_embedding import SeenFace, reader_of
from .options import AdapterUnit, Combine
from .projections import Adapter, FaceProjection
from .seen_pixels import seen_pixels
from .vision_tower import Sight, VisionTower


@dataclass(frozen=True, slots=True)
class PictureTokens:
    """Tokens (1, n, X) for rows of the prompt, and for those of the negative prompt."""

    cond: Tensor
    uncond: Tensor


def pictures_of(unit: AdapterUnit) -> tuple[Image.Image, ...]:
    """All pictures of a unit."""
    first = () if unit.image is None else (unit.image,)
    return tuple(picture.open() for picture in (*first, *unit.images))


@torch.no_grad()
def tokens_of(unit: AdapterUnit, adapter: Adapter, path: Path, place: str, job: JobContext) -> PictureTokens:
    """The tokens of a unit.

    Args:
        path: of the adapter's file.
        place: of the unit in the request, for errors.

    Raises:
        BadRequestError: there is no picture, or no face in it, or an encoder is missing.
    """
    pictures = pictures_of(unit)
    shape = adapter.shape
    if not pictures and (unit.face_embedding is None or shape.sees):
        raise BadRequestError(f"{place}.image", "there is no picture; send one")
    faces, shown = _faces(unit, adapter, pictures, place, job)
    sight, black = _sights(unit, adapter, shown, path, place, job)
    if shape.kind == "face_plus" and isinstance(adapter.project, FaceProjection):
        adapter.project.structure = unit.face_structure
    if unit.combine in ("add", "subtract", "norm average"):
        sight, faces = _mixed_sight(sight, unit.combine), None if faces is None else _mixed(faces, unit.combine)
    cond: Tensor = adapter.project(sight, faces)
    uncond: Tensor = adapter.project(black, None if faces is None else torch.zeros_like(faces[:1]))
    if unit.combine == "concat":
        return PictureTokens(cond.flatten(0, 1)[None], uncond.repeat(1, len(cond), 1))
    return PictureTokens(cond.mean(dim=0, keepdim=True), uncond)


def _sights(
    unit: AdapterUnit, adapter: Adapter, shown: Sequence[Image.Image], path: Path, place: str, job: JobContext
) -> tuple[Sight, Sight]:
    """What the encoder sees in the pictures, and what stands for nothing on the side of the negative prompt."""
    if not adapter.shape.sees:
        empty = torch.zeros(1, 0, device=job.device, dtype=job.dtype)
        return Sight(empty, empty[:, None]), Sight(empty, empty[:, None])
    try:
        tower = encoder_for(adapter.shape, unit.encoder, path.name, job.models, job.device, job.dtype)
    except UnusableFileError as error:
        raise BadRequestError(f"{place}.encoder", str(error)) from error
    mask = None if unit.mask is None else unit.mask.open()
    side = tower.shape.image
    pixels = torch.cat([seen_pixels(picture, mask, unit.fit, side) for picture in shown])
    sight: Sight = tower(pixels.to(job.device))
    return sight, _nothing(tower, sight, is_whole=adapter.shape.kind == "standard")


def _nothing(tower: VisionTower, sight: Sight, *, is_whole: bool) -> Sight:
    """Zeros for the picture as a whole; for its parts, what the encoder makes of zeros."""
    if is_whole:
        return Sight(torch.zeros_like(sight.embedding[:1]), sight.tokens[:1])
    side = tower.shape.image
    blank: Sight = tower(torch.zeros(1, 3, side, side, device=sight.tokens.device))
    return blank


def _faces(
    unit: AdapterUnit, adapter: Adapter, pictures: Sequence[Image.Image], place: str, job: JobContext
) -> tuple[Tensor | None, Sequence[Image.Image]]:
    """Embeddings (B, 512) of faces, and what the encoder looks at; None and the pictures where no face is needed."""
    if not adapter.shape.reads_face:
        return None, pictures
    if unit.face_embedding is not None:
        numbers, shown = torch.tensor([unit.face_embedding]), pictures
    else:
        seen = _read(pictures, place, job)
        numbers = torch.stack([torch.from_numpy(one.embedding) for one in seen])
        shown = [one.crop for one in seen]
    if numbers.shape[1] != FACE_WIDTH:
        raise BadRequestError(
            f"{place}.model", f"the face recogniser gives {numbers.shape[1]} numbers, not {FACE_WIDTH}"
        )
    if not adapter.shape.is_raw:
        numbers = functional.normalize(numbers, dim=1)
    return numbers.to(job.device, job.dtype), shown


def _read(pictures: Sequence[Image.Image], place: str, job: JobContext) -> list[SeenFace]:
    try:
        reader = reader_of(job.models)
    except UnusableFileError as error:
        raise BadRequestError(f"{place}.model", str(error)) from error
    found = []
    for number, picture in enumerate(pictures):
        face = reader(picture)
        if face is None:
            raise BadRequestError(f"{place}.image", f"no face was found in picture {number + 1}")
        found.append(face)
    return found


def _mixed_sight(sight: Sight, combine: Combine) -> Sight:
    return Sight(_mixed(sight.embedding, combine), _mixed(sight.tokens, combine))


def _mixed(seen: Tensor, combine: Combine) -> Tensor:
    """What is seen in several pictures (B, ...) as of one (1, ...)."""
    if combine == "add":
        return seen.sum(dim=0, keepdim=True)
    if combine == "subtract":
        return seen[:1] - seen[1:].mean(dim=0, keepdim=True) if len(seen) > 1 else seen
    length: Tensor = seen.square().sum(dim=-1, keepdim=True).sqrt()
    return (seen / length.clamp(min=1e-12)).mean(dim=0, keepdim=True) * length.mean(dim=0, keepdim=True)
