"""The saved styles of all files together, for those who list, save, rename and delete them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError, WrongStateError
from webui.library.unfinished import write_atomically
from webui.prompt.style_file import StyleFile
from webui.prompt.styles import Style, read_all_styles, read_styles, style_files

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
OWN = "styles.csv"


@dataclass(frozen=True, slots=True)
class ListedStyle:
    """A style and where it stands.

    Attributes:
        file: as `StyleBook.files` names it.
        hidden_by: the file that has another style of this name and comes first; "" where there is none.
    """

    style: Style
    file: str
    hidden_by: str = ""


class StyleBook:
    """Every file of saved styles that the setting names. A new style goes into the first file."""

    def __init__(self, setting: Path) -> None:
        """Args:
        setting: as `prompt.styles.style_files` takes it.
        """
        self._setting = setting

    def files(self) -> dict[str, StyleFile]:
        """The files by the names that the page shows: their path below the folder of the setting."""
        paths = style_files(self._setting) or (self._setting.with_name(OWN),)
        return {path.relative_to(self._setting.parent).as_posix(): StyleFile(path) for path in paths}

    def read(self) -> dict[str, Style]:
        """The styles that count, by name.

        Raises:
            UnusableFileError: there is a damaged file, and no style in any other.
        """
        styles, problems = read_all_styles(self._setting)
        if problems and not styles:
            raise UnusableFileError(problems[0])
        return styles

    def names(self) -> tuple[str, ...]:
        """The names of the styles; those of damaged files are left out."""
        return tuple(read_all_styles(self._setting)[0])

    def listed(self) -> tuple[tuple[ListedStyle, ...], tuple[str, ...]]:
        """Every style of every file, in the order of the files, and a sentence for each file that is damaged."""
        listed: list[ListedStyle] = []
        problems: list[str] = []
        owners: dict[str, str] = {}
        for label, file in self.files().items():
            try:
                styles = file.read()
            except UnusableFileError as error:
                problems.append(str(error))
                continue
            for name, style in styles.items():
                listed.append(ListedStyle(style, label, owners.get(name, "")))
                owners.setdefault(name, label)
        return tuple(listed), tuple(problems)

    def add(self, style: Style, file: str = "") -> str:
        """Save a new style; gives back the name of its file ("" means the first).

        Raises:
            WrongStateError: there is a style of that name; says where.
            BadRequestError, UnusableFileError, WebuiError: as `StyleFile.save`.
        """
        label = file or next(iter(self.files()))
        target = self._file(label)
        self._check_free(style.name)
        target.save(style)
        return label

    def change(self, name: str, file: str, style: Style, expected: Style | None = None) -> None:
        """Replace name and texts of a style.

        Args:
            expected: what the user saw before the change; None: whatever is there now is replaced.

        Raises:
            WrongStateError: it is gone, its texts are not those expected, or another style has the new name.
            BadRequestError, UnusableFileError, WebuiError: as `StyleFile.save`.
        """
        target = self._file(file)
        now = target.read().get(name)
        if now is None:
            raise WrongStateError(f"There is no style {name!r} in {file} any more.")
        if expected is not None and now != expected:
            raise WrongStateError(f"The style {name!r} in {file} was changed elsewhere meanwhile.")
        if style.name != name:
            self._check_free(style.name)
        target.save(style, before=name)

    def delete(self, name: str, file: str) -> bool:
        """Remove a style; False where there is none of that name. Raises as `StyleFile.delete`."""
        return self._file(file).delete(name)

    def picture_of(self, name: str, file: str) -> Path | None:
        """The picture that bears a style's name, in the folder that has the name of its file or beside the file."""
        if not _names_a_file(name):
            return None
        return next((path for path in self._pictures(name, file) if path.is_file()), None)

    def save_picture(self, name: str, file: str, png: bytes) -> Path:
        """Keep a picture of a style, in the folder that has the name of its file.

        Raises:
            BadRequestError: there is no such file, or the name of the style cannot be that of a picture.
            WrongStateError: there is no such style in the file.
            WebuiError: it cannot be written.
        """
        found = self._file(file)
        if not _names_a_file(name):
            raise BadRequestError("name", "a style with such a name cannot have a picture; rename it first")
        if name not in found.read():
            raise WrongStateError(f"There is no style {name!r} in {file} any more.")
        place = found.path.with_suffix("") / f"{name}{PICTURES[0]}"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, png)
        except OSError as error:
            raise WebuiError(f"{place} cannot be written: {error.strerror}") from error
        return place

    def _pictures(self, name: str, file: str) -> Iterator[Path]:
        found = self.files().get(file)
        if found is None:
            return
        for folder in (found.path.with_suffix(""), found.path.parent):
            for ending in PICTURES:
                yield folder / f"{name}{ending}"

    def _file(self, label: str) -> StyleFile:
        files = self.files()
        if label not in files:
            raise BadRequestError("file", f"there is no file of styles {label!r}; there are: {', '.join(files)}")
        return files[label]

    def _check_free(self, name: str) -> None:
        for label, file in self.files().items():
            if name in read_styles(file.path):
                raise WrongStateError(f"There is a style {name!r} already, in {label}.")


def _names_a_file(name: str) -> bool:
    """Whether a style's name can be that of a file on every system, and leads nowhere else."""
    return bool(name) and not name.startswith(".") and not set('/\\:*?"<>|\0') & set(name)
