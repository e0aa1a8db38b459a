"""Which checkpoint is used where none is named."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests.library.small import small_checkpoint
from webui.domain.errors import UnknownModelError
from webui.domain.request import GenerationRequest
from webui.library.choice import first_choice
from webui.library.library import BUNDLED, RECIPE, ModelLibrary
from webui.library.resolution import RESOLUTION, at_trained_size, trained_size
from webui.weights.families.registry import FAMILIES


def put(folder: Path, name: str, *, in_channels: int = 4, bundled: bool = False, merged: bool = False) -> None:
    target = folder / "Stable-diffusion"
    target.mkdir(parents=True, exist_ok=True)
    metadata = {BUNDLED: "mini"} if bundled else {RECIPE: "{}"} if merged else None
    save_file(small_checkpoint(0, in_channels=in_channels), target / f"{name}.safetensors", metadata=metadata)


def chosen(folder: Path) -> str:
    return first_choice(ModelLibrary(folder, folder / "cache", FAMILIES)).name


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


def test_a_merge_is_taken_where_there_is_nothing_else_at_all(tmp_path: Path) -> None:
    put(tmp_path, "0.7(a) + 0.3(b)", merged=True)
    assert chosen(tmp_path) == "0.7(a) + 0.3(b).safetensors"
    put(tmp_path, "mini", bundled=True)
    assert chosen(tmp_path) == "mini.safetensors"


def test_a_checkpoint_may_state_the_size_it_was_trained_for(tmp_path: Path) -> None:
    put(tmp_path, "mini", bundled=True)
    folder = tmp_path / "Stable-diffusion"
    for name, stated in {"large": "1024x768", "odd": "1001x1000", "huge": "9000x9000", "words": "big"}.items():
        save_file(small_checkpoint(0), folder / f"{name}.safetensors", metadata={RESOLUTION: stated})
    library = ModelLibrary(tmp_path, tmp_path / "cache", FAMILIES)
    assert trained_size(library, "large") == (1024, 768)
    assert {trained_size(library, name) for name in ("mini", "odd", "huge", "words", "absent")} == {(512, 512)}
    asked = GenerationRequest(checkpoint="large")
    assert at_trained_size(library, asked) == asked.with_(width=1024, height=768)
    wanted = asked.with_(width=640)
    assert at_trained_size(library, wanted) == wanted
