"""Which checkpoint is used where none is named."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests.library.small import small_checkpoint
from webui.domain.errors import UnknownModelError
from webui.library.choice import first_choice
from webui.library.library import BUNDLED, ModelLibrary


def put(folder: Path, name: str, *, in_channels: int = 4, bundled: bool = False) -> None:
    target = folder / "Stable-diffusion"
    target.mkdir(parents=True, exist_ok=True)
    metadata = {BUNDLED: "mini"} if bundled else None
    save_file(small_checkpoint(0, in_channels=in_channels), target / f"{name}.safetensors", metadata=metadata)


def chosen(folder: Path) -> str:
    return first_choice(ModelLibrary(folder, folder / "cache")).name


def test_nothing_there_says_where_to_put_something(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="Stable-diffusion"):
        chosen(tmp_path)


def test_the_bundled_one_is_taken_only_where_the_user_has_none(tmp_path: Path) -> None:
    put(tmp_path, "mini", bundled=True)
    put(tmp_path, "mini-inpainting", in_channels=9, bundled=True)
    assert chosen(tmp_path) == "mini.safetensors"
    put(tmp_path, "zebra-inpainting", in_channels=9)
    assert chosen(tmp_path) == "mini.safetensors"
    put(tmp_path, "zebra")
    assert chosen(tmp_path) == "zebra.safetensors"
