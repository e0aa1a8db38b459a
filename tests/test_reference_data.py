"""The reference data beside the tests: small enough to ship, and packed without loss."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.packed import pack, unpack
from tests.reference import OURS

MOST_BYTES = 5_000_000


def test_the_reference_data_stays_small() -> None:
    assert sum(path.stat().st_size for path in OURS.rglob("*") if path.is_file()) <= MOST_BYTES


def test_what_a_packed_checkpoint_keeps_is_exact(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    tensors: dict[str, Any] = {
        "text.token_embedding.weight": random.normal(size=(20, 3)).astype(np.float16),
        "unet.weight": random.normal(size=(2, 5, 3, 3)).astype(np.float16),
        "scale": np.array(2.5, np.float16),
        "encoder.weight": np.ones((4, 4), np.float16),
        "betas": np.ones(7, np.float32),
    }
    save_file(tensors, tmp_path / "whole.safetensors")
    pack(tmp_path / "whole.safetensors", tmp_path / "packed", {7, 2}, lambda name: "encoder" not in name, "ab12")
    assert unpack(tmp_path / "packed", tmp_path / "again.safetensors") == "ab12"
    again = load_file(tmp_path / "again.safetensors")
    assert again.keys() == tensors.keys() - {"betas"}
    rows = np.zeros((20, 3), np.float16)
    rows[[2, 7]] = tensors["text.token_embedding.weight"][[2, 7]]
    assert np.array_equal(again["text.token_embedding.weight"], rows)
    assert np.array_equal(again["unet.weight"], tensors["unet.weight"])
    assert again["scale"] == 2.5
    assert not again["encoder.weight"].any()
