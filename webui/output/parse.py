"""Reads infotexts: text to fields, fields to the request that makes the image again.

Which key is a value of what is said by the table of fields (`domain/parameters/`). The grammar is in `grammar.py`, the
forms of older programs in `compat.py`; writing is in `infotext.py`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue, ValidationError

from webui.domain.catalog import SAMPLERS
from webui.domain.extensions import SAMPLER, ExtensionInfo
from webui.domain.fields import SIZE_STEP
from webui.domain.parameters.row import Key, Place, Row
from webui.domain.parameters.table import AFTER_EXTENSIONS, BEFORE_EXTENSIONS, HIRES, is_of_hires, keyed
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.output.compat import modernise
from webui.output.extension_keys import read_keys, without_hidden
from webui.output.grammar import body, expand_sizes, split, split_text

_MAX_REPAIRS = 40  # fields that may be refused before the rest is given up
_ANY_DETAILS = "Steps: 1, Sampler: Euler, Seed: 1"
_SIGNS_OF_HIRES = ("Hires upscale", "Hires upscaler", "Hires resize-1")  # one of them beside a strength
_KEYS_OF_HIRES = frozenset(key.name for row, key in keyed() if is_of_hires(row))
_OF_A_MASK = ("Inpaint area", "Mask", "Soft inpainting")
_MAX_NAME, _MAX_NAMED = 60, 40
# What a text tells beside what makes the image: names and numbers of its files, and who wrote it
_BESIDE = ("Hashes", "Version", "User", "App", "Civitai ", "AddNet ", "Hypernet", "Failed extensions", "Batch", "Size")
_OF_AN_AXIS = (("", "Type"), ("", "Values"), ("Fixed ", "Values"))
_UNDERSTOOD = frozenset(
    {
        *(name for _, key in keyed() for name in (key.name, *key.also)),
        *(one.name for section in (*BEFORE_EXTENSIONS, *AFTER_EXTENSIONS) for one in section if isinstance(one, Place)),
        "Exact prompt", "Exact negative prompt", "Eta", "Init image hash", "Refiner hash", "Model hash", "Lora weights",
        "ADetailer version", "Emphasis",
    }
)  # fmt: skip
_OF_PLOTS = frozenset({"Script", *(f"{kind}{axis} {what}" for axis in "XYZ" for kind, what in _OF_AN_AXIS)})
_UNSUPPORTED = ("First pass size", "FP8 weight", "Hires ", "Hypertile")


@dataclass(frozen=True, slots=True)
class Reading:
    """A request read from fields, with a notice for everything in them that could not be kept."""

    request: GenerationRequest
    notices: tuple[Notice, ...] = ()


def parse(text: str) -> dict[str, str]:
    """The fields of an infotext: `Prompt`, `Negative prompt` and every key of the details line, all as strings.

    Sizes come as two fields (`Size-1`, `Size-2`). Nothing is added for keys that are missing and nothing is brought up
    to date; `compat.with_defaults` does both as A1111 shows it, and `to_request` by itself.
    """
    prompt, negative, found = split(text)
    fields = expand_sizes(found)
    if "Exact prompt" in fields or "Exact negative prompt" in fields:  # a key with an empty value is not read
        exact = fields.pop("Exact prompt", ""), fields.pop("Exact negative prompt", "")
        # Only where the visible text is the same: nobody shall see one prompt and get another
        if split_text(f"{body(*exact)}\n{_ANY_DETAILS}") == (prompt, negative):
            prompt, negative = exact
    return {**fields, "Prompt": prompt, "Negative prompt": negative}


def to_request(fields: Mapping[str, str], extensions: Sequence[ExtensionInfo] = ()) -> GenerationRequest:
    """The request that these fields describe; what cannot be kept is left at its default (see `read_fields`)."""
    return read_fields(fields, extensions).request


def read_fields(fields: Mapping[str, str], extensions: Sequence[ExtensionInfo] = ()) -> Reading:
    """The request that these fields describe, as well as it can be made.

    A key that is missing means what it meant to the program that wrote the text (no `RNG`: GPU noise), where the text
    has a details line at all. Values that are no numbers or out of range, and keys of features that requests do not
    have, are left out with a notice each; so is what only a picture that nobody has here could be used with.

    Args:
        extensions: those whose keys and samplers can be read.
    """
    draft = _read(fields, extensions)
    _refuse_samplers(draft, {*SAMPLERS, *(name for info in extensions for kind, name in info.tools if kind == SAMPLER)})
    _refuse_unusable(draft)
    return draft.finish()


def told_values(fields: Mapping[str, str]) -> dict[str, JsonValue]:
    """What these fields say, by the dotted path of the leaf that it is a value of; nothing is validated.

    Other than a request it has what img2img and inpainting were done with, for whoever has the pictures.
    """
    return dict(_read(fields).values)


def tells_of_hires(fields: Mapping[str, str]) -> bool:
    """Whether the image had a second pass."""
    return "Denoising strength" in fields and any(key in fields for key in _SIGNS_OF_HIRES)


def _read(fields: Mapping[str, str], extensions: Sequence[ExtensionInfo] = ()) -> "_Draft":
    draft = _Draft(_adapted(modernise(without_hidden(fields, extensions))))
    has_hires = tells_of_hires(draft.fields)
    if has_hires:
        draft.set("Hires upscaler", "task.kind", "txt2img")
        draft.set("Hires upscaler", "task.hires.enabled", True)
    for row, key in keyed():
        if not _is_told(row, key, draft.fields, has_hires=has_hires):
            continue
        found = next((name for name in (key.name, *key.also) if name in draft.fields), "")
        if found:
            draft.take(found, row.path, key.codec.decode)
        elif key.missing is not None and "Steps" in draft.fields:
            draft.set(key.name, row.path, key.codec.decode(key.missing))
    _whole_cells(draft)
    declared = read_keys(draft.fields, extensions)
    for name, path, value in declared.values:
        draft.set(name, path, value)
    for name, reason in declared.refused:
        draft.refuse(name, reason)
    draft.known |= {*declared.known, *(name for name, _ in declared.refused)}
    return draft


def _is_told(row: Row, key: Key, fields: Mapping[str, str], *, has_hires: bool) -> bool:
    """Whether the part of a request that the row belongs to is told of; two parts may share a key."""
    if row.part == "refiner":
        return bool(fields.get("Refiner"))
    if is_of_hires(row):
        return has_hires
    return not (has_hires and row.part == "task" and key.name in _KEYS_OF_HIRES)


def _refuse_samplers(draft: "_Draft", known: Collection[str]) -> None:
    """Leave out samplers that are not there, with a notice each."""
    for path in ("sampler", f"{HIRES}.sampler"):
        name = draft.values.get(path)
        if name and name not in known:
            draft.refuse(draft.origins[path], f"there is no sampler {str(name)[:60]!r}; left at its default")
            del draft.values[path]


def _refuse_unusable(draft: "_Draft") -> None:
    """Leave out what needs a picture; a notice tells it, and another all keys that nothing here understands."""
    unknown: list[str] = []
    of_a_mask: set[str] = set()
    of_a_picture: set[str] = set()
    has_hires = draft.values.get("task.kind") == "txt2img"
    for path, key in [*draft.origins.items()]:
        if path.startswith("task.") and not (has_hires and path.startswith(("task.kind", f"{HIRES}."))):
            (of_a_mask if path.startswith("task.inpainting") else of_a_picture).add(key)
            del draft.values[path], draft.origins[path]
    for key in draft.fields:
        if key in draft.origins.values():
            continue
        if key in of_a_picture:
            draft.refuse(key, "needs the picture that the image was made from; left out")
        elif key in of_a_mask or key.startswith(_OF_A_MASK):
            draft.refuse(key, "needs the mask that the image was made with; left out")
        elif key.startswith(_UNSUPPORTED):
            draft.refuse(key, "this program has no such option; left out")
        elif key in _OF_PLOTS and draft.fields.get("Script") == "X/Y/Z plot":
            continue  # no part of a request; the page puts the plot together again
        elif key not in _UNDERSTOOD and key not in draft.known and not key.startswith(_BESIDE):
            unknown.append(key)
    if unknown:
        named = ", ".join(key[:_MAX_NAME] for key in unknown[:_MAX_NAMED])
        more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
        draft.notices.append(Notice("infotext", f"not restored, as nothing here reads these keys: {named}{more}"))


@dataclass(slots=True)
class _Draft:
    """A request in the making: values by dotted path, and the key that each came from."""

    fields: Mapping[str, str]
    values: dict[str, JsonValue] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)

    def take(self, key: str, path: str, convert: Callable[[str], JsonValue]) -> None:
        text = self.fields.get(key)
        if text is None:
            return
        try:
            self.set(key, path, convert(text))
        except (ValueError, OverflowError):
            self.refuse(key, f"{text[:40]!r} is not a value of this kind; left at its default")

    def set(self, key: str, path: str, value: JsonValue) -> None:
        self.values[path] = value
        self.origins[path] = key

    def refuse(self, key: str, reason: str) -> None:
        self.notices.append(Notice("infotext", f"{key}: {reason}"))

    def finish(self) -> Reading:
        """Validate; values that the request refuses are dropped, each with a notice."""
        for _ in range(_MAX_REPAIRS):
            try:
                return Reading(GenerationRequest.model_validate(self._nested()), tuple(self.notices))
            except ValidationError as error:
                self._drop_refused(error)
        return Reading(GenerationRequest(), (*self.notices, Notice("infotext", "nothing in this text can be used")))

    def _nested(self) -> dict[str, Any]:
        nested: dict[str, Any] = {}
        for path, value in self.values.items():
            *parts, name = path.split(".")
            inner = nested
            for part in parts:
                inner = inner.setdefault(part, {})
            inner[name] = value
        return nested

    def _drop_refused(self, error: ValidationError) -> None:
        for problem in error.errors(include_url=False):
            where = ".".join(str(part) for part in problem["loc"]).replace("task.txt2img.", "task.", 1)
            paths = [path for path in self.values if path == where or path.startswith(f"{where}.")]
            if not paths:  # something is missing beside it
                paths = [path for path in self.values if path.partition(".")[0] == where.partition(".")[0]]
            for path in paths:
                del self.values[path]
                self.refuse(self.origins.get(path, path), f"{problem['msg']}; left at its default")


def _adapted(fields: dict[str, str]) -> dict[str, str]:
    """Keys that only together, or only beside another, tell a value, as the one key that stands for it."""
    name, digest = fields.get("Model", ""), fields.get("Model hash", "")
    if digest:  # `name [hash]`, the form that titles have: found by either of the two
        fields["Model"] = f"{name} [{digest}]" if name else digest
    sampler = SAMPLERS.get(fields.get("Sampler", ""))
    if sampler and sampler.space == "timestep" and "Eta" in fields:  # releases up to 1.0 wrote it for every sampler
        fields["Eta DDIM"] = fields.pop("Eta")
    return fields


def _whole_cells(draft: _Draft) -> None:
    """Other programs allow any number of pixels and cut the latents down; so is the size here."""
    for path in ("width", "height"):
        pixels = draft.values.get(path)
        if isinstance(pixels, int) and pixels % SIZE_STEP and pixels > SIZE_STEP:
            key, whole = draft.origins[path], pixels - pixels % SIZE_STEP
            draft.set(key, path, whole)
            draft.refuse(key, f"{pixels} is no multiple of {SIZE_STEP}; {whole} instead")
