"""Reading tensors by pread: every dtype comes back as saved, in memory of its own; short files are errors."""

import gc
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from webui.domain.errors import UnusableFileError
from webui.weights.tensors import DTYPES, TensorFile


@pytest.mark.parametrize("dtype", sorted(set(DTYPES.values()), key=str), ids=str)
def test_what_was_saved_is_read(tmp_path: Path, dtype: torch.dtype) -> None:
    saved = {
        "matrix": torch.arange(6).reshape(2, 3).to(dtype),
        "scalar": torch.tensor(1).to(dtype),
        "nothing": torch.empty(0, 4).to(dtype),
    }
    save_file(saved, tmp_path / "x.safetensors")
    with TensorFile(tmp_path / "x.safetensors") as file:
        assert set(file.names()) == set(saved)
        for name, tensor in saved.items():
            assert file.shape(name) == tuple(tensor.shape)
            assert file.dtype(name) == dtype
            read = file.read(name)
            assert (read.dtype, read.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(read.float(), tensor.float())


def test_tensors_outlive_the_file_and_are_not_mapped(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1000)}, path)
    with TensorFile(path) as file:
        tensor = file.read("a")
    path.write_bytes(b"")
    path.unlink()
    gc.collect()
    assert float(tensor.sum()) == 1000


def test_a_file_that_shrinks_while_open_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(100_000)}, path)
    with TensorFile(path) as file:
        os.truncate(path, 1000)
        with pytest.raises(UnusableFileError, match="ends inside tensor a"):
            file.read("a")


def test_unknown_names_are_key_errors(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors")
    with TensorFile(tmp_path / "x.safetensors") as file:
        assert "a" in file
        assert "b" not in file
        with pytest.raises(KeyError):
            file.read("b")


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("wanted", [torch.float16, torch.bfloat16, torch.float32])
def test_reading_as_another_type_is_reading_and_casting(
    tmp_path: Path, stored: torch.dtype, wanted: torch.dtype
) -> None:
    values = (torch.arange(300_001) % 1999 - 900).to(stored)  # more than one piece, and not a whole number of them
    save_file({"a": values, "none": torch.zeros(0, dtype=stored), "one": torch.tensor(3).to(stored)}, tmp_path / "f")
    with TensorFile(tmp_path / "f") as file:
        for name in ("a", "none", "one"):
            assert torch.equal(file.read_as(name, wanted), file.read(name).to(wanted))
