"""File names from patterns such as `[number]-[seed]`: always one safe path component. Writing files is in `store.py`.

The tokens are those of A1111 v1.10.1 (`[name<argument><argument>]`, any case; unknown tokens stay as they are), with
`[number]` besides for the running number.
"""

import contextlib
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PIL import Image

from webui.domain.catalog import shown_schedule
from webui.domain.request import GenerationRequest

MAX_BYTES = 200  # of a name with its extension, in UTF-8
MAX_PART = 128  # characters that one token may give
MAX_WORDS = 8
NUMBER = "[number]"
_MARK = "\ue000"  # stands for the number until it is known; from the private use area, so no value keeps it
_TOKEN = re.compile(r"\[([^\[\]<>]+)((?:<[^<>]*>)*)\]")
_ARGUMENT = re.compile(r"<([^<>]*)>")
_WORDS = re.compile(r"[\s!-/:-@\[-`{-~]+")
_UNSAFE = re.compile(r'[#<>:"/\\|?*\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ue000]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=[ .]*(?:\.|\Z))", re.IGNORECASE)
_TRAILING = re.compile(r"[\s.]+\Z")
_DATE, _DATETIME = "%Y-%m-%d", "%Y%m%d%H%M%S"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """What the tokens of a pattern can say.

    Attributes:
        request: what makes this one image.
        job: the request of the whole job, for batch sizes and first and last seeds.
        index: position of the image in the job.
        info: the fields of its infotext (`Model`, `Model hash`, `VAE`).
        words: further tokens, which extensions give.
    """

    request: GenerationRequest
    job: GenerationRequest
    index: int
    image: Image.Image
    time: datetime
    info: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def component(pattern: str, facts: NameFacts) -> str:
    """The name of a folder: one safe path component of at most 200 bytes, never empty."""
    return clean(_render(pattern, facts).replace(_MARK, ""))


def literal_component(name: str) -> str:
    """The name of a folder that is called so and not by a pattern; made safe as `component` does."""
    return clean(name)


def literal_name(name: str, extension: str) -> "NameTemplate":
    """The name of an image that is called so and not by a pattern."""
    return NameTemplate(head=unicodedata.normalize("NFC", _safe(name)), tail="", numbered=False, extension=extension)


def file_name(pattern: str, facts: NameFacts, extension: str, digits: int = 5) -> "NameTemplate":
    """The name of an image, all but the number.

    Args:
        extension: with its dot, `.png`.
        digits: how many the number has at least.
    """
    # Normal form first: `clean` must not make the part before the number longer
    head, mark, tail = unicodedata.normalize("NFC", _render(pattern, facts)).partition(_MARK)
    return NameTemplate(
        head=head, tail=tail.replace(_MARK, ""), numbered=bool(mark), extension=extension, digits=digits
    )


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A file name whose number is not yet chosen."""

    head: str
    tail: str
    numbered: bool
    extension: str
    digits: int = 5

    def with_number(self, number: int) -> str:
        """The safe file name with this number; a name without `[number]` gets one at its end from 1 on."""
        after = f"-{number}" if number else ""
        digits = f"{number:0{self.digits}d}" if self.numbered else after
        room = MAX_BYTES - len(self.extension.encode()) - len(digits) - 1  # 1: a name may need a `_` in front
        head = _cut(self.head, room)
        tail = _cut(self.tail, room - len(head.encode()))
        return clean(f"{head}{digits}{tail}", self.extension)

    def next_number(self, names: list[str]) -> int:
        """One more than the highest number among the names of a folder."""
        if not self.numbered:
            return 0
        pairs = zip(self.with_number(11111), self.with_number(22222), strict=True)
        before = "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        pattern = re.compile(re.escape(before) + r"(\d{1,9})(?!\d)", re.ASCII)
        found = (pattern.match(name) for name in names)
        return max((int(match[1]) + 1 for match in found if match), default=0)


def clean(name: str, extension: str = "") -> str:
    """Make one path component that every common file system takes and gives back the same.

    No separators, control or direction characters, reserved names of Windows, leading dash or dot, trailing dot or
    space; NFC; at most 200 bytes with the extension; never empty.
    """
    text = unicodedata.normalize("NFC", _UNSAFE.sub("_", unicodedata.normalize("NFC", name)))
    room = MAX_BYTES - len(extension.encode())
    text = _TRAILING.sub("", _cut(text.lstrip(), room))
    if not text or text[0] in "-." or _RESERVED.match(text):
        text = _TRAILING.sub("", _cut(f"_{text}", room))
    return f"{text}{extension}"


def _cut(text: str, size: int) -> str:
    """The longest beginning of at most `size` bytes in UTF-8, whole characters only."""
    return text.encode("utf-8", "replace")[: max(size, 0)].decode("utf-8", "ignore")


def _render(pattern: str, facts: NameFacts) -> str:
    """The pattern with its tokens replaced; `_MARK` stands for the number. Some tokens swallow the text before them."""
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        before, end = _safe(pattern[end : token.start()]), token.end()
        name = token[1].lower()
        if name == "number":
            parts += [before, _MARK]
            continue
        unknown = facts.words.get(name, token.group())
        value = _TOKENS[name](facts, _ARGUMENT.findall(token[2])) if name in _TOKENS else unknown
        if value is not None:
            parts += [before, _safe(value).lstrip()[:MAX_PART].rstrip(" .")]
    return "".join([*parts, _safe(pattern[end:])])


def _safe(text: str) -> str:
    """What file systems do not take, and what could be taken for the number's place, becomes `_`."""
    return _UNSAFE.sub("_", text)


Arguments = list[str]
Token = Callable[[NameFacts, Arguments], str | None]  # None: nothing, and the text before it goes too


def _seed_last(facts: NameFacts, _: Arguments) -> str | None:
    job = facts.job
    if job.images == 1 or job.seed < 0:
        return None
    return str(job.seed if job.subseed_strength else job.seed + job.images - 1)


def _seed_first(facts: NameFacts, _: Arguments) -> str:
    return str(facts.job.seed if facts.job.seed >= 0 else facts.request.seed)


def _scheduler(facts: NameFacts) -> str:
    return shown_schedule(facts.request.sampler, facts.request.scheduler)


def _sampler_scheduler(facts: NameFacts, _: Arguments) -> str:
    scheduler = _scheduler(facts)
    return facts.request.sampler if scheduler == "Automatic" else f"{facts.request.sampler} {scheduler}"


def _datetime(facts: NameFacts, arguments: Arguments) -> str:
    time = facts.time
    if len(arguments) > 1:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):  # an unknown zone: local time
            time = time.astimezone(ZoneInfo(arguments[1]))
    try:
        return time.strftime(arguments[0] if arguments and arguments[0] else _DATETIME)
    except ValueError:
        return time.strftime(_DATETIME)


def _prompt_words(facts: NameFacts, arguments: Arguments) -> str:
    count = _count(arguments, MAX_WORDS)
    words = [word for word in _WORDS.split(facts.request.prompt) if word]
    return " ".join(words[:count]) or "empty"


def _has_prompt(facts: NameFacts, arguments: Arguments) -> str:
    """For each argument `word|default`: the word where the prompt has it, else the default."""
    prompt = facts.request.prompt.lower()
    parts = []
    for argument in arguments:
        word, _, default = argument.partition("|")
        parts.append(word.lower() if word.lower() in prompt else default)
    return "".join(parts)


def _hash(data: bytes, arguments: Arguments, default: int) -> str:
    return hashlib.sha256(data).hexdigest()[: _count(arguments, default)]


def _count(arguments: Arguments, default: int) -> int:
    """The first argument as a number of 1 or more, else the default."""
    text = arguments[0] if arguments else ""
    return max(1, int(text)) if re.fullmatch(r"[0-9]{1,3}", text) else default


def _batch_number(facts: NameFacts, _: Arguments) -> str | None:
    return str(facts.index % facts.job.batch_size + 1) if facts.job.batch_size > 1 else None


def _generation_number(facts: NameFacts, _: Arguments) -> str | None:
    return str(facts.index + 1) if facts.job.images > 1 else None


def _both_prompts(facts: NameFacts) -> bytes:
    return f"{facts.request.prompt} {facts.request.negative_prompt}".encode()


_TOKENS: Mapping[str, Token] = MappingProxyType(
    {
        "seed": lambda f, _: str(f.request.seed),
        "seed_first": _seed_first,
        "seed_last": _seed_last,
        "steps": lambda f, _: str(f.request.steps),
        "cfg": lambda f, _: str(f.request.cfg_scale),
        "width": lambda f, _: str(f.image.width),
        "height": lambda f, _: str(f.image.height),
        "sampler": lambda f, _: f.request.sampler,
        "scheduler": lambda f, _: _scheduler(f),
        "sampler_scheduler": _sampler_scheduler,
        "styles": lambda f, _: ", ".join(f.job.styles) or "None",
        "model_hash": lambda f, _: f.info.get("Model hash", ""),
        "model_name": lambda f, _: f.info.get("Model", ""),
        "vae_filename": lambda f, _: f.info.get("VAE", "").rpartition(".")[0] or "NoneType",
        "clip_skip": lambda f, _: str(f.request.clip_skip),
        "date": lambda f, _: f.time.strftime(_DATE),
        "datetime": _datetime,
        "job_timestamp": lambda f, _: f.time.strftime(_DATETIME),
        "prompt": lambda f, _: f.request.prompt.replace(" ", "_"),
        "prompt_spaces": lambda f, _: f.request.prompt,
        "prompt_no_styles": lambda f, _: f.job.prompt,
        "prompt_words": _prompt_words,
        "prompt_hash": lambda f, a: _hash(f.request.prompt.encode(), a, 8),
        "negative_prompt_hash": lambda f, a: _hash(f.request.negative_prompt.encode(), a, 8),
        "full_prompt_hash": lambda f, a: _hash(_both_prompts(f), a, 8),
        "image_hash": lambda f, a: _hash(f.image.tobytes(), a, 64),
        "batch_number": _batch_number,
        "batch_size": lambda f, _: str(f.job.batch_size),
        "generation_number": _generation_number,
        "denoising": lambda *_: None,
        "user": lambda *_: "",
        "basename": lambda *_: "img",
        "none": lambda *_: "",
        "hasprompt": _has_prompt,
    }
)
