"""The optimizers, their learning rate at each step, and their state as plain tensors and numbers."""

import importlib
import importlib.util
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from webui.extension_api import BadRequestError

from .options import TrainOptions

_PACKAGES = MappingProxyType({"adamw_8bit": "bitsandbytes", "prodigy": "prodigyopt", "lion": "lion_pytorch"})


class Group(NamedTuple):
    """Parameters with a learning rate of their own."""

    parameters: list[nn.Parameter]
    rate: float


def build_optimizer(groups: Iterable[Group], options: TrainOptions) -> torch.optim.Optimizer:
    """The optimizer that was asked for.

    Raises:
        BadRequestError: its package is not installed.
    """
    rows: list[dict[str, Any]] = [{"params": one.parameters, "lr": one.rate} for one in groups if one.parameters]
    decay = options.weight_decay
    package = _PACKAGES.get(options.optimizer, "")
    if package and importlib.util.find_spec(package) is None:
        raise BadRequestError(
            "optimizer", f"{options.optimizer} needs the package {package}, which is not installed; choose adamw"
        )
    library: Any = importlib.import_module(package) if package else None
    match options.optimizer:
        case "adamw_8bit":
            made = library.optim.AdamW8bit(rows, lr=options.rate, weight_decay=decay)
        case "prodigy":
            made = library.Prodigy(
                rows, lr=options.rate, weight_decay=decay, decouple=True, use_bias_correction=True,
                safeguard_warmup=options.warmup > 0,
            )  # fmt: skip
        case "lion":
            made = library.Lion(rows, lr=options.rate, weight_decay=decay)
        case _:
            made = torch.optim.AdamW(rows, lr=options.rate, weight_decay=decay)
    optimizer: torch.optim.Optimizer = made
    return optimizer


def rate_share(step: int, steps: int, options: TrainOptions) -> float:
    """The share of the learning rate that counts at a step, 0..1: it rises over `warmup` steps and then falls."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, steps - options.warmup)
    if options.schedule == "linear":
        return 1 - done
    return (1 + math.cos(math.pi * done)) / 2 if options.schedule == "cosine" else 1.0


def state_of(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], JsonValue]:
    """The state of an optimizer as tensors by name, and as what JSON can hold."""
    tensors: dict[str, Tensor] = {}
    state = optimizer.state_dict()
    rows: dict[str, JsonValue] = {
        str(number): _plain(f"state.{number}", values, tensors) for number, values in state["state"].items()
    }
    groups: list[JsonValue] = [
        _plain(f"group.{number}", values, tensors) for number, values in enumerate(state["param_groups"])
    ]
    return tensors, {"state": rows, "groups": groups}


def restore_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], plain: Any) -> None:
    """Give an optimizer, which was made alike, the state that `state_of` told."""

    def whole(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: _read(value) for name, value in values.items()}
        here = f"{prefix}."
        return kept | {name.removeprefix(here): value for name, value in tensors.items() if name.startswith(here)}

    optimizer.load_state_dict(
        {
            "state": {int(number): whole(f"state.{number}", values) for number, values in plain["state"].items()},
            "param_groups": [whole(f"group.{number}", values) for number, values in enumerate(plain["groups"])],
        }
    )


def _plain(prefix: str, values: Mapping[str, Any], tensors: dict[str, Tensor]) -> dict[str, JsonValue]:
    """What of `values` is no tensor; tensors are put into `tensors`."""
    kept: dict[str, JsonValue] = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            tensors[f"{prefix}.{name}"] = value.detach()
        elif isinstance(value, tuple):
            kept[name] = {"tuple": list(value)}
        elif isinstance(value, float) and not math.isfinite(value):
            kept[name] = {"number": str(value)}
        else:
            kept[name] = value
    return kept


def _read(value: Any) -> Any:
    match value:
        case {"tuple": values}:
            return tuple(values)
        case {"number": text}:
            return float(text)
    return value
