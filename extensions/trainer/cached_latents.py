"""Pictures of a data set as latents, encoded once and kept on the disk."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import LoadedModel, TensorEntry, TensorFile

from .buckets import Bucket, Fit, bucket_of, fit_of, square
from .folders import Item
from .options import TrainOptions
from .tensor_files import write_tensors


@dataclass(frozen=True, slots=True)
class TrainedPicture:
    """A picture of the data set.

    Attributes:
        size: (width, height) in pixels, as it is on the disk.
        digest: of the file's bytes.
    """

    item: Item
    size: tuple[int, int]
    fit: Fit
    digest: str


def looked_at(items: Sequence[Item], options: TrainOptions, before: Callable[[int, str], None]) -> list[TrainedPicture]:
    """Open each picture and find its bucket.

    Args:
        before: told how many are done, and the next one's name.

    Raises:
        UnusableFileError: a file is no picture that can be read.
    """
    found = []
    for number, item in enumerate(items):
        before(number, item.path.name)
        data = _read(item.path)
        size = _opened(item.path, data).size
        found.append(
            TrainedPicture(item, size, fit_of(*size, _bucket(size, options)), hashlib.sha256(data).hexdigest())
        )
    return found


def digest_of(pictures: Sequence[TrainedPicture]) -> str:
    """A hash of pictures, captions and repeats, by which a run knows that its data set is the same."""
    told = [(one.item.path.name, one.digest, one.item.caption, one.item.repeats) for one in pictures]
    return hashlib.sha256(repr(told).encode()).hexdigest()


class LatentCache:
    """Latents by picture, in files of a folder, (C, h, w) float32.

    Args:
        folder: of one checkpoint, whose VAE encodes.
    """

    def __init__(self, model: LoadedModel, folder: Path) -> None:
        self._model = model
        self._folder = folder

    def of(self, picture: TrainedPicture, *, mirrored: bool = False) -> Tensor:
        """The latents of a picture in its bucket, scaled as the network sees them; encoded where they are not there."""
        path = self._path(picture, mirrored=mirrored)
        if not path.is_file():
            self._encode(picture, path, mirrored=mirrored)
        with TensorFile(path) as file:
            return file.read("latents")

    def _path(self, picture: TrainedPicture, *, mirrored: bool) -> Path:
        fit = picture.fit
        name = f"{picture.digest[:32]}-{fit.bucket.width}x{fit.bucket.height}{'-mirrored' if mirrored else ''}"
        return self._folder / f"{name}.safetensors"

    @torch.no_grad()
    def _encode(self, picture: TrainedPicture, path: Path, *, mirrored: bool) -> None:
        image = _opened(picture.item.path, _read(picture.item.path))
        fit = picture.fit
        image = image.resize((fit.width, fit.height), Image.Resampling.LANCZOS).crop(fit.box)
        pixels = torch.from_numpy(np.array(ImageOps.mirror(image) if mirrored else image)).permute(2, 0, 1)
        latents = self._model.vae.encode(pixels[None].float() / 255)[0].cpu()
        write_tensors(path, TensorEntry.all_of({"latents": latents}), lambda _: latents, {}, replaces=True)


def _bucket(size: tuple[int, int], options: TrainOptions) -> Bucket:
    if not options.buckets:
        return square(options.resolution, options.bucket_step)
    return bucket_of(*size, options.resolution, options.bucket_step, options.min_bucket, options.max_bucket)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path.parent.name}/{path.name}: cannot be read ({error.strerror})") from error


def _opened(path: Path, data: bytes) -> Image.Image:
    """The picture upright and in RGB, on white where it is translucent."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                ground = Image.new("RGBA", image.size, "white")
                return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnusableFileError(
            f"{path.parent.name}/{path.name}: is no picture that can be read ({error}); save it anew or take it out of "
            "the data set"
        ) from None
