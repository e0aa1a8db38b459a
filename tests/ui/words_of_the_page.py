"""Collects the English texts of the page from its sources, to be held against the dictionaries."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from webui.domain.extensions import ExtensionInfo
from webui.domain.parameters.table import ROWS as FIELDS
from webui.preferences import preferences, setting_rows
from webui.preferences.setting import GROUPS
from webui.preferences.setting_rows import ROWS as SETTINGS
from webui.ui.forms_of_extensions.drawn_form import drawn_form
from webui.ui.frame import TITLES
from webui.ui.layout import label_of
from webui.ui.upscale_tab import form as upscale_form

UI = Path(__file__).resolve().parents[2] / "webui" / "ui"
TRANSLATED = re.compile(r"""\bt\(\s*"((?:[^"\\]|\\.)*)\"""")
SENTENCES = re.compile(r"""browserRow\("((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)\"""")  # rows of what the browser keeps
CHOSEN = re.compile(r"""t\([^()"]*\? "((?:[^"\\]|\\.)*)" : "((?:[^"\\]|\\.)*)\"""")
IN_TABLES = re.compile(r"""\b(?:title|label): "((?:[^"\\]|\\.)*)\"""")  # rows that are translated where they are drawn
COUNTED = re.compile(r"\{n\} (?:[a-z]+ ){0,2}[a-z]+s\b")  # a number of things
OF_FORMS = ("label", "help", "title", "description", "text")
SPOKEN = ("label", "info", "placeholder", "title")  # arguments of components that people see
NAMED_BY_FIRST = ("Button", "Tab", "Accordion", "section", "Section", "UploadButton", "DownloadButton")
SAME_EVERYWHERE = re.compile(
    r"[^A-Za-z]*|txt2img|img2img|[A-Z]+[0-9]*|Stable Diffusion|Eta|Ctrl|Alt|Shift|Enter|https?://\S+"
)


def of_scripts() -> dict[str, str]:
    """The texts that scripts translate, each with the file that it stands in."""
    found: dict[str, str] = {}
    for file in sorted((UI / "static").glob("*.js")):
        text = file.read_text()
        texts = [*TRANSLATED.findall(text), *(IN_TABLES.findall(text) if "t(" in text else ())]
        texts += [one for pattern in (SENTENCES, CHOSEN) for pair in pattern.findall(text) for one in pair]
        found |= {re.sub(r"\\(.)", r"\1", one): file.name for one in texts}
    return found


def singulars() -> dict[str, str]:
    """What is said in English of one thing, by what is said of several."""
    table = (UI / "static" / "singulars.js").read_text()
    return dict(re.findall(r'^  "((?:[^"\\]|\\.)*)": "((?:[^"\\]|\\.)*)",$', table, re.MULTILINE))


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
    found = dict.fromkeys((label_of(row.path) for row in FIELDS), "parameters")
    for setting in SETTINGS:
        found |= dict.fromkeys((setting.label, setting.help), setting.name)
    sentences = (setting_rows.BY_FLAG, setting_rows.AT_EXTENSIONS, preferences.LOCAL_ONLY)
    return {**found, **dict.fromkeys((*sentences, *GROUPS), "settings"), **dict.fromkeys(TITLES.values(), "tabs")}


def of_forms(extensions: Iterable[ExtensionInfo]) -> dict[str, str]:
    """The texts of forms that are drawn from schemas: of the tab Upscale, and of extensions and their actions."""
    found = dict.fromkeys(_drawn(upscale_form().as_json()), "upscale")
    for info in extensions:
        forms = [drawn_form(info.options, title=info.title)] if info.options is not None else []
        forms += [drawn_form(action.schema, title=action.title) for action in info.actions if not action.light]
        found |= {text: info.name for form in forms for text in _drawn(form.as_json())}
    return found


def needs_words(text: str) -> bool:
    """Whether a text is one that languages have different words for."""
    return len(text) > 1 and SAME_EVERYWHERE.fullmatch(text) is None


def _drawn(part: Any) -> Iterator[str]:
    """What `static/form_words.js` translates."""
    if isinstance(part, list | tuple):
        for one in part:
            yield from _drawn(one)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in OF_FORMS and isinstance(value, str):
                yield value
            elif key == "choices":
                yield from (one[1] for one in value if isinstance(one[1], str))
            elif key not in ("default", "value", "values"):
                yield from _drawn(value)


def _spoken(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    values = [one.value for one in call.keywords if one.arg in SPOKEN]
    if name in NAMED_BY_FIRST and call.args:
        values.append(call.args[0])
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
