"""What a header says of a network's strength: alpha, and whether it is divided by the rank or by its square root.

Scale: alpha / rank (LoRA, arXiv:2106.09685, section 4.1), or alpha / sqrt(rank) (rsLoRA, arXiv:2312.03732).
Facts: kohya's `ss_network_alpha`, and `conv_alpha` and LyCORIS' `rs_lora` in `ss_network_args`; peft's configuration
(`lora_alpha`, `use_rslora`, `alpha_pattern`) as JSON, where diffusers puts the component before each name.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from webui.extension_api import UnusableFileError, json_object

from .keys import Component, Place, component_of

_CONFIGS = ("lora_adapter_metadata", "lora_adapter_config", "adapter_config", "peft_config")
_FACTS = ("lora_alpha", "alpha", "use_rslora", "alpha_pattern", "init_lora_weights")
_CHANGES_THE_BASE = ("pissa", "olora", "loftq", "corda")  # starts of training that take something out of the base
_CHARACTERS = 1 << 20  # of a configuration; more would be no harm to read, but to parse
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_CONFIGS: Mapping[Component | None, Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HeaderScales:
    """Attributes:
    by_component: facts of peft's configuration; those for the whole file stand under None.
    alpha: kohya's, as it is written; None without one.
    arguments: kohya's `ss_network_args`.
    problem: one sentence on what of it could not be read; "" where all could.
    """

    name: str
    by_component: Mapping[Component | None, Mapping[str, Any]] = field(default_factory=lambda: _NO_CONFIGS)
    alpha: object = None
    arguments: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    problem: str = ""

    def scale(self, place: Place, alpha: float | None, rank: int, *, is_convolution: bool) -> float:
        """The factor on a change at full strength.

        Args:
            alpha: what the layer's own tensor says; None without one.
            rank: of the layer.
            is_convolution: it has a kernel of more than one cell.

        Raises:
            UnusableFileError: the header has an alpha, but not as a number.
        """
        told = self._alpha(place, is_convolution=is_convolution)
        own = told if alpha is None else alpha
        if own is None:
            return 1.0
        # LyCORIS writes an alpha tensor that is right for a division by the rank, so only the header's own is not.
        by_root = self._is_rank_stabilized(place) and own == told
        return own / (math.sqrt(rank) if by_root else rank)

    def _alpha(self, place: Place, *, is_convolution: bool) -> float | None:
        facts = self._facts(place)
        for pattern, value in _mapping(facts.get("alpha_pattern")).items():
            name = str(pattern).replace(".", "_")
            if place.name == name or place.name.endswith(f"_{name}"):
                return self._number("alpha_pattern", value)
        for fact in ("lora_alpha", "alpha"):
            if fact in facts:
                return self._number(fact, facts[fact])
        if is_convolution and "conv_dim" in self.arguments:
            return self._number("conv_alpha", self.arguments.get("conv_alpha", 1))
        return self._number("ss_network_alpha", self.alpha)

    def _is_rank_stabilized(self, place: Place) -> bool:
        said = (self._facts(place).get("use_rslora"), self.arguments.get("rs_lora"), self.arguments.get("use_rslora"))
        return any(str(one).strip().lower() in ("true", "1") for one in said)

    def _facts(self, place: Place) -> Mapping[str, Any]:
        return self.by_component.get(place.component) or self.by_component.get(None) or _NOTHING

    def _number(self, fact: str, value: object) -> float | None:
        """A number; None where the header says that there is none, which means the rank, or says 0, which kohya's
        trainer takes alike.
        """
        if value is None or str(value).strip() in ("", "None", "null"):
            return None
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UnusableFileError(f"{self.name}: its header says {fact} = {str(value)[:40]!r}, expected a number")
        return number or None


def header_scales(name: str, metadata: Mapping[str, str]) -> HeaderScales:
    """Read the facts.

    Raises:
        UnusableFileError: a configuration is no JSON object, or was trained against a base that is not the checkpoint.
    """
    by_component: dict[Component | None, dict[str, Any]] = {}
    for fact in _CONFIGS:
        if fact in metadata:
            config = json_object(f"{name}: {fact} in its header", metadata[fact][:_CHARACTERS])
            for path, value in _flat(config).items():
                prefix, _, last = path.rpartition(".")
                by_component.setdefault(component_of(prefix), {})[last] = value
    loose = {fact: metadata[fact] for fact in _FACTS if fact in metadata}
    if loose:
        by_component.setdefault(None, {}).update(loose)
    for facts in by_component.values():
        start = str(facts.get("init_lora_weights", "")).lower()
        if start.startswith(_CHANGES_THE_BASE):
            raise UnusableFileError(
                f"{name}: it was trained against a base changed by {start}; save it as a plain LoRA first"
            )
    arguments, problem = _arguments(name, metadata.get("ss_network_args", ""))
    frozen = MappingProxyType({key: MappingProxyType(facts) for key, facts in by_component.items()})
    return HeaderScales(name, frozen, metadata.get("ss_network_alpha"), arguments, problem)


def _arguments(name: str, written: str) -> tuple[Mapping[str, Any], str]:
    if written.strip() in ("", "null", "None"):
        return _NOTHING, ""
    try:
        return json_object(f"{name}: ss_network_args in its header", written[:_CHARACTERS]), ""
    except UnusableFileError as error:
        return _NOTHING, f"{error}; it was left out"


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Facts by dotted path; the components of a nested configuration become prefixes."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        inner = _mapping(value)
        if inner.keys() & set(_FACTS):
            flat |= {f"{key}.{name}": one for name, one in inner.items()}
        else:
            flat[key] = value
    return flat


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _NOTHING
