"""Depth networks in Hugging Face's form: `config.json` is read as plain data, the weights come from safetensors.

Nothing is fetched and no code of a model is run: of a configuration only numbers, words and lists that transformers'
own classes know are taken, and what it describes must not be larger than the file of its weights.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from math import prod
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.weights.build import check_finite
from webui.weights.depth import DepthNetwork, Input, Triple
from webui.weights.tensors import TensorSource

MAX_NUMBER = 1 << 16  # of any count or width in a configuration
MAX_LAYERS = 256
MAX_ITEMS = 64  # of a list in a configuration
MAX_BUFFERS = 1 << 26  # numbers that a network computes for itself when it is built
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
_SLACK = 1.1  # a file may hold less than the network, where tensors are shared
_WORD = re.compile(r"[\w.+-]{0,64}")  # no path, no name of something on a server
_LAYERS = frozenset({"num_hidden_layers", "depths", "num_patch_transformer_layers"})
# The kinds of networks, by `model_type`, with their usual backbone and how they want to see pictures.
_USUAL: Mapping[str, str] = MappingProxyType({"dpt": "bit", "depth_anything": "dinov2", "zoedepth": "beit"})
_SHOWN: Mapping[str, Input] = MappingProxyType(
    {
        "dpt": Input(384, 384, 32, "least"),
        "depth_anything": Input(518, 518, 14, "cover", IMAGENET_MEAN, IMAGENET_STD),
        "zoedepth": Input(384, 512, 32, "least", rim=3.0),
    }
)


@dataclass(frozen=True, slots=True)
class _Known:
    """transformers' classes of one kind of network.

    Attributes:
        config, network: what describes it, and the depth estimator itself.
        backbones: what describes the backbones that it may stand on, by their `model_type`.
        common: settings that every configuration has; none of them matters here.
    """

    config: type[Any]
    network: type[Any]
    backbones: Mapping[str, type[Any]]
    common: frozenset[str]


def build_depth(source: TensorSource, config: str, processor: str, device: torch.device) -> DepthNetwork:
    """The depth network of a folder, in float32.

    Args:
        source: of `model.safetensors`.
        config: the text of `config.json`.
        processor: the text of `preprocessor_config.json`; "" without one.

    Raises:
        UnusableFileError: another kind of network, or configuration and weights do not belong together.
        NotFiniteError: a weight is NaN or infinite.
    """
    facts = _object("config.json", config)
    kind = facts.get("model_type")
    if not isinstance(kind, str) or kind not in _USUAL:
        kinds = ", ".join(_USUAL)
        raise UnusableFileError(f"config.json: model_type is {str(kind)[:40]!r}; depth networks of {kinds} are known")
    known = _known(kind)
    try:
        settings = known.config(**_settings(kind, known, facts))
        with torch.device("meta"):
            empty = known.network(settings)
    except UnusableFileError:
        raise
    except Exception as error:  # transformers checks settings in many places, with errors of many kinds
        raise UnusableFileError(f"config.json: {_reason(error)}") from error
    _check_size(empty, source)
    module = _filled(known.network, settings, source, device)
    has_backbone = getattr(module, "dpt", None) is None
    shown = _shown(kind, facts, _object("preprocessor_config.json", processor) if processor else {})
    is_distance = kind == "zoedepth" or facts.get("depth_estimation_type") == "metric"
    return DepthNetwork(module, shown, takes_any=not has_backbone, is_distance=is_distance)


def _known(kind: str) -> _Known:
    """The classes, imported only here: it takes a second, and few programs need them."""
    import transformers

    config, network = {
        "dpt": (transformers.DPTConfig, transformers.DPTForDepthEstimation),
        "depth_anything": (transformers.DepthAnythingConfig, transformers.DepthAnythingForDepthEstimation),
        "zoedepth": (transformers.ZoeDepthConfig, transformers.ZoeDepthForDepthEstimation),
    }[kind]
    backbones = {
        "bit": transformers.BitConfig,
        "dinov2": transformers.Dinov2Config,
        "beit": transformers.BeitConfig,
        "swinv2": transformers.Swinv2Config,
    }
    return _Known(config, network, backbones, frozenset(one.name for one in fields(transformers.PreTrainedConfig)))


def _filled(network: type[Any], settings: Any, source: TensorSource, device: torch.device) -> Any:
    """The module with its weights. Left to transformers, which knows the names that older versions saved under."""
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


def _settings(kind: str, known: _Known, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is taken of a configuration: settings that the network's own class has, its backbone's among them."""
    if facts.get("backbone") or facts.get("use_timm_backbone") or facts.get("use_pretrained_backbone"):
        raise UnusableFileError("config.json: names a backbone to fetch; only one that it describes itself can be used")
    taken = _taken(known.config, known, facts)
    inner = facts.get("backbone_config")
    taken.pop("backbone_config", None)
    if inner is not None:
        if not isinstance(inner, dict):
            raise UnusableFileError("config.json: backbone_config is not an object")
        name = inner.get("model_type", _USUAL[kind])
        if not isinstance(name, str) or name not in known.backbones:
            there = ", ".join(known.backbones)
            raise UnusableFileError(f"config.json: the backbone {str(name)[:40]!r} is not known; {there} are")
        if inner:  # without one, transformers' usual one of this kind
            own = _taken(known.backbones[name], known, inner, further=("out_features", "out_indices"))
            taken["backbone_config"] = {"model_type": name, **own}
    return taken


def _taken(
    described: type[Any], known: _Known, facts: Mapping[str, Any], further: tuple[str, ...] = ()
) -> dict[str, Any]:
    names = ({one.name for one in fields(described)} - known.common) | set(further)
    return {name: _plain(name, facts[name]) for name in sorted(names) if name in facts and not name.startswith("_")}


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


def _shown(kind: str, facts: Mapping[str, Any], processor: Mapping[str, Any]) -> Input:
    """How pictures are brought to the network: as `preprocessor_config.json` says where it says it."""
    usual = _SHOWN[kind]
    inner = facts.get("backbone_config")
    fit = usual.fit
    height, width = usual.height, usual.width
    if kind == "dpt" and not facts.get("is_hybrid") and isinstance(inner, dict):
        fit = "stretch"  # their position tables are for one size
        height = width = _side(inner.get("image_size"), height)
    size = processor.get("size")
    if isinstance(size, dict):
        height, width = _side(size.get("height"), height), _side(size.get("width"), width)
    elif size is not None:
        height = width = _side(size, height)
    multiple = processor.get("ensure_multiple_of")
    if not isinstance(multiple, int) or not 1 < multiple <= 128:
        multiple = usual.multiple
    mean, std = _triple(processor.get("image_mean")) or usual.mean, _triple(processor.get("image_std")) or usual.std
    return Input(height, width, multiple, fit, mean, std if all(value > 0 for value in std) else usual.std, usual.rim)


def _side(value: object, usual: int) -> int:
    return value if isinstance(value, int) and 32 <= value <= 2048 else usual


def _triple(value: object) -> Triple | None:
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(one, int | float) for one in value):
        return None
    return float(value[0]), float(value[1]), float(value[2])


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableFileError(f"{name}: is not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise UnusableFileError(f"{name}: is not a JSON object")
    return found


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:200] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar and its report of a file that does not fit, which is told in a sentence."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
