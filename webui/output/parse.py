"""Reads infotexts: text to fields, fields to the request that makes the image again.

The grammar is in `grammar.py`, the forms of older programs in `compat.py`; writing is in `infotext.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue, ValidationError

from webui.domain.catalog import SAMPLERS
from webui.domain.fields import SIZE_STEP
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.output.compat import modernise
from webui.output.grammar import body, expand_sizes, split, split_text
from webui.output.hires import COUNT_KEYS, NUMBER_KEYS, SAME, TEXT_KEYS, tells_of_hires

_MAX_REPAIRS = 40  # fields that may be refused before the rest is given up
_ANY_DETAILS = "Steps: 1, Sampler: Euler, Seed: 1"


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


def to_request(fields: Mapping[str, str]) -> GenerationRequest:
    """The request that these fields describe; what cannot be kept is left at its default (see `read_fields`)."""
    return read_fields(fields).request


def read_fields(fields: Mapping[str, str]) -> Reading:
    """The request that these fields describe, as well as it can be made.

    A key that is missing means what it meant to the program that wrote the text (no `RNG`: GPU noise), where the text
    has a details line at all. Values that are no numbers or out of range, and keys of features that requests do not
    have, are left out with a notice each.
    """
    draft = _Draft(modernise(fields))
    for key, (path, convert) in _KEYS.items():
        draft.take(key, path, convert)
    _checkpoint(draft)
    _sizes(draft)
    _sampler(draft)
    _refiner(draft)
    if tells_of_hires(draft.fields):
        _hires(draft)
    _faces(draft)
    if "Steps" in draft.fields and "RNG" not in draft.fields:
        draft.set("RNG", "noise.source", "GPU")
    for key in draft.fields:
        if key in draft.origins.values():
            continue
        if key in _OF_A_PICTURE:
            draft.refuse(key, "needs the picture that the image was made from; left out")
        elif key.startswith(_OF_A_MASK):
            draft.refuse(key, "needs the mask that the image was made with; left out")
        elif key.startswith(_UNSUPPORTED):
            draft.refuse(key, "this program has no such option; left out")
    return draft.finish()


@dataclass(slots=True)
class _Draft:
    """A request in the making: values by dotted path, and the key that each came from."""

    fields: Mapping[str, str]
    values: dict[str, JsonValue] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
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


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))  # other programs write 20.0


def _bool(text: str) -> bool:
    return text.strip().lower() not in ("false", "0", "")


def _same(text: str) -> str:
    return text


def _snr(text: str) -> bool:
    return text == "Zero Terminal SNR"


_KEYS: Mapping[str, tuple[str, Callable[[str], JsonValue]]] = MappingProxyType(
    {
        "Prompt": ("prompt", _same),
        "Negative prompt": ("negative_prompt", _same),
        "Steps": ("steps", _int),
        "CFG scale": ("cfg_scale", float),
        "Seed": ("seed", _int),
        "VAE": ("vae", _same),
        "Variation seed": ("subseed", _int),
        "Variation seed strength": ("subseed_strength", float),
        "Seed resize from-1": ("seed_resize_from_w", _int),
        "Seed resize from-2": ("seed_resize_from_h", _int),
        "Clip skip": ("clip_skip", _int),
        "ENSD": ("noise.ensd", _int),
        "RNG": ("noise.source", _same),
        "Tiling": ("tiling", _bool),
        "Conditional mask weight": ("inpainting_mask_weight", float),
        "Eta DDIM": ("noise.eta_ddim", float),
        "Sigma churn": ("noise.s_churn", float),
        "Sigma tmin": ("noise.s_tmin", float),
        "Sigma tmax": ("noise.s_tmax", float),
        "Sigma noise": ("noise.s_noise", float),
        "SGM noise multiplier": ("noise.sgm_multiplier", _bool),
        "Schedule min sigma": ("schedule.sigma_min", float),
        "Schedule max sigma": ("schedule.sigma_max", float),
        "Schedule rho": ("schedule.rho", float),
        "Beta scheduler alpha": ("schedule.beta_alpha", float),  # the spelling that A1111 reads
        "Beta scheduler beta": ("schedule.beta_beta", float),
        "Beta schedule alpha": ("schedule.beta_alpha", float),  # the one that it writes
        "Beta schedule beta": ("schedule.beta_beta", float),
        "Discard penultimate sigma": ("schedule.discard_penultimate", _bool),
        "Downcast alphas_cumprod": ("schedule.downcast_alphas", _bool),
        "Noise Schedule": ("schedule.zero_terminal_snr", _snr),
        "UniPC variant": ("unipc.variant", _same),
        "UniPC skip type": ("unipc.skip_type", _same),
        "UniPC order": ("unipc.order", _int),
        "UniPC lower order final": ("unipc.lower_order_final", _bool),
        "NGMS": ("guidance.s_min_uncond", float),
        "NGMS all steps": ("guidance.s_min_uncond_all", _bool),
        "Skip Early CFG": ("guidance.skip_early_cond", float),
        "Pad conds": ("guidance.pad_conds", _bool),
        "Pad conds v0": ("guidance.pad_conds_v0", _bool),
        "Emphasis": ("prompting.emphasis", _same),
        "Old prompt editing timelines": ("prompting.old_scheduling", _bool),
        "Token merging ratio": ("token_merging.ratio", float),
        "Token merging ratio hr": ("token_merging.hires_ratio", float),
    }
)

_OF_A_PICTURE = ("Denoising strength", "Extra noise", "Image CFG scale", "Noise multiplier")
_OF_A_MASK = ("Inpaint area", "Mask", "Soft inpainting")
_UNSUPPORTED = (
    "First pass size",
    "FP8 weight",
    "Hires ",
    "Hypertile",
    "VAE Decoder",
    "VAE Encoder",
)


def _checkpoint(draft: _Draft) -> None:
    """`name [hash]`, the form that titles have: found by either of the two."""
    name, digest = draft.fields.get("Model", ""), draft.fields.get("Model hash", "")
    if name or digest:
        key = "Model" if name else "Model hash"
        draft.set(key, "checkpoint", f"{name} [{digest}]" if name and digest else name or digest)


def _sizes(draft: _Draft) -> None:
    """Other programs allow any number of pixels and cut the latents down; so is the size here."""
    for key, path in (("Size-1", "width"), ("Size-2", "height")):
        draft.take(key, path, _int)
        pixels = draft.values.get(path)
        if isinstance(pixels, int) and pixels % SIZE_STEP and pixels > SIZE_STEP:
            whole = pixels - pixels % SIZE_STEP
            draft.set(key, path, whole)
            draft.refuse(key, f"{pixels} is no multiple of {SIZE_STEP}; {whole} instead")


def _sampler(draft: _Draft) -> None:
    draft.take("Sampler", "sampler", _same)
    draft.take("Schedule type", "scheduler", _same)
    # Releases up to 1.0 wrote `Eta` for every sampler
    info = SAMPLERS.get(draft.fields.get("Sampler", ""))
    draft.take("Eta", "noise.eta_ddim" if info and info.space == "timestep" else "noise.eta_ancestral", float)


def _refiner(draft: _Draft) -> None:
    if draft.fields.get("Refiner"):
        draft.take("Refiner", "refiner.checkpoint", _same)
        draft.take("Refiner switch at", "refiner.switch_at", float)
        draft.take("Refiner switch by sampling steps", "refiner.by_steps", _bool)


def _hires(draft: _Draft) -> None:
    """The second pass; keys that say "as in the first" set nothing."""
    draft.set("Hires upscaler", "task.kind", "txt2img")
    draft.set("Hires upscaler", "task.hires.enabled", True)
    for key, name in TEXT_KEYS.items():
        if draft.fields.get(key) not in SAME:
            draft.take(key, f"task.hires.{name}", _same)
    for key, name in NUMBER_KEYS.items():
        draft.take(key, f"task.hires.{name}", float)
    for key, name in COUNT_KEYS.items():
        draft.take(key, f"task.hires.{name}", _int)


def _faces(draft: _Draft) -> None:
    """Options of the extension `face_restore`. A1111 writes the restorer's name alone; other texts mean CodeFormer."""
    name = draft.fields.get("Face restoration")
    if name is None:
        return
    gfpgan = name.strip().lower() == "gfpgan"
    usual = {"gfpgan_visibility": float(gfpgan), "codeformer_visibility": float(not gfpgan), "codeformer_weight": 0.5}
    written = ("GFPGAN visibility", "CodeFormer visibility", "CodeFormer weight")
    for key, (option, value) in zip(written, usual.items(), strict=True):
        path = f"extensions.face_restore.{option}"
        draft.set("Face restoration", path, value)
        draft.take(key, path, float)
