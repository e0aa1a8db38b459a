"""The locked-down child process that converts one pickle: `python -m webui.weights.unpickle SOURCE TARGET`.

It loads tensors only (`weights_only=True`), under limits of memory, time, files and processes; of a file that torch
refuses for its foreign classes it takes the tensors of a whole network (`inert_network.py`). No other module imports
this one.
"""

import json
import pickle
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from webui.weights.inert_network import read_network

GIB = 1 << 30
CPU_SECONDS = 1500
MAX_DEPTH = 8
MAX_TENSORS = 100_000
MAX_MEMBERS = 200_000
MAX_TEXT = 4096  # characters of one metadata value
_DROPPED = ("optimizer_states", "callbacks", "lr_schedulers", "loops", "hyper_parameters")


class RefusedError(Exception):
    """The file asks for more than tensors; the text says what."""


def main(arguments: Sequence[str]) -> int:
    """Convert; returns the exit status, with the reason as the last line on stderr."""
    source, target = Path(arguments[0]), Path(arguments[1])
    try:
        size = source.stat().st_size
        check_archive(source, size)
        limit(size)
        # textual inversions of the first programs contain this class, which runs no code of the file
        torch.serialization.add_safe_globals([torch.nn.ParameterDict])
        tensors, metadata = read(source)
        save_file(tensors, target, metadata)
    except MemoryError:
        sys.stderr.write("more memory needed than its size allows\n")
        return 1
    except Exception as error:  # the parent process shows this reason
        sys.stderr.write(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}\n")
        return 1
    return 0


def read(source: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by their names, and its metadata. Raises whatever the file makes torch raise."""
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        network = read_network(source)
        if network is None or not network[0]:
            raise
        if len(network[0]) > MAX_TENSORS:
            raise RefusedError(f"more than {MAX_TENSORS} tensors") from None
        return network
    return flatten(content)


def check_archive(path: Path, size: int) -> None:
    """Refuse zip files with compressed members: torch writes none, so it is a bomb or another kind of file. Older files
    are not zip files.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise RefusedError(f"{len(members)} members in the archive")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise RefusedError("compressed members; torch does not write any")
    if sum(member.file_size for member in members) > size:
        raise RefusedError("members larger than the file")


def limit(size: int) -> None:
    """Bound what reading a file of `size` bytes may take: address space, processor time, output, processes."""
    if sys.platform == "win32":
        return  # the system has no such limits; the time limit of the parent remains
    import resource

    for what, amount in (
        (resource.RLIMIT_AS, 6 * GIB + 5 * size),  # torch's libraries alone reserve some GiB
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 2 * size + GIB),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        bound = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (bound, bound))


def flatten(content: object) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Every tensor by its dotted name, contiguous and in memory of its own, and the texts and numbers beside them.

    Raises:
        RefusedError: no tensors, too many, or nested too deeply.
    """
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for name, leaf in _leaves(content, "", 0):
        if isinstance(leaf, Tensor):
            if leaf.layout != torch.strided or leaf.is_quantized:
                raise RefusedError(f"tensor {name} is sparse or quantized")
            tensors[name] = leaf.detach().clone(memory_format=torch.contiguous_format)
        elif isinstance(leaf, str | int | float | bool):
            metadata[name] = (leaf if isinstance(leaf, str) else json.dumps(leaf))[:MAX_TEXT]
        if len(tensors) > MAX_TENSORS:
            raise RefusedError(f"more than {MAX_TENSORS} tensors")
    if not tensors:
        raise RefusedError("no tensors in it")
    return tensors, metadata


def _leaves(content: object, name: str, depth: int) -> Iterator[tuple[str, object]]:
    if depth > MAX_DEPTH:
        raise RefusedError(f"nested deeper than {MAX_DEPTH} levels at {name}")
    if isinstance(content, torch.nn.ParameterDict):
        content = vars(content).get("_parameters", {})
    if isinstance(content, Mapping):
        children = [(str(key), child) for key, child in content.items() if str(key) not in _DROPPED]
    elif isinstance(content, list | tuple):
        children = [(str(number), child) for number, child in enumerate(content)]
    else:
        yield name, content
        return
    for key, child in children:
        yield from _leaves(child, f"{name}.{key}" if name else key, depth + 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
