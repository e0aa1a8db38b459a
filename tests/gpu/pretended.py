"""A device that is not there: its tensors say that they lie on `cuda:0` (or `mps:0`), their numbers are computed on the
CPU.

It keeps the rules of the real one: all tensors of an operation lie on one device, but for numbers on the CPU (0
dimensions) beside them in elementwise operations; and mps has no float64. It counts what costs time on a real one:
operations (each about a kernel), host synchronisations, and copies that the host waits for.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

from tests.gpu.ledger import Ledger, line

aten = torch.ops.aten
CPU = torch.device("cpu")
READS = {
    aten._local_scalar_dense,
    aten.item,
    aten.is_nonzero,
    aten.equal,
    aten.nonzero,
    aten.masked_select,
    aten.unique_dim,
    aten._unique2,
}
LAYERS = {aten.conv2d, aten.group_norm, aten.layer_norm, aten.linear, aten.matmul, aten.scaled_dot_product_attention}
WHOLE = READS | LAYERS | {aten.is_pinned, aten.pin_memory}  # are not taken apart
PINNING = {aten._pin_memory, aten.pin_memory, aten.is_pinned}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
ALLOCATIONS = {aten.empty, aten.empty_like, aten.new_empty, aten.empty_strided, aten.new_empty_strided}
PLAIN = {bool, float, int, str, type(None), torch.dtype, torch.memory_format}  # arguments that hold no tensor
FREE = ALLOCATIONS | {aten.is_pinned, aten.set_, aten.resize_}


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of an operation before it is done; asked of torch once, since thousands of each are done."""

    packet: Any
    is_taken_apart: bool
    is_elementwise: bool
    is_view: bool


@cache
def traits(func: Any) -> Traits:
    packet = func.overloadpacket
    aliases = [one.alias_info for one in func._schema.returns]
    return Traits(
        packet,
        is_taken_apart=packet not in WHOLE and func._can_decompose(),
        is_elementwise=torch.Tag.pointwise in func.tags,
        is_view=any(alias is not None and not alias.is_write for alias in aliases),
    )


class OnDevice(Tensor):
    """A tensor of the pretended device; `held` has its numbers."""

    held: Tensor
    machine: "PretendedDevice"

    @staticmethod
    def __new__(cls, held: Tensor, machine: "PretendedDevice") -> "OnDevice":
        made: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=machine.device,
            requires_grad=False,
        )
        made.held, made.machine = held, machine
        if machine.allocated is not None:
            machine.allocated(made)
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        flat = _flat((args, kwargs), [])
        return next(one for one in flat if isinstance(one, OnDevice)).machine.perform(func, args, kwargs or {})

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    # torch's own forms of these ask for a guard of the device, which is not built in
    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return int(self.item())

    def contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
        if self.held.is_contiguous(memory_format=memory_format):
            return self
        return self.clone(memory_format=memory_format)

    def copy_(self, source: Tensor, non_blocking: bool = False) -> Tensor:
        answer: Tensor = self.machine.perform(aten.copy_.default, (self, source, non_blocking), {})
        return answer

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __getitem__(self, index: Any) -> Tensor:
        if self.machine.note_index(index):
            self.machine.count("index")
        with _disable_current_modes():
            return OnDevice(self.held[_without_device(index)], self.machine)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.machine.note_index(index)
        if isinstance(value, Tensor):
            self.machine.note_copy(value, self, on_device=True, non_blocking=False)
        self.machine.count("copy_")
        with _disable_current_modes():
            self.held[_without_device(index)] = _without_device(value)

    def new_tensor(self, data: Any, **options: Any) -> Tensor:  # type: ignore[override]
        return torch.tensor(data, dtype=options.get("dtype", self.dtype), device=self.device)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.held!r})"


class PretendedDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, tensors can be put on the device."""

    def __init__(self, kind: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = torch.device(kind, 0)
        self.ledger = Ledger()
        self.allocated: Callable[[OnDevice], None] | None = None  # hears of every tensor that is made
        self._pinned: dict[int, Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.perform(func, args, kwargs or {})

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, so no call needs to be kept from the compiler, which takes longer than the call."""
        return False

    def perform(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Do one operation of torch where its tensors lie."""
        flat = _flat(args, [])
        if kwargs:
            _flat(kwargs, flat)
        known = traits(func)
        packet = known.packet
        here = [one for one in flat if type(one) is OnDevice]
        asked = next((one for one in flat if type(one) is torch.device), None)
        if not here and asked is None and packet not in PINNING:
            return func(*args, **kwargs)
        if packet is aten.to:
            return self._to(func, args, kwargs)
        if known.is_taken_apart:
            with self:
                return func.decompose(*args, **kwargs)
        tensors = [one for one in flat if isinstance(one, Tensor)]
        if packet in PINNING:
            return id(args[0]) in self._pinned if packet is aten.is_pinned else self._pin(args[0])
        if packet is aten._to_copy:
            on_device = isinstance(args[0], OnDevice) if asked is None else asked.type == self.device.type
            non_blocking = bool(kwargs.get("non_blocking"))
            self.note_copy(args[0], None, on_device=on_device, non_blocking=non_blocking)
        elif packet is aten.copy_:
            on_device = isinstance(args[0], OnDevice)
            non_blocking = bool(args[2] if len(args) > 2 else kwargs.get("non_blocking"))
            self.note_copy(args[1], args[0], on_device=on_device, non_blocking=non_blocking)
        else:
            on_device = bool(here) if asked is None else asked.type == self.device.type
            if here:
                self._require_one_device(func, tensors)
        if here or on_device:
            self._note(func, args, here)
        pinned = bool(kwargs.get("pin_memory"))
        plain = {**kwargs, "pin_memory": False} if pinned else kwargs
        answer = func(*_without_device(tuple(args)), **_without_device(dict(plain)))
        if packet in READS and not isinstance(answer, Tensor):
            return answer
        if isinstance(answer, Tensor):
            made = self._placed(answer, tensors, on_device)
        else:
            made = tree_map(lambda one: self._placed(one, tensors, on_device), answer)
        return self._pin(made) if pinned else made

    def _to(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
        """`Tensor.to`: a copy where device, format or layout differ, else the tensor itself."""
        named = dict(zip((one.name for one in func._schema.arguments), args, strict=False)) | dict(kwargs)
        source: Tensor = named["self"]
        like = named.get("other", source)
        device = torch.device(named.get("device") or like.device)
        dtype, layout = named.get("dtype") or like.dtype, named.get("memory_format")
        laid_out = layout in (None, torch.preserve_format) or source.is_contiguous(memory_format=layout)
        if (device.type, dtype) == (source.device.type, source.dtype) and laid_out and not named.get("copy"):
            return source
        copy: Tensor = self.perform(
            aten._to_copy.default,
            (source,),
            {
                "dtype": dtype,
                "device": device,
                "non_blocking": bool(named.get("non_blocking")),
                "memory_format": layout,
            },
        )
        return copy

    def _placed(self, answer: Any, given: Sequence[Tensor], on_device: bool) -> Any:
        """An operation's answer as a tensor of this device; the very object where it wrote into one."""
        if not isinstance(answer, Tensor):
            return answer
        for one in given:
            if (one.held if isinstance(one, OnDevice) else one) is answer:
                return one
        if not on_device:
            return answer
        if answer.dtype == torch.float64:
            self.ledger.doubles[line()] += 1
            if self.device.type == "mps":
                raise TypeError(
                    "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64"
                )
        return OnDevice(answer, self)

    def _pin(self, tensor: Tensor) -> Tensor:
        with _disable_current_modes():
            copy = tensor.clone()
        self._pinned[id(copy)] = copy  # it is kept, so that its id is not given to another
        return copy

    def _require_one_device(self, func: Any, tensors: Sequence[Tensor]) -> None:
        known = traits(func)
        for one in tensors:
            if type(one) is OnDevice or known.packet in INDEXING or (known.is_elementwise and one.dim() == 0):
                continue
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, {self.device} and cpu "
                f"({func})"
            )

    def note_copy(self, source: Tensor, target: Tensor | None, *, on_device: bool, non_blocking: bool) -> None:
        """Note what a copy to `target` costs the host (None: to a new tensor of the CPU)."""
        if isinstance(source, OnDevice) == on_device or threading.current_thread() is not threading.main_thread():
            return  # what a thread waits for holds nobody else
        if on_device:
            waits = not non_blocking or (self.device.type == "cuda" and id(source) not in self._pinned)
            (self.ledger.copies if waits else self.ledger.uploads)[line()] += 1
        else:
            waits = not non_blocking or target is None or id(target) not in self._pinned
            (self.ledger.synchronisations if waits else self.ledger.downloads)[line()] += 1

    def note_index(self, index: Any) -> bool:
        """Note what an index costs the host. Returns whether it gathers values, instead of giving a view."""
        gathers = False
        for one in index if isinstance(index, tuple) else (index,):
            if isinstance(one, OnDevice) and (one.dtype == torch.bool or one.dim() == 0):
                self.ledger.synchronisations[f"mask {line()}"] += 1
            elif isinstance(one, list) or (isinstance(one, Tensor) and one.dim() and not isinstance(one, OnDevice)):
                self.ledger.copies[f"indices {line()}"] += 1
            gathers |= isinstance(one, list) or (isinstance(one, Tensor) and one.dim() > 0)
        return gathers

    def count(self, operation: str) -> None:
        (self.ledger.within if self.ledger.depth else self.ledger.operations)[operation] += 1

    def _note(self, func: Any, args: Sequence[Any], here: Sequence[Tensor]) -> None:
        known = traits(func)
        packet = known.packet
        if here and packet in READS:
            self.ledger.synchronisations[f"{packet.__name__} {line()}"] += 1
            return
        if packet in INDEXING:
            self.note_index(tuple(args[1]))
        if not known.is_view and packet not in FREE:
            self.count(packet.__name__)


def _without_device(value: Any) -> Any:
    """A value, or values within each other, with the tensors' numbers on the CPU. (torch's own trees are slower.)"""
    kind = type(value)
    if kind is OnDevice:
        return value.held
    if kind is tuple or kind is list:
        return kind(map(_without_device, value))
    if kind is dict:
        return {name: _without_device(one) for name, one in value.items()}
    return CPU if kind is torch.device else value


def _flat(value: Any, found: list[Any]) -> list[Any]:
    """All tensors and devices within values."""
    for one in value.values() if type(value) is dict else value:
        kind = type(one)
        if kind is OnDevice or kind is Tensor or kind is torch.device:
            found.append(one)
        elif kind in PLAIN:
            continue
        elif kind is tuple or kind is list or kind is dict:
            _flat(one, found)
        elif isinstance(one, Tensor):
            found.append(one)
    return found


class Marker:
    """An event of the device. What it marks is over at once."""

    def record(self) -> None: ...
    def synchronize(self) -> None: ...


class PretendedGenerator(torch.Generator):
    """A generator of the device, which draws on the CPU."""

    def __new__(cls, device: Any = "cpu") -> "PretendedGenerator":
        return super().__new__(cls, "cpu")  # type: ignore[call-arg]


@contextmanager
def pretended(kind: str) -> Iterator[PretendedDevice]:
    """A machine with a device of this kind: `cuda` or `mps`."""
    mode = PretendedDevice(kind)
    plain_tensor = torch.tensor

    def tensor(data: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
        made = plain_tensor(data, dtype=dtype, **options)
        return made if device is None else made.to(device)

    def enter(module: nn.Module, _: Any) -> None:
        mode.ledger.depth += isinstance(module, UNet2DConditionModel)

    def leave(module: nn.Module, _: Any, __: Any) -> None:
        mode.ledger.depth -= isinstance(module, UNet2DConditionModel)

    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with ExitStack() as stack:
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, before)
        for name, value in _machine(kind).items():
            stack.enter_context(patch(name, value))
        stack.enter_context(patch("torch.tensor", tensor))
        stack.enter_context(patch("torch.Generator", PretendedGenerator))
        for hook in (register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)):
            stack.callback(hook.remove)
        stack.enter_context(mode)
        yield mode


def _machine(kind: str) -> dict[str, Callable[..., Any]]:
    """What torch is asked about the machine, and what it answers."""
    if kind == "mps":
        return {
            "torch.mps.Event": Marker,
            "torch.backends.mps.is_available": lambda: True,
            "torch.mps.empty_cache": lambda: None,
        }
    torch._C._ensureCUDADeviceGuardSet()
    return {
        "torch.cuda.Event": Marker,
        "torch.cuda._lazy_init": lambda: None,
        "torch.cuda.is_available": lambda: True,
        "torch.cuda.device_count": lambda: 1,
        "torch.cuda.empty_cache": lambda: None,
        "torch.cuda.get_device_properties": lambda *_: SimpleNamespace(
            name="NVIDIA RTX", major=8, minor=6, total_memory=8 * 2**30
        ),
    }
