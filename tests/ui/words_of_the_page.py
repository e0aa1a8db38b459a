"""Collects the English texts of the page from its sources, to be held against the dictionaries."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from webui.domain.parameters.table import ROWS as FIELDS
from webui.preferences import preferences, setting_rows
from webui.preferences.setting import GROUPS
from webui.preferences.setting_rows import ROWS as SETTINGS
from webui.ui.frame import TITLES
from webui.ui.layout import label_of

UI = Path(__file__).resolve().parents[2] / "webui" / "ui"
TRANSLATED = re.compile(r"""\bt\(\s*"((?:[^"\\]|\\.)*)\"""")
SENTENCES = re.compile(r"""browserRow\("((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)\"""")  # rows of what the browser keeps
CHOSEN = re.compile(r"""t\([^()"]*\? "((?:[^"\\]|\\.)*)" : "((?:[^"\\]|\\.)*)\"""")
IN_TABLES = re.compile(r"""\b(?:title|label): "((?:[^"\\]|\\.)*)\"""")  # rows that are translated where they are drawn
SPOKEN = ("label", "info", "placeholder", "title")  # arguments of components that people see
NAMED_BY_FIRST = ("Button", "Tab", "Accordion", "section", "Section", "UploadButton", "DownloadButton")
SAME_EVERYWHERE = re.compile(r"[^A-Za-z]*|txt2img|img2img|[A-Z]+[0-9]*|Ctrl|Alt|Shift|Enter|https?://\S+")


def of_scripts() -> dict[str, str]:
    """The texts that scripts translate, each with the file that it stands in."""
    found: dict[str, str] = {}
    for file in sorted((UI / "static").glob("*.js")):
        text = file.read_text()
        texts = [*TRANSLATED.findall(text), *(IN_TABLES.findall(text) if "t(" in text else ())]
        texts += [one for pattern in (SENTENCES, CHOSEN) for pair in pattern.findall(text) for one in pair]
        found |= {re.sub(r"\\(.)", r"\1", one): file.name for one in texts}
    return found


def of_python() -> dict[str, str]:
    """The texts of components that Python draws, each with the file that it stands in."""
    found: dict[str, str] = {}
    for file in sorted(UI.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                found |= dict.fromkeys(_spoken(node), file.name)
    return found


def of_tables() -> dict[str, str]:
    """The texts of the tables that the page is drawn from."""
    found = dict.fromkeys((label_of(row.path) for row in FIELDS if row.label), "parameters")
    for setting in SETTINGS:
        found |= dict.fromkeys((setting.label, setting.help), setting.name)
    sentences = (setting_rows.BY_FLAG, setting_rows.AT_EXTENSIONS, preferences.LOCAL_ONLY)
    return {**found, **dict.fromkeys((*sentences, *GROUPS), "settings"), **dict.fromkeys(TITLES.values(), "tabs")}


def needs_words(text: str) -> bool:
    """Whether a text is one that languages have different words for."""
    return len(text) > 1 and SAME_EVERYWHERE.fullmatch(text) is None


def _spoken(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    values = [one.value for one in call.keywords if one.arg in SPOKEN]
    if name in NAMED_BY_FIRST and call.args:
        values.append(call.args[0])
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
