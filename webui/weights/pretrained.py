"""Reads networks in Hugging Face's form: `config.json` as plain data, the weights from safetensors.

Nothing is downloaded and no code of a model is run. From a configuration only numbers, words and lists that
transformers' own classes know are used, and the network that it describes must not be larger than the file of its
weights.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from logging import CRITICAL
from math import prod
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.library.json_object import json_object
from webui.weights.build import check_finite
from webui.weights.tensors import TensorSource

MAX_NUMBER = 1 << 16  # largest count or width in a configuration
MAX_LAYERS = 256
MAX_ITEMS = 64  # longest list in a configuration
MAX_BUFFERS = 1 << 26  # most values of tensors that a network computes itself when it is built
_SLACK = 1.1  # a network may be this much larger than its file, because tensors may be shared
_WORD = re.compile(r"[\w.+-]{0,64}")  # such a word can be neither a path nor the name of something on a server
_LAYERS = frozenset({"num_hidden_layers", "depths", "num_patch_transformer_layers"})
# By `model_type`: transformers' classes of its configuration, of the network, and of the backbones it may stand on.
_CLASSES: Mapping[str, tuple[str, str, Mapping[str, str]]] = MappingProxyType(
    {
        "dpt": (
            "DPTConfig",
            "DPTForDepthEstimation",
            {"bit": "BitConfig", "dinov2": "Dinov2Config", "beit": "BeitConfig", "swinv2": "Swinv2Config"},
        ),
        "depth_anything": ("DepthAnythingConfig", "DepthAnythingForDepthEstimation", {"dinov2": "Dinov2Config"}),
        "zoedepth": ("ZoeDepthConfig", "ZoeDepthForDepthEstimation", {"beit": "BeitConfig"}),
        "upernet": (
            "UperNetConfig",
            "UperNetForSemanticSegmentation",
            {"convnext": "ConvNextConfig", "swin": "SwinConfig"},
        ),
        "segformer": ("SegformerConfig", "SegformerForSemanticSegmentation", {}),
    }
)


@dataclass(frozen=True, slots=True)
class _Known:
    """transformers' classes of one kind of network.

    Attributes:
        config, network: the classes of its configuration and of the network.
        backbones: the configuration classes of its possible backbones by their `model_type`, the usual one first.
        common: settings that every configuration has and that are ignored here.
    """

    config: type[Any]
    network: type[Any]
    backbones: Mapping[str, type[Any]]
    common: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A network from a folder.

    Attributes:
        kind: its `model_type`.
        facts: the content of its `config.json`, which is not to be trusted.
        module: the network of transformers with its weights, in float32 and evaluation mode.
    """

    kind: str
    facts: Mapping[str, Any]
    module: Any


def read_network(
    source: TensorSource, config: str, kinds: tuple[str, ...], device: torch.device, **fixed: int
) -> Pretrained:
    """The network of a folder.

    Args:
        source: of `model.safetensors`.
        config: the text of `config.json`.
        kinds: the values of `model_type` that are accepted.
        fixed: settings that replace those of the configuration.

    Raises:
        UnusableFileError: another kind of network, or configuration and weights do not belong together.
        NotFiniteError: a weight is NaN or infinite.
    """
    facts = json_object("config.json", config)
    kind = facts.get("model_type")
    if not isinstance(kind, str) or kind not in kinds:
        raise UnusableFileError(f"config.json: model_type is {str(kind)[:40]!r}; {', '.join(kinds)} can be used here")
    known = _known(kind)
    try:
        settings = known.config(**_settings(known, facts), **fixed)
        with torch.device("meta"):
            empty = known.network(settings)
    except UnusableFileError:
        raise
    except Exception as error:  # transformers raises errors of many kinds where settings are wrong
        raise UnusableFileError(f"config.json: {_reason(error)}") from error
    _check_size(empty, source)
    return Pretrained(kind, facts, _filled(known.network, settings, source, device))


def _known(kind: str) -> _Known:
    """The classes of a kind. They are imported here because that takes a second and is seldom needed."""
    import transformers

    config, network, backbones = _CLASSES[kind]
    return _Known(
        getattr(transformers, config),
        getattr(transformers, network),
        {name: getattr(transformers, one) for name, one in backbones.items()},
        frozenset(one.name for one in fields(transformers.PreTrainedConfig)),
    )


def _filled(network: type[Any], settings: Any, source: TensorSource, device: torch.device) -> Any:
    """The module with its weights. Transformers loads them, because it knows the names that older versions used."""
    state: dict[str, Tensor] = {}
    for name in source.names():
        state[name] = source.read_as(name, torch.float32) if source.dtype(name).is_floating_point else source.read(name)
        check_finite(name, state[name])
    try:
        with _quiet():
            module, told = network.from_pretrained(
                None, config=settings, state_dict=state, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:
        raise UnusableFileError(f"model.safetensors: does not fit its config.json ({_reason(error)})") from error
    if told["missing_keys"]:
        missing = sorted(told["missing_keys"])
        raise UnusableFileError(f"model.safetensors: tensor {missing[0]} is missing, and {len(missing) - 1} more")
    module.requires_grad_(requires_grad=False)
    return module.to(device).eval()


def _check_size(empty: Any, source: TensorSource) -> None:
    """Refuse a configuration that describes more than there are weights for, before any of it is allocated."""
    wanted = sum(one.numel() for one in empty.parameters())
    there = sum(prod(source.shape(name)) for name in source.names())
    if wanted > there * _SLACK:
        raise UnusableFileError(f"config.json: describes {wanted} numbers, but model.safetensors holds {there}")
    if sum(one.numel() for one in empty.buffers()) > MAX_BUFFERS:
        raise UnusableFileError(f"config.json: describes tables of more than {MAX_BUFFERS} numbers")


def _settings(known: _Known, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings to use from a configuration: those that the network's class has, and those of its backbone."""
    if facts.get("backbone") or facts.get("use_timm_backbone") or facts.get("use_pretrained_backbone"):
        raise UnusableFileError("config.json: names a backbone to fetch; only one that it describes itself can be used")
    taken = _taken(known.config, known, facts)
    inner = facts.get("backbone_config")
    if not inner:
        return taken  # there is no backbone, or the one that transformers uses by default
    if not isinstance(inner, dict):
        raise UnusableFileError("config.json: backbone_config is not an object")
    name = inner.get("model_type", next(iter(known.backbones), ""))
    if not isinstance(name, str) or name not in known.backbones:
        there = ", ".join(known.backbones)
        raise UnusableFileError(f"config.json: the backbone {str(name)[:40]!r} is not known; {there} can be used")
    own = _taken(known.backbones[name], known, inner, further=("out_features", "out_indices"))
    return {**taken, "backbone_config": {"model_type": name, **own}}


def _taken(
    described: type[Any], known: _Known, facts: Mapping[str, Any], further: tuple[str, ...] = ()
) -> dict[str, Any]:
    names = ({one.name for one in fields(described)} - known.common) | set(further)
    names = {name for name in names & set(facts) if name != "backbone_config" and not name.startswith("_")}
    return {name: _plain(name, facts[name]) for name in sorted(names)}


def _plain(name: str, value: Any) -> Any:
    """The value, where it is a number, a word or a list of them within the limits."""
    if isinstance(value, list) and len(value) <= MAX_ITEMS:
        return [_plain(name, one) for one in value]
    if isinstance(value, dict) and len(value) <= MAX_ITEMS:
        return {str(key)[:MAX_ITEMS]: _plain(name, one) for key, one in value.items()}
    if value is None or isinstance(value, bool) or (isinstance(value, str) and _WORD.fullmatch(value)):
        return value
    limit = MAX_LAYERS if name in _LAYERS else MAX_NUMBER
    if isinstance(value, int | float) and abs(value) <= limit:
        return value
    raise UnusableFileError(f"config.json: {name} is {str(value)[:40]!r}, which is beyond the limits")


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:200] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' progress bar and its report about a file that does not fit; an error says that here."""
    from transformers.utils import logging as theirs

    logging: Any = theirs  # its functions have no types
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
