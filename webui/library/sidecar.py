"""Reads the `<name>.yaml` beside a checkpoint (LDM or sgm form) for what tensors cannot tell. Runs nothing it names."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from webui.domain.errors import UnusableFileError

MAX_BYTES = 256 * 1024
MAX_ALIASES = 64  # YAML aliases can grow exponentially when expanded


def read_sidecar(checkpoint: Path) -> Mapping[str, Any]:
    """The mapping in the yaml with the same stem as `checkpoint`; empty when there is no such file.

    Raises:
        UnusableFileError: it is there but too large or not a YAML mapping.
    """
    path = checkpoint.with_suffix(".yaml")
    if not path.is_file():
        return MappingProxyType({})
    try:
        text = path.read_text("utf-8")
        if len(text) > MAX_BYTES or text.count("*") > MAX_ALIASES:
            raise UnusableFileError(f"{path.name}: too large for a model configuration")
        table = yaml.safe_load(text)
    except (OSError, UnicodeError, yaml.YAMLError, RecursionError) as error:
        raise UnusableFileError(f"{path.name}: cannot be read as YAML ({_first_line(error)})") from error
    if not isinstance(table, dict):
        raise UnusableFileError(f"{path.name}: expected a mapping with the key `model`")
    return MappingProxyType(table)


def at(table: Any, *keys: str) -> Any:
    """The value under a path of keys, or None where the path breaks off."""
    for key in keys:
        if not isinstance(table, Mapping):
            return None
        table = table.get(key)
    return table


def prediction(sidecar: Mapping[str, Any]) -> str | None:
    """What the yaml states (LDM `parameterization`, or sgm's denoiser scaling): "v", "epsilon", another word as it
    stands there, or None where it states nothing."""
    params = at(sidecar, "model", "params")
    word = at(params, "parameterization")
    if word is not None:
        return {"v": "v", "eps": "epsilon"}.get(word, word) if isinstance(word, str) else repr(word)
    target = at(params, "denoiser_config", "params", "scaling_config", "target")
    if isinstance(target, str):
        name = target.rsplit(".", 1)[-1]
        return {"VScaling": "v", "EpsScaling": "epsilon"}.get(name, name)
    return None


def implied_prediction(sidecar: Mapping[str, Any]) -> str | None:
    """What a yaml in LDM's form means where it states nothing: LDM's own default."""
    return "epsilon" if at(sidecar, "model", "params", "unet_config") is not None else None


def unet_params(sidecar: Mapping[str, Any]) -> Any:
    params = at(sidecar, "model", "params")
    found = at(params, "unet_config", "params")
    return found if found is not None else at(params, "network_config", "params")


def positive_int(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def scale_factor(sidecar: Mapping[str, Any]) -> float | None:
    value = at(sidecar, "model", "params", "scale_factor")
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return float(value)
    return None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]
