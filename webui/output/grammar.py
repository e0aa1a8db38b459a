"""The grammar of infotexts: lines and `Key: value` items. What keys mean stands in `parse.py` and `compat.py`.

The format is that of A1111 v1.10.1 (the details line is the last line, values are bare or JSON strings), read more
strictly where its own reader loses prompts. Everything runs in time linear in the length of the text.
"""

import json
import re
from collections.abc import Iterator, Mapping

NEGATIVE = "Negative prompt:"
SIZE_KEYS = ("Size", "Hires resize", "Seed resize from", "First pass size")  # read as `<key>-1` and `<key>-2`
_KEY = re.compile(r"\w[\w \-/]+")
_KEY_CHARACTERS = re.compile(r"[^\w \-/]")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])+"')
_SPACE = re.compile(r"\s*")
_SIZE = re.compile(r"(\d+)x(\d+)", re.ASCII)
BELOW = "Lines below"  # the key under which unknown lines below the details are kept
_TEMPLATE = re.compile(r"(Template|Negative Template):\s*(.*)")
_OUTPUT_BOX = re.compile(  # what older releases of A1111 showed below the details: embeddings, time, memory
    r"(Used embeddings|Time taken|Torch active/reserved|Torch|Sys VRAM|[ARV]):\s"
)
_MIN_ITEMS = 3
_DECODER = json.JSONDecoder()
_OPEN, _CLOSE = ("[", "{"), ("]", "}")
_BRACKET_OR_TEXT = re.compile(r'"(?:\\.|[^\\"])*"|[\[\]{}]')
_MAX_BROKEN = 40  # values that begin with a bracket and do not end, after which brackets are plain text


def safe_key(key: str) -> str:
    """The key with everything replaced that would end it or start another item."""
    return _KEY_CHARACTERS.sub("_", key)


def items(line: str) -> Iterator[tuple[str, str]]:
    """The `Key: value` pairs of a details line, in order; text between that fits nowhere is passed over.

    A key is a word character and at least one more of word characters, spaces, `-` and `/`. A value is a JSON string,
    an array or object in its brackets (which other tools append unquoted: `Hashes: {...}`), or runs up to the next
    comma.
    """
    start = broken = 0  # nothing before `start` is looked at again but for a few brackets, so the walk is linear
    while (colon := line.find(":", start)) >= 0:
        key = _key_before(line, start, colon)
        start = colon + 1
        if not key:
            continue
        begin = _match_end(_SPACE, line, start)
        opens = line.startswith(_OPEN, begin)
        end = _bracketed(line, begin) if opens and broken < _MAX_BROKEN else None
        if end is not None:
            value, start = line[begin:end], end + 1
        else:
            broken += opens
            value, start = _value_at(line, begin)
        if value:
            yield key, value


def split(text: str) -> tuple[str, str, dict[str, str]]:
    """Split an infotext in prompt, negative prompt and the items of its details line (values still as written).

    The details line is the last line that has three items or more, one of them `Steps`. Of what stands below it the
    `Template: ` lines of Dynamic Prompts are read, and what A1111's output box showed there is passed over. Other lines
    below are kept as `Lines below`, where a prompt stands above; else, and without such a line, everything is prompt.
    """
    lines = text.strip().split("\n")
    at, below = _details_line(lines)
    if at == 0 and BELOW in below:
        at = None
    found: dict[str, str] = {}
    if at is not None:
        found = dict(items(lines[at])) | below
        lines = lines[:at]
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for line in map(str.strip, lines):
        if line.startswith(NEGATIVE):
            current = negative
            line = line.removeprefix(NEGATIVE).strip()
        current.append(line)
    return "\n".join(prompt).strip(), "\n".join(negative).strip(), found


def body(prompt: str, negative: str) -> str:
    """What stands above the details line."""
    return f"{prompt}\n{NEGATIVE} {negative}" if negative else prompt


def split_text(text: str) -> tuple[str, str]:
    """Prompt and negative prompt alone."""
    prompt, negative, _ = split(text)
    return prompt, negative


def expand_sizes(fields: dict[str, str]) -> dict[str, str]:
    """`Size: 512x768` becomes `Size-1` and `Size-2`, for the keys that are sizes."""
    expanded: dict[str, str] = {}
    for key, value in fields.items():
        size = _SIZE.fullmatch(value) if key in SIZE_KEYS else None
        if size:
            expanded[f"{key}-1"], expanded[f"{key}-2"] = size.groups()
        else:
            expanded[key] = value
    return expanded


def join_sizes(items: Mapping[str, object]) -> dict[str, object]:
    """The way back of `expand_sizes`, in the same order; a size without numbers has the value None."""
    joined: dict[str, object] = {}
    for key, value in items.items():
        name, _, side = key.rpartition("-")
        if name not in SIZE_KEYS:
            joined[key] = value
        elif side == "1":
            joined[name] = None if value is None else f"{value}x{items.get(f'{name}-2', 0)}"
    return joined


def _key_before(line: str, start: int, colon: int) -> str:
    """The longest key that ends at the colon, "" where there is none."""
    first = colon
    while first > start and not _KEY_CHARACTERS.match(line, first - 1):
        first -= 1
    found = _KEY.fullmatch(line[first:colon].lstrip(" -/"))
    return found.group() if found else ""


def _value_at(line: str, begin: int) -> tuple[str, int]:
    """The value that starts at `begin`, and where the next item may start."""
    quoted = _QUOTED.match(line, begin)
    if quoted and _ends(line, quoted.end()):
        return _unquote(quoted.group()), quoted.end() + 1
    comma = line.find(",", begin)
    end = comma if comma >= 0 else len(line)
    return _unquote(line[begin:end].strip()), end + 1


def _bracketed(line: str, begin: int) -> int | None:
    """Where an array or object that starts at `begin` ends: by JSON or else by its brackets; None: nowhere."""
    try:
        _, end = _DECODER.raw_decode(line, begin)
    except (ValueError, RecursionError):
        end = _closing(line, begin)
    return end if end > begin and _ends(line, end) else None


def _closing(line: str, begin: int) -> int:
    """The place behind the bracket that closes the one at `begin`, or `begin`; those in double quotes do not count."""
    depth = 0
    for found in _BRACKET_OR_TEXT.finditer(line, begin):
        depth += (found[0] in _OPEN) - (found[0] in _CLOSE)
        if depth == 0:
            return found.end()
    return begin


def _match_end(pattern: re.Pattern[str], line: str, position: int) -> int:
    found = pattern.match(line, position)
    return found.end() if found else position


def _ends(line: str, position: int) -> bool:
    return position == len(line) or line[position] == ","


def _unquote(value: str) -> str:
    """Decode a JSON string; what only looks like one stays as it is."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


def _details_line(lines: list[str]) -> tuple[int | None, dict[str, str]]:
    """Index of the details line, and what stands below it: `Template` items, and lines that nobody knows."""
    below: dict[str, str] = {}
    pending: list[str] = []
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at].strip()
        template = _TEMPLATE.match(line)
        if template:
            below[template[1]] = "\n".join([template[2], *reversed(pending)]).strip()
            pending = []
        elif _is_details(line):
            unknown = "\n".join(reversed(pending)).strip()
            return at, below | ({BELOW: unknown} if unknown else {})
        elif _OUTPUT_BOX.match(line):
            pending = []  # what it goes on with stands on the lines below it
        else:
            pending.append(line)
    return None, {}


def _is_details(line: str) -> bool:
    if "Steps:" not in line:
        return False
    keys = [key for key, _ in items(line)]
    return len(keys) >= _MIN_ITEMS and "Steps" in keys
