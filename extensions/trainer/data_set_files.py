"""Files of a data set: found by their names in the listing, opened with care, written whole, moved to the trash."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from webui.extension_api import ActionContext, BadRequestError, Picture, WebuiError, unfinished

from . import folders
from .folders import Item, data_sets, pictures

NAME = re.compile(r"[^\W_][\w .\-]{0,59}")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
TRASH = ".trash"
FORMATS = ("PNG", "JPEG", "WebP", "AVIF", "BMP", "TIFF", "GIF")
MOST_PIXELS = 40_000_000
MOST_FILES = 5_000  # pictures of one data set that are added from the page
REPEATS = 10  # of a folder that is made here
MOST_SETS = 500  # made from the page
ROOM = 512 * 2**20  # bytes that stay free on the disk


def items_of(context: ActionContext, name: str) -> dict[str, Item]:
    """The pictures of a data set by their ids: their places in its folder, as `10_cat/one.png`."""
    folder = folders.chosen(context, name)
    return {item.path.relative_to(folder).as_posix(): item for item in pictures(folder)}


def chosen(items: Mapping[str, Item], ids: Sequence[str]) -> dict[str, Item]:
    """Those of these ids, in the order of the listing. Raises BadRequestError where one is not there."""
    wanted = frozenset(ids)
    if unknown := sorted(wanted - items.keys()):
        raise BadRequestError("ids", f"the data set has no picture {unknown[0][:120]!r}; list it again")
    return {name: item for name, item in items.items() if name in wanted}


def opened(path: Path) -> Image.Image:
    """A picture whose pixels are not decoded yet.

    Raises:
        WebuiError: it is no picture of a known form, or too large.
    """
    try:
        image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError:
        raise WebuiError(f"has more than {MOST_PIXELS // 10**6} megapixels") from None
    except Exception as error:
        raise WebuiError(_why(error)) from None
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise WebuiError(
            f"has {image.width} x {image.height} pixels; at most {MOST_PIXELS // 10**6} megapixels are read"
        )
    return image


def pixels(path: Path, side: int = 0) -> Image.Image:
    """A picture turned upright, mode RGB, at most `side` pixels wide and high (0: as it is).

    Raises:
        WebuiError: it cannot be decoded.
    """
    with opened(path) as image:
        try:
            if side:
                image.draft("RGB", (side * 2, side * 2))
            image.load()
            upright = ImageOps.exif_transpose(image)
            flat = _flat(upright)
            if side:
                flat.thumbnail((side, side))
        except Exception as error:
            raise WebuiError(_why(error)) from None
        return flat


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as it is shown."""
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else (image.width, image.height)


def write_caption(picture: Path, text: str | None) -> None:
    """Write the caption beside a picture, whole or not at all; None: remove the file that this has written."""
    target = picture.with_suffix(".txt")
    if target.is_symlink():
        raise WebuiError(f"{target.name} is a link, which is not written to; replace it with a file")
    if text is None:
        target.unlink(missing_ok=True)
        return
    beside = unfinished(target)
    beside.write_text(f"{text.strip()}\n" if text.strip() else "", encoding="utf-8")
    os.replace(beside, target)


def new_folder(context: ActionContext, name: str) -> Path:
    """The folder of a data set of that name, which is made where there is none.

    Raises:
        BadRequestError: the name is no plain one.
    """
    known = data_sets(context)
    if name in known:
        return known[name]
    if NAME.fullmatch(name) is None or RESERVED.fullmatch(name) or name != name.strip(" ."):
        raise BadRequestError(
            "data_set", "a name has letters, digits, blanks, _ and -, at most 60, a letter or digit first"
        )
    if len(known) >= MOST_SETS:
        raise BadRequestError("data_set", f"there are {len(known)} data sets; remove one first")
    folder = context.data_dir / folders.ROOT / name
    if folder.is_symlink() or folder.exists():
        raise BadRequestError("data_set", f"{name} is there already and is no data set")
    folder.mkdir(parents=True)
    return folder


def add_picture(folder: Path, picture: Picture, name: str, caption: str) -> Path:
    """Write a picture and its caption under the next number, in the first folder of the data set that has repeats.

    Raises:
        BadRequestError: the data set is full.
        WebuiError: the disk is.
    """
    there = pictures(folder)
    if len(there) >= MOST_FILES:
        raise BadRequestError("data_set", f"{folder.name} has {MOST_FILES} pictures; begin another data set")
    if shutil.disk_usage(folder).free < ROOM + len(picture.png):
        raise WebuiError("the disk is nearly full; make room before pictures are added")
    inner = next((one.path.parent for one in there), None)
    if inner is None:
        inner = folder / f"{REPEATS}_{folder.name}"
        inner.mkdir(exist_ok=True)
    target = next(path for path in _names(inner, _plain(name)) if _is_free(path))
    beside = unfinished(target)
    beside.write_bytes(picture.png)
    os.replace(beside, target)
    if caption.strip():
        write_caption(target, caption)
    return target


def move_to_trash(context: ActionContext, data_set: str, items: Mapping[str, Item]) -> int:
    """Move pictures and their captions to `.trash` in the data set's folder, which nothing else looks into.

    Nothing is deleted, and nothing is written over.

    Returns:
        How many pictures were moved.

    Raises:
        WebuiError: the trash is a link.
    """
    trash = folders.chosen(context, data_set) / TRASH
    if trash.is_symlink():
        raise WebuiError(f"{trash.name} of {data_set} is a link, which is not followed; remove it")
    trash.mkdir(exist_ok=True)
    for item in items.values():
        target = next(path for path in _names(trash, item.path.stem, item.path.suffix) if _is_free(path))
        os.rename(item.path, target)
        for ending in folders.CAPTION_SUFFIXES:
            text = item.path.with_suffix(ending)
            if text.is_file() and not text.is_symlink() and not _has_picture(text):
                os.rename(text, target.with_suffix(ending))
    return len(items)


def has_caption(picture: Path) -> bool:
    """Whether there is a file with its caption."""
    return any(picture.with_suffix(ending).is_file() for ending in folders.CAPTION_SUFFIXES)


def _is_free(path: Path) -> bool:
    """Whether no file has this name with any ending, so that a caption belongs to one picture."""
    return not any(one.stem == path.stem for one in path.parent.iterdir())


def _has_picture(text: Path) -> bool:
    """Whether another picture has this caption, too."""
    return any(one.stem == text.stem and one.suffix.lower() in folders.SUFFIXES for one in text.parent.iterdir())


def _names(folder: Path, stem: str, ending: str = ".png") -> Iterator[Path]:
    yield folder / f"{stem}{ending}"
    for number in range(2, 10 * MOST_FILES):
        yield folder / f"{stem}-{number}{ending}"


def _plain(name: str) -> str:
    """A file's name without what leads elsewhere or cannot be written everywhere."""
    last = name.replace("\\", "/").rpartition("/")[2]
    stem = re.sub(r"[^\w\-]+", "-", last.rpartition(".")[0] or last).strip("-")[:60]
    return f"{stem}-1" if not stem or RESERVED.fullmatch(stem) else stem


def _flat(image: Image.Image) -> Image.Image:
    """Transparent parts on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    ground = Image.new("RGBA", clear.size, "white")
    ground.alpha_composite(clear)
    return ground.convert("RGB")


def _why(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return "is no picture of a known form" if "cannot identify" in text else text[:200] or type(error).__name__
