"""Reads the tensors of a network that was pickled whole, with classes of other packages, without running any of them.

Such a file (`.pt` of object detectors) is a mapping whose `ema` or `model` is the network. Here every class and
function that it names, but for those by which torch itself builds tensors, becomes an empty class that keeps its state
and does nothing. Used in the locked-down child process alone (`unpickle.py`).
"""

import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

NETWORKS = ("ema", "model")  # the first that is one counts
MAX_DEPTH = 32
MAX_NAMES = 200_000  # characters of the words of classes
_SAFE: Mapping[tuple[str, str], Any] = MappingProxyType(
    {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
        ("builtins", "set"): set,
        ("__builtin__", "set"): set,
    }
)


class Inert:
    """Stands for an object of a foreign class: it keeps the state that the file gives it.

    Attributes:
        origin: the name of the class.
    """

    origin = ""

    def __new__(cls, *arguments: object, **named: object) -> "Inert":
        return object.__new__(cls)

    def __init__(self, *arguments: object, **named: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    @property
    def facts(self) -> Mapping[str, Any]:
        """The state, where it is one of names and values; else nothing."""
        state = getattr(self, "state", None)
        return state if isinstance(state, dict) else {}


class InertUnpickler(pickle.Unpickler):
    """Finds no class but those of `_SAFE`."""

    def find_class(self, module: str, name: str) -> Any:
        return _SAFE.get((module, name)) or type("Inert", (Inert,), {"origin": f"{module}.{name}"})


def read_network(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """The network's tensors by their names, and as metadata `names` (of its classes), `task`, and `kinds` (the classes
    that it is made of); None where the file holds no such network.

    Raises:
        Exception: whatever a damaged file makes torch and pickle raise.
    """
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("constants.pkl") for name in archive.namelist()):
            return None  # TorchScript, which torch would run
    module = SimpleNamespace(Unpickler=InertUnpickler, load=None, __name__="inert")
    content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    found = [content.get(name) for name in NETWORKS] if isinstance(content, dict) else []
    network = next((one for one in found if isinstance(one, Inert) and "_modules" in one.facts), None)
    if network is None:
        return None
    kinds: set[str] = set()
    tensors = dict(_tensors(network, "", 0, kinds))
    return tensors, _metadata(network, kinds)


def _tensors(network: Inert, name: str, depth: int, kinds: set[str]) -> Iterator[tuple[str, Tensor]]:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels at {name}")
    kinds.add(type(network).origin)
    for part in ("_parameters", "_buffers"):
        held = network.facts.get(part)
        for key, tensor in held.items() if isinstance(held, dict) else ():
            if isinstance(tensor, Tensor):
                if tensor.layout != torch.strided or tensor.is_quantized:
                    raise ValueError(f"tensor {name}{key} is sparse or quantized")
                yield f"{name}{key}", tensor.detach().clone(memory_format=torch.contiguous_format)
    inner = network.facts.get("_modules")
    for key, module in inner.items() if isinstance(inner, dict) else ():
        if isinstance(module, Inert):
            yield from _tensors(module, f"{name}{key}.", depth + 1, kinds)


def _metadata(network: Inert, kinds: set[str]) -> dict[str, str]:
    names, task = network.facts.get("names"), network.facts.get("task")
    words = names if isinstance(names, dict) else dict(enumerate(names)) if isinstance(names, list) else {}
    told = {str(key): value for key, value in words.items() if isinstance(key, int) and isinstance(value, str)}
    text = json.dumps(told)
    return {
        "names": text if len(text) <= MAX_NAMES else "{}",
        "task": task if isinstance(task, str) else "",
        "kinds": json.dumps(sorted(kinds)),
    }
