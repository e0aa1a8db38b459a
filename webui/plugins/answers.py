"""What hooks are given, as copies, and what they may answer."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from operator import is_
from typing import Any, TypeVar

import torch
from torch import Tensor

from webui.domain.dialect import Behind
from webui.domain.planned_image import PlannedImage
from webui.domain.request import MAX_SEED, GenerationRequest
from webui.plugins.calling import ExtensionError
from webui.prompt.conditioning import Conditioning
from webui.sampling.steps import ModelCall, Residuals

T = TypeVar("T")

FILE_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")  # the name of a word for names of files
MOST_FILE_WORDS, MAX_FILE_WORD = 20, 1000


def copied(value: T) -> T:
    """A value with its tensors copied, so that no change to them gets lost or does harm."""
    return _changed(value)  # type: ignore[no-any-return]


def versions(value: Any) -> tuple[int, ...]:
    """How often each tensor of a copy was written to, as torch counts it."""
    return tuple(one._version for one in _tensors(value))


def refuse_change(name: str, given: Any, original: Any, returned: Any, handed: tuple[int, ...]) -> None:
    """Raises ExtensionError where a copy that was handed out was written to.

    On a CPU values are compared; on a device torch's count of writes, for which the host waits for nothing. Returning
    the copy itself, or some of its tensors, is one way to return new values.

    Args:
        handed: the `versions` of `given` when it was handed out.
    """
    kept = {id(one) for one in _tensors(returned)}
    for mine, before, version in zip(_tensors(given), _tensors(original), handed, strict=True):
        unwritten = torch.equal(mine, before) if mine.device.type == "cpu" else mine._version == version
        if id(mine) in kept or unwritten:
            continue
        if mine.shape == before.shape and torch.equal(mine.nan_to_num(), before.nan_to_num()):
            continue  # NaN is not equal to itself
        raise ExtensionError(f"changed {name} in place; return new values instead")


def check_tensor(new: Any, old: Tensor) -> None:
    """Raises ExtensionError unless it is a tensor like the old one, without new NaN."""
    if not isinstance(new, Tensor):
        raise ExtensionError(f"returned {type(new).__name__}, expected a tensor")
    if (new.shape, new.dtype, new.device) != (old.shape, old.dtype, old.device):
        raise ExtensionError(
            f"returned {tuple(new.shape)} {new.dtype} on {new.device}, "
            f"expected {tuple(old.shape)} {old.dtype} on {old.device}"
        )
    if torch.isfinite(old).all():  # what was spoilt before is not its fault
        _refuse_not_finite(new)


def check_residuals(new: Any, call: ModelCall) -> None:
    """Raises ExtensionError for what the network could not add to its own: kinds that it does not take, no tensors,
    other rows than the call's, NaN."""
    is_a(Residuals)(new, call)
    refused = new.kinds - call.takes
    if refused:
        raise ExtensionError(
            f"adds residuals ({', '.join(sorted(refused))}) that this checkpoint's network does not take"
        )
    rows = len(call.sample)
    for one in [*new.down, *new.levels, *([] if new.mid is None else [new.mid])]:
        if not isinstance(one, Tensor):
            raise ExtensionError(f"returned {type(one).__name__} among the residuals, expected tensors")
        if one.ndim == call.sample.ndim and len(one) not in (1, rows):
            raise ExtensionError(f"returned residuals of shape {tuple(one.shape)}, expected {rows} rows")
        _refuse_not_finite(one)


def check_output(new: Any, call: ModelCall) -> None:
    """Raises ExtensionError unless it can be the network's output for a call: finite numbers for each row and cell."""
    if not isinstance(new, Tensor):
        raise ExtensionError(f"returned {type(new).__name__}, expected a tensor")
    rows, _, height, width = call.sample.shape
    if new.ndim != 4 or (len(new), *new.shape[2:]) != (rows, height, width):
        raise ExtensionError(f"returned {tuple(new.shape)}, expected ({rows}, channels, {height}, {width})")
    if torch.isfinite(call.sample).all():
        _refuse_not_finite(new)


def check_conditioning(new: Any, old: Conditioning) -> None:
    """Raises ExtensionError unless it is the text of as many images, of the same width, without NaN."""
    is_a(Conditioning)(new, old)
    if len(new.positive) != len(old.positive) or len(new.negative) != len(old.negative):
        raise ExtensionError(f"returned the text of {len(new.positive)} images, expected that of {len(old.positive)}")
    if not old.negative:
        return
    width = old.negative[0][0].context.shape[-1]
    spans = [span for parts in new.positive for part in parts for span in part.spans]
    for span in [*spans, *(span for spans in new.negative for span in spans)]:
        if span.context.ndim != 2 or span.context.shape[-1] != width:
            raise ExtensionError(f"returned text of shape {tuple(span.context.shape)}, expected (tokens, {width})")
        _refuse_not_finite(span.context)


def check_context(value: Any) -> None:
    """Raises ExtensionError unless it is a context manager."""
    if not (hasattr(value, "__enter__") and hasattr(value, "__exit__")):
        raise ExtensionError(f"returned {type(value).__name__}, expected a context manager")


def told_value(value: Any) -> str | dict[str, Any]:
    """A value of an infotext's field: text, or an object as plain data. Raises TypeError where it is no JSON."""
    if isinstance(value, Behind):
        return value
    return json.loads(json.dumps(value)) if isinstance(value, dict) else str(value)


def as_file_words(words: Mapping[Any, Any]) -> dict[str, str]:
    """Words for names of files. Raises ExtensionError where a name is none, or a word is no text or too long."""
    for name, word in words.items():
        if not (isinstance(name, str) and FILE_WORD.fullmatch(name)):
            raise ExtensionError(f"{str(name)[:40]!r} is no name of a word; it is of a-z, 0-9 and _")
        if not isinstance(word, str) or len(word) > MAX_FILE_WORD:
            raise ExtensionError(f"the word {name!r} should be a text of at most {MAX_FILE_WORD} characters")
    if len(words) > MOST_FILE_WORDS:
        raise ExtensionError(f"returned {len(words)} words; there may be {MOST_FILE_WORDS}")
    return dict(words)


def is_a(kind: type) -> Callable[[Any, Any], None]:
    """A check of an answer's type."""

    def check(new: Any, old: Any) -> None:
        if not isinstance(new, kind):
            raise ExtensionError(f"returned {type(new).__name__}, expected {kind.__name__}")

    return check


def as_images(planned: Sequence[PlannedImage]) -> tuple[PlannedImage, ...]:
    """The images that an extension planned. Raises ExtensionError where there is none, or a seed out of bounds."""
    images = tuple(planned)
    if not images:
        raise ExtensionError("planned no images; return None to leave them as they are")
    for image in images:
        is_a(PlannedImage)(image, None)
        if not 0 <= min(image.seed, image.subseed) <= max(image.seed, image.subseed) <= MAX_SEED:
            raise ExtensionError(f"planned an image with the seeds {image.seed} and {image.subseed}")
    return images


def only_prompts(new: GenerationRequest, old: GenerationRequest) -> None:
    """Raises ExtensionError where more than the prompts of a request was changed."""
    texts = {"prompt": new.prompt, "negative_prompt": new.negative_prompt}
    if old.model_copy(update=texts) != new:
        raise ExtensionError("changed more than prompt and negative_prompt; use edit_request for that")


def _refuse_not_finite(tensor: Tensor) -> None:
    if not torch.isfinite(tensor).all():
        raise ExtensionError("returned NaN or infinity")


def _parts(value: Any) -> dict[str, Any]:
    """The fields of what this program makes of tensors."""
    if not is_dataclass(value) or isinstance(value, type):
        return {}
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _changed(value: Any) -> Any:
    if isinstance(value, Tensor):
        with torch.inference_mode(False):  # in it torch counts no writes
            return value.clone()
    if isinstance(value, tuple):
        parts = tuple(_changed(one) for one in value)
        return value if all(map(is_, parts, value)) else parts
    changed = {name: _changed(one) for name, one in _parts(value).items()}
    new = {name: one for name, one in changed.items() if one is not getattr(value, name)}
    return replace(value, **new) if new else value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    for one in value if isinstance(value, tuple) else _parts(value).values():
        yield from _tensors(one)
