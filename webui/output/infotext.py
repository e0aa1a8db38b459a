"""Writes the generation parameters of one image as the text that A1111 and other tools read.

Which keys there are, when they are written and in which order is said by the table of fields (`domain/parameters/`).
Reading a text back is in `parse.py`; where in a file it is stored is in `metadata.py`.
"""

import json
import re
from collections.abc import Iterable, Mapping

from webui.domain.dialect import Behind
from webui.domain.parameters.subject import InfoFacts, Subject
from webui.domain.parameters.table import AFTER_EXTENSIONS, BEFORE_EXTENSIONS, Section, written
from webui.domain.request import GenerationRequest
from webui.output.grammar import body, join_sizes, safe_key, split_text

__all__ = ["InfoFacts", "Subject", "details", "details_text", "quote", "version_text", "write"]

_NEEDS_QUOTES = re.compile(r'[,:\r\n]|^["\s]|\s$')

Details = dict[str, object]  # key -> value as Python prints it; None: not written


def write(request: GenerationRequest, facts: InfoFacts) -> str:
    """The infotext of one image.

    Layout: prompt, `Negative prompt: ` line where there is one, one line of `Key: value` items. Numbers are printed as
    Python does (`CFG scale: 7.0`). A prompt that no reader could take apart again (it has a line that starts with
    `Negative prompt:`) is repeated in quotes under the key `Exact prompt`, which other tools pass over.

    Args:
        request: what makes this one image: its own seed, the prompt after styles and wildcards.
        facts: what else is known of it.
    """
    subject = Subject(request, facts)
    items = details(BEFORE_EXTENSIONS, subject)
    for key, value in facts.extra.items():
        if not isinstance(value, Behind):  # what no longer holds is not written
            items[safe_key(key)] = None if value == "" and key in items else value
    items |= {key: value for key, value in details(AFTER_EXTENSIONS, subject).items() if value is not None}
    items |= {safe_key(key): value for key, value in facts.extra.items() if isinstance(value, Behind)}
    if _normal(split_text(_text(request, items))) != _normal((request.prompt, request.negative_prompt)):
        items |= {"Exact prompt": request.prompt, "Exact negative prompt": request.negative_prompt}
    if facts.version:
        items["Version"] = version_text(facts.version)
    return _text(request, items)


def details(sections: Iterable[Section], subject: Subject) -> Details:
    """The items of some sections of the table, in their order."""
    return join_sizes(written(sections, subject))


def version_text(version: str) -> str:
    """What stands after `Version: `, never readable as a version number.

    A1111 compares the value with its own releases and switches on options of the past where it is lower (0.1.0 would
    count as older than 1.6). `webui-0.1.0` is no version by PEP 440, so that A1111 applies none of these rules; Forge's
    texts (`f2.0.1v1.10.1-...`) are none either, and other tools pass the key on as it is.
    """
    return f"webui-{version}"


def quote(value: object) -> str:
    """A value as it stands in the details line: bare, or a JSON string where it would be misread bare; of a mapping
    its JSON.
    """
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text


def details_text(prompt: str, negative_prompt: str, items: Mapping[str, object]) -> str:
    """An infotext of prompts and items; an item of the value None is not written."""
    line = (key if key == value else f"{key}: {quote(value)}" for key, value in items.items() if value is not None)
    return f"{body(prompt, negative_prompt)}\n{', '.join(line)}".strip()


def _text(request: GenerationRequest, items: Details) -> str:
    return details_text(request.prompt, request.negative_prompt, items)


def _normal(prompts: tuple[str, str]) -> tuple[list[str], ...]:
    """Prompts without the white space at the ends of lines, which no reader keeps and no tokenizer sees."""
    return tuple([line.strip() for line in text.strip().split("\n")] for text in prompts)
