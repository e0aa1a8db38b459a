"""What hostile extensions do, as the body of a hook or of `plugin.py`."""

from collections.abc import Mapping
from types import MappingProxyType

# Faults that Python can contain. Those that the host must notice by itself come first; each is named.
FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "KeyboardInterrupt": "raise KeyboardInterrupt",
        "SystemExit": "import sys\nsys.exit(1)",
        "GeneratorExit": "raise GeneratorExit",
        "a BaseException of its own": "raise type('Mine', (BaseException,), {})('mine')",
        "an error without a text": (
            "class Mute(Exception):\n    def __str__(self):\n        raise SystemExit\nraise Mute"
        ),
        "endless recursion": "def again():\n    again()\nagain()",
        "other working directory": "import os\nos.chdir('/')",
        "no standard output": "import sys\nsys.stdout = None\nsys.stderr = None",
        "other precision": "import torch\ntorch.set_default_dtype(torch.float64)",
    }
)
# What it does to code that is not its own; noticed at the end of the job, or of the import.
REPLACING: Mapping[str, str] = MappingProxyType(
    {
        "replaces json.loads": "import json\njson.loads = lambda *given, **more: {}",
        "replaces json.dumps by a builtin": "import json\njson.dumps = repr",
        "deletes a method of the program": (
            "from webui.domain.request import GenerationRequest\ndel GenerationRequest.with_"
        ),
        "deletes a function of the program": "import webui.output.infotext\ndel webui.output.infotext.write",
        "replaces builtins": "import builtins\nbuiltins.sorted = lambda *given, **more: []",
        "replaces a method of Pillow": "from PIL import Image\nImage.Image.save = print",
        "replaces a module": "import sys, types\nsys.modules['csv'] = types.SimpleNamespace()",
    }
)
# What costs time and memory, or goes wrong where nobody listens. It is allowed, and must change nothing.
NOISY: Mapping[str, str] = MappingProxyType(
    {
        "raises in __del__": "class Dies:\n    def __del__(self):\n        raise SystemExit\nDies()",
        "takes memory": "rooms = [bytearray(4_000_000) for _ in range(4)]",
        "floods the log": "import logging\nfor number in range(100):\n    logging.getLogger('bad').error('x' * 99)",
        "starts threads that raise": (
            "import threading\none = threading.Thread(target=lambda: 1 / 0)\none.start()\none.join()"
        ),
    }
)
# Wrong answers; `given` is what the hook was given.
WRONG: Mapping[str, str] = MappingProxyType(
    {
        "of no kind": "return object()",
        "not finite": "return hostile.spoilt(given)",
        "of another shape": "return hostile.misshapen(given)",
        "what it was given, written to": "hostile.write_to(given)",
    }
)
# What ends or stops a process: only another process can help.
DEADLY: Mapping[str, str] = MappingProxyType(
    {
        "os._exit": "import os\nos._exit(9)",
        "a signal": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "a fault in C": "import ctypes\nctypes.string_at(1)",
    }
)
ENDLESS: Mapping[str, str] = MappingProxyType(
    {"sleep": "import time\ntime.sleep(1000)", "loop": "while True:\n    pass"}
)
HELPERS = """
import torch
from dataclasses import fields, is_dataclass, replace

def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, tuple):
        return [one for inner in value for one in tensors(inner)]
    if is_dataclass(value):
        return [one for field in fields(value) for one in tensors(getattr(value, field.name, None))]
    return []

def changed(value, change):
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, tuple):
        return tuple(changed(one, change) for one in value)
    if is_dataclass(value):
        return replace(value, **{f.name: changed(getattr(value, f.name), change) for f in fields(value) if f.init})
    return value

def spoilt(given):
    if type(given).__name__ == "ModelCall":
        from webui.extension_api.tensors import Residuals
        return Residuals(mid=torch.full((len(given.sample), 4, 1, 1), float("nan")))
    return changed(given, lambda one: one * float("nan")) if tensors(given) else float("nan")

def misshapen(given):
    if type(given).__name__ == "ModelCall":
        from webui.extension_api.tensors import Residuals
        return Residuals(mid=torch.ones(len(given.sample), 3, 5, 7))
    return changed(given, lambda one: one[..., :1]) if tensors(given) else [given]

def write_to(given):
    for one in tensors(given):
        one.fill_(7)
"""
