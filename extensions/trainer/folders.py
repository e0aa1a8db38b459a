"""Data sets on disk, as kohya's trainer expects them: `<name>/10_word/picture.png` with `picture.txt` beside it.

A data set is chosen by its name in a listing, and never by a path: those are the folders in `data_sets` of the
program's data folder, and those that the file `folders.txt` there names, a line each.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from webui.extension_api import ActionContext, BadRequestError, UnusableFileError

ROOT = "data_sets"
FURTHER = "folders.txt"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
CAPTION_SUFFIXES = (".txt", ".caption")
_REPEATED = re.compile(r"(\d+)_(.*)")
_MOST_REPEATS = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """A picture of a data set.

    Attributes:
        caption: of the file beside it; without one, the words of the folder's name.
        repeats: how often it comes in an epoch, from the folder's name.
    """

    path: Path
    caption: str
    repeats: int


def data_sets(context: ActionContext) -> dict[str, Path]:
    """The folders of data sets by their names, sorted."""
    root = context.data_dir / ROOT
    found = {path.name: path for path in _folders(root)}
    listed = root / FURTHER
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            path = Path(line.strip()).expanduser()
            if line.strip() and path.is_dir():
                found.setdefault(path.name, path)
    return dict(sorted(found.items()))


def chosen(context: ActionContext, name: str) -> Path:
    """The folder of a data set. Raises BadRequestError where there is none of that name."""
    there = data_sets(context)
    if name not in there:
        root = context.data_dir / ROOT
        known = f"there are: {', '.join(list(there)[:20])}" if there else "there is none"
        raise BadRequestError("data_set", f"no data set {name!r}; {known}. Folders of pictures belong in {root}")
    return there[name]


def pictures(path: Path) -> list[Item]:
    """The pictures of a data set, sorted by their paths. Pictures outside of folders such as `10_word` come once.

    Raises:
        UnusableFileError: a caption is no text.
    """
    found = [_item(file, 1, "") for file in _pictures(path)]
    for folder in _folders(path):
        match = _REPEATED.fullmatch(folder.name)
        repeats = min(int(match[1]), _MOST_REPEATS) if match else 1
        words = match[2].replace("_", " ") if match else ""
        if repeats:
            found += [_item(file, repeats, words) for file in _pictures(folder)]
    return found


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".") if path.is_dir() else []


def _pictures(path: Path) -> list[Path]:
    return sorted(
        one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file() and one.name[0] != "."
    )


def _item(file: Path, repeats: int, words: str) -> Item:
    for suffix in CAPTION_SUFFIXES:
        beside = file.with_suffix(suffix)
        if beside.is_file():
            try:
                return Item(file, " ".join(beside.read_text(encoding="utf-8-sig").split()), repeats)
            except UnicodeDecodeError:
                raise UnusableFileError(f"{beside.name}: is no text in UTF-8; save it anew in UTF-8") from None
    return Item(file, words, repeats)
