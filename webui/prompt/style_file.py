"""Saves and deletes styles in styles.csv. How the file is read and styles are applied is in `styles.py`."""

import csv
import io
import threading
from collections.abc import Callable
from pathlib import Path

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.library.unfinished import write_atomically
from webui.prompt.styles import Style, read_styles

COLUMNS = ("name", "prompt", "negative_prompt")
OLD_PROMPT = "text"  # the column's name in the first versions
BACKUP = ".bak"
MAX_NAME = 200  # characters, as a request allows
MAX_TEXT = 32_000
Rows = list[list[str]]


class StyleFile:
    """styles.csv as a set of named styles: UTF-8 with BOM, a header line, then one row a style.

    Every change reads the file again, changes one row and replaces the file as a whole, one change at a time: nothing
    is lost when two tabs save at once. Columns that this program does not use, rows named `#...` and the order stay.
    The file before the last change is kept as `styles.csv.bak`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        return self._path

    def read(self) -> dict[str, Style]:
        """The styles by name, in the order of the file. Raises UnusableFileError."""
        return read_styles(self._path)

    def names(self) -> tuple[str, ...]:
        """The names of the styles; none while the file is damaged."""
        try:
            return tuple(self.read())
        except UnusableFileError:
            return ()

    def save(self, style: Style, before: str = "") -> None:
        """Add a style, or replace the texts of the one of that name.

        Args:
            before: the name that it had until now, where it is renamed; it keeps its row.

        Raises:
            BadRequestError: naming `name`, `prompt` or `negative_prompt`.
            UnusableFileError: the file is damaged; it stays as it is.
            WebuiError: it cannot be written; it stays as it is.
        """
        _check(style)

        def change(header: list[str], rows: Rows) -> None:
            texts = {"name": style.name, _prompt_column(header): style.prompt, "negative_prompt": style.negative_prompt}
            if OLD_PROMPT in header and "prompt" in header:
                texts[OLD_PROMPT] = ""  # the old column would be read where the new one is empty
            for column in texts:
                if column not in header:
                    header.append(column)
            at = header.index("name")
            same = [row for row in rows if len(row) > at and row[at] == (before or style.name)]
            if not same:
                same = [[]]
                rows.append(same[0])
            row = same[-1]  # of several rows of a name the last one counts
            row += [""] * (len(header) - len(row))
            for column, text in texts.items():
                row[header.index(column)] = text

        self._change(change)

    def delete(self, name: str) -> bool:
        """Remove a style; False where there is none of that name. Raises as `save`."""
        found = False

        def change(header: list[str], rows: Rows) -> None:
            nonlocal found
            at = header.index("name")
            kept = [row for row in rows if not (len(row) > at and row[at] == name)]
            found = len(kept) < len(rows)
            rows[:] = kept

        if name in self.read():
            self._change(change)
        return found

    def _change(self, change: Callable[[list[str], Rows], None]) -> None:
        with self._lock:
            before, header, rows = self._rows()
            change(header, rows)
            buffer = io.StringIO(newline="")
            csv.writer(buffer).writerows([header, *rows])
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                if before is not None:
                    write_atomically(self._path.with_name(self._path.name + BACKUP), before)
                write_atomically(self._path, buffer.getvalue().encode("utf-8-sig"), durable=True)
            except OSError as error:
                raise WebuiError(f"{self._path} cannot be written: {error.strerror}; nothing was changed") from error

    def _rows(self) -> tuple[bytes | None, list[str], Rows]:
        """The file's bytes (None: there is no file), its header and its rows. Raises UnusableFileError."""
        self.read()  # says what is wrong with the file, if anything
        try:
            before = self._path.read_bytes()
        except FileNotFoundError:
            return None, list(COLUMNS), []
        header, *rows = [*csv.reader(io.StringIO(before.decode("utf-8-sig"), newline=""))] or [list(COLUMNS)]
        return before, header or list(COLUMNS), rows


def _prompt_column(header: list[str]) -> str:
    return OLD_PROMPT if OLD_PROMPT in header and "prompt" not in header else "prompt"


def _check(style: Style) -> None:
    """Raises BadRequestError for what the file, the page or a request could not hold."""
    name = style.name
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadRequestError("name", f"a style needs a name of 1 to {MAX_NAME} characters on one line")
    if name.startswith("#"):
        raise BadRequestError("name", "a name that starts with # marks a row that is left out; choose another")
    for field in ("prompt", "negative_prompt"):
        text: str = getattr(style, field)
        if len(text) > MAX_TEXT or "\0" in text:
            raise BadRequestError(field, f"at most {MAX_TEXT} characters, and no NUL")
