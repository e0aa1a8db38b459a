"""Saved styles: reading styles.csv and further files like it, and merging a style into a prompt."""

import csv
import glob
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import UnusableFileError

PLACEHOLDER = "{prompt}"
ENDING = ".csv"
MAX_FILES = 200


@dataclass(frozen=True, slots=True)
class Style:
    """A named pair of texts, merged into the prompt and the negative prompt."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""


def apply_styles(text: str, styles: Sequence[str]) -> str:
    """Merge style texts into a prompt, one after another.

    A style with `{prompt}` is wrapped around the text so far; any other is appended with a comma. An empty style only
    removes whitespace at both ends.
    """
    for style in styles:
        if PLACEHOLDER in style:
            text = style.replace(PLACEHOLDER, text)
        else:
            text = ", ".join(part for part in (text.strip(), style.strip()) if part)
    return text


def merge_styles(
    prompt: str, negative_prompt: str, names: Sequence[str], styles: Mapping[str, Style]
) -> tuple[str, str]:
    """Both prompts with the named styles merged in; a name that does not exist counts as an empty style."""
    chosen = [styles.get(name, Style(name)) for name in names]
    return (
        apply_styles(prompt, [style.prompt for style in chosen]),
        apply_styles(negative_prompt, [style.negative_prompt for style in chosen]),
    )


def read_styles(path: Path) -> dict[str, Style]:
    """Read styles.csv: columns name, prompt (older files: text), negative_prompt. Rows named `#...` are left out.

    Returns:
        The styles by name, in the order of the file; none if the file does not exist.

    Raises:
        UnusableFileError: not a UTF-8 CSV with a column `name`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableFileError(f"{path.name}: cannot be read as UTF-8 text ({error})") from error
    rows = csv.DictReader(io.StringIO(text, newline=""))
    styles: dict[str, Style] = {}
    try:
        if rows.fieldnames is not None and "name" not in rows.fieldnames:
            raise UnusableFileError(f"{path.name}: its first line must name the columns name, prompt, negative_prompt")
        for row in rows:
            name = row.get("name") or ""
            if name and not name.startswith("#"):
                prompt = row.get("prompt") or row.get("text") or ""
                styles[name] = Style(name, prompt, row.get("negative_prompt") or "")
    except csv.Error as error:
        raise UnusableFileError(f"{path.name}: not a CSV file, line {rows.line_num}: {error}") from error
    return styles


def style_files(setting: Path) -> tuple[Path, ...]:
    """The files that the setting names, in the order in which they count: of one name in two files the first is meant.

    A plain name is that file (whether or not it exists) and then every `*.csv` in the folder of the same name without
    the ending: `styles.csv`, `styles/painters.csv`, ... A name with `*`, `?` or `[` is every file that it matches, as
    A1111's `--styles-file` has it. At most MAX_FILES.
    """
    if glob.has_magic(setting.name) and not setting.exists():
        found = [path for path in setting.parent.glob(setting.name) if path.is_file()]
        return tuple(sorted(found, key=_by_name)[:MAX_FILES])
    folder = setting.with_suffix("")
    further = folder.glob(f"*{ENDING}") if folder != setting and folder.is_dir() else ()
    return (setting, *sorted((path for path in further if path.is_file()), key=_by_name))[:MAX_FILES]


def read_all_styles(setting: Path) -> tuple[dict[str, Style], tuple[str, ...]]:
    """The styles of all files by name, and a sentence for each file that is damaged and counts as empty."""
    styles: dict[str, Style] = {}
    problems = []
    for path in style_files(setting):
        try:
            further = read_styles(path)
        except UnusableFileError as error:
            problems.append(str(error))
        else:
            styles |= {name: style for name, style in further.items() if name not in styles}
    return styles, tuple(problems)


def _by_name(path: Path) -> str:
    return path.name.casefold()
