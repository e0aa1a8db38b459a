"""One program with the models that ship, for all tests by meaning."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.exact_back import exact_back
from webui.domain.model_folders import ModelFolder
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    """It has two LoRAs more, which it cannot use (test_bad_input.py). A second program in this process would load the
    code of all extensions anew.
    """
    loras = tmp_path_factory.mktemp("loras")
    name = "lora_unet_input_blocks_8_1_transformer_blocks_9_attn2_to_k"  # only SDXL has ten blocks there
    foreign = {f"{name}.lora_down.weight": torch.zeros(4, 2048), f"{name}.lora_up.weight": torch.zeros(1280, 4)}
    save_file(foreign, loras / "foreign.safetensors")
    whole = (loras / "foreign.safetensors").read_bytes()
    (loras / "torn.safetensors").write_bytes(whole[: len(whole) // 2])
    made = exact_back(
        models_dir=ROOT / "models",
        model_folders=(ModelFolder(kind="lora", path=loras),),
        data_dir=tmp_path_factory.mktemp("data"),
        extensions_dir=ROOT / "extensions",
    )
    yield made
    made.close()
