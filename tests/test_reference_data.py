"""The reference data beside the tests: small enough to ship, packed without loss, and run with others' on demand."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.packed import PackedFile, normals, packed, read, unpack
from tests.reference import OURS, PACKED, case_named, cases, sha256_of
from tests.reference_runs import pytest_configure
from tools.pack_models import pack_file

MOST_BYTES = 5_000_000


def test_the_test_data_stay_small() -> None:
    assert sum(path.stat().st_size for path in OURS.parent.rglob("*") if path.is_file()) <= MOST_BYTES


def test_packed_models_are_the_very_files_that_a1111_had() -> None:
    packed_hashes = {file.place: file.sha256 for file in read(PACKED)}
    for place in packed_hashes:
        if place.startswith(("Stable-diffusion", "VAE")):
            assert packed_hashes[place] == sha256_of(place)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights as others make them: drawn in an order, scaled, some changed afterwards."""
    generator = torch.Generator().manual_seed(7)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    tensors = {
        "time.weight": drawn(32, 16) * torch.linspace(0.1, 1, 16),
        "conv.weight": drawn(24, 5, 3, 3) * 0.3 / 45**0.5,
        "norm.weight": 1 + 0.1 * drawn(40),
        "norm.bias": 0.03 * drawn(9),
        "out.weight": torch.zeros(6, 6),
    }
    drawn(1000)
    tensors["late.weight"] = 0.5 * drawn(64, 8)
    tensors["late.weight"][3, 4] += 0.01
    path = tmp_path_factory.mktemp("packing") / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in tensors.items()} | {"betas": torch.ones(7)}, path)
    return path


@pytest.fixture(scope="module")
def found(model: Path) -> PackedFile:
    return pack_file(model, "Lora/model.safetensors", 7)


def test_a_packed_file_comes_back_byte_by_byte(model: Path, found: PackedFile, tmp_path: Path) -> None:
    whole = pack_file(model, "as it is.safetensors", None)
    (tmp_path / "packed").write_bytes(packed([found, whole, found]))
    unpack(tmp_path / "packed", tmp_path / "models")
    for place in ("Lora/model.safetensors", "as it is.safetensors"):
        assert (tmp_path / "models" / place).read_bytes() == model.read_bytes()


def test_what_was_drawn_takes_no_room(model: Path, found: PackedFile) -> None:
    drawn = 32 * 16 + 24 * 45 + 40 + 64 * 8
    assert sum(span.count for span in found.spans) == drawn
    assert len(found.literal) == model.stat().st_size - 2 * drawn
    assert 0 < len(found.corrected) < drawn // 20


def test_a_file_that_comes_out_otherwise_is_refused(found: PackedFile, tmp_path: Path) -> None:
    other = PackedFile(
        found.place, hashlib.sha256(b"other").hexdigest(), found.size, found.width, found.seed, found.spans,
        found.literal, found.corrected, found.bits,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"Lora/model\.safetensors: .* another file than was packed"):
        other.write(tmp_path / "x")


def test_normal_numbers_are_those_of_torch() -> None:
    for count in (16, 48, 100, 4096):
        stream = torch.rand(5000, generator=torch.Generator().manual_seed(3)).numpy()
        wanted = torch.randn(count, generator=torch.Generator().manual_seed(3))
        np.testing.assert_allclose(normals(stream, 0, count), wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_a_folder_without_an_index_is_refused_in_words(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(getoption=lambda name: [tmp_path], addinivalue_line=lambda *words: None)
    with pytest.raises(pytest.UsageError, match=rf"--references {tmp_path}: there is no index.json"):
        pytest_configure(config)


def test_cases_of_other_folders_come_before_ours(tmp_path: Path) -> None:
    theirs = tmp_path / "cases"
    theirs.mkdir()
    about = {"group": "samplers", "endpoint": "/sdapi/v1/txt2img", "n_images": 1}
    ours = case_named("sampler_lms")
    for name in ("sampler_lms", "sampler_new"):
        (theirs / f"{name}.json").write_text(json.dumps({"payload": {"steps": 1}}))
    index = {"cases": [{"name": name, **about} for name in ("sampler_lms", "sampler_new")]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    found = {case.name: case for case in cases(where=lambda case: case.group == "samplers", folders=(tmp_path, OURS))}
    assert found["sampler_lms"].folder == found["sampler_new"].folder == tmp_path
    assert found["sampler_ddim"].folder == ours.folder == OURS
