"""What a checkpoint's network answers, from all that states it: the yaml beside it, its header, its marker keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from webui.domain.errors import UnusableFileError
from webui.library import sidecar as yaml
from webui.library.family import PredictionSource
from webui.library.headers import Header

KNOWN = ("epsilon", "v")
_WORDS = MappingProxyType(
    {"v": "v", "v_prediction": "v", "v-prediction": "v", "vpred": "v", "epsilon": "epsilon", "eps": "epsilon"}
)
_MARKERS = ("v_pred", "ztsnr")  # empty tensors that say v


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says.

    Attributes:
        told: the source, for sentences.
    """

    prediction: str
    source: PredictionSource
    told: str


@dataclass(frozen=True, slots=True)
class Found:
    """The prediction type that counts, and where it was read.

    Attributes:
        told: a sentence for the user where another source says something else; "" where none does.
    """

    prediction: str
    source: PredictionSource
    told: str = ""


def found_prediction(name: str, header: Header, sidecar: Mapping[str, Any], guess: str) -> Found:
    """The first that states it counts: the yaml (the user wrote it), the header, LDM's default for a yaml that says
    nothing, marker keys. Where nothing states it, it is the `guess`.

    Args:
        name: of the file, for sentences.

    Raises:
        UnusableFileError: what counts is a type that cannot be run.
    """
    claims = tuple(_claims(header, sidecar))
    if not claims:
        return Found(guess, "default")
    first, *others = claims
    if first.prediction not in KNOWN:
        raise UnusableFileError(
            f"{name}: {first.told} states the prediction type {first.prediction[:40]!r}; epsilon and v are supported"
        )
    against = " and ".join(f"{one.told} says {one.prediction[:40]}" for one in others if _differs(one, first))
    if not against:
        return Found(first.prediction, first.source)
    told = (
        f"{name}: {first.told} says that its prediction type is {first.prediction}, {against}; "
        f"{first.prediction} is used"
    )
    return Found(first.prediction, first.source, told)


def _differs(one: Claim, first: Claim) -> bool:
    return one.prediction != first.prediction


def _claims(header: Header, sidecar: Mapping[str, Any]) -> Iterator[Claim]:
    written = yaml.prediction(sidecar)
    if written is not None:
        yield Claim(written, "sidecar", "the yaml beside it")
    metadata = header.metadata
    for key in ("modelspec.prediction_type", "prediction_type"):  # the first is of Stability's ModelSpec 1.0
        word = metadata.get(key, "").strip().lower()
        if word:
            yield Claim(_WORDS.get(word, word), "metadata", f"its header ({key})")
    if is_true(metadata.get("ss_v_parameterization")):  # of kohya's trainer
        yield Claim("v", "metadata", "its header (ss_v_parameterization)")
    implied = yaml.implied_prediction(sidecar)
    if implied is not None and written is None:
        yield Claim(implied, "sidecar", "the yaml beside it, by its form's default,")
    markers = [key for key in _MARKERS if key in header.tensors]
    if markers:
        yield Claim("v", "marker", f"the marker {markers[0]} among its tensors")


def is_true(word: str | None) -> bool:
    """Whether a text of a header means yes."""
    return word is not None and word.strip().lower() in ("true", "1")
