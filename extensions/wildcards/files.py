"""The files of wildcards: found by name among those that are there; a name is never joined to a path."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from webui.extension_api import BadRequestError

MAX_BYTES = 4 * 1024 * 1024
_LISTED = 20  # names in an error text


class WildcardFiles:
    """The text files of a folder, read when they are asked for. One object serves one job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = {
            path.relative_to(folder).with_suffix("").as_posix(): path
            for path in sorted(folder.rglob("*.txt"))
            if path.is_file() and path.resolve().is_relative_to(folder.resolve())
        }
        self._lines: dict[str, tuple[str, ...]] = {}

    def __call__(self, name: str) -> Sequence[str]:
        """The choices behind a name such as `colour`, `animals/cats` or `animals/*`.

        Raises:
            BadRequestError: no such file, or no choices in it; lists what is there.
        """
        found = [known for known in self._paths if known == name or ("*" in name and fnmatchcase(known, name))]
        lines = [line for known in found for line in self._read(known)]
        if lines:
            return lines
        if found:
            raise BadRequestError("prompt", f"__{name}__: {', '.join(found)}.txt has no choices in it")
        there = ", ".join(list(self._paths)[:_LISTED]) or "no files"
        raise BadRequestError("prompt", f"__{name}__: there is no {name}.txt in {self._folder}; there are: {there}")

    def _read(self, name: str) -> tuple[str, ...]:
        if name not in self._lines:
            path = self._paths[name]
            try:
                if path.stat().st_size > MAX_BYTES:
                    raise BadRequestError("prompt", f"__{name}__: {path.name} is larger than {MAX_BYTES >> 20} MiB")
                text = path.read_text("utf-8-sig")
            except (OSError, UnicodeError) as error:
                raise BadRequestError("prompt", f"__{name}__: {path.name} cannot be read ({error})") from error
            stripped = (line.strip() for line in text.splitlines())
            self._lines[name] = tuple(line for line in stripped if line and not line.startswith("#"))
        return self._lines[name]
