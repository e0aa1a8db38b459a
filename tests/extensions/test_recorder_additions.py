"""What adapters add to the network, as the recorder measures it where it arrives: T2I-Adapter and IP-Adapter."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from extensions.controlnet.t2i_adapter import AdapterShape, LightAdapter
from tests.exact_back import exact_back
from tests.extensions.adapter_models import encoder, saved, tensors_of
from tests.extensions.test_ip_adapter import PICTURE, WIDTHS
from tests.extensions.test_run_recorder import ROOT, made
from tests.library.small import CHANNELS, CONTEXT
from webui.domain.images import Picture
from webui.domain.model_folders import ModelFolder
from webui.processing.back import Back

MAP = Picture.of(Image.effect_mandelbrot((64, 64), (-2.2, -1.2, 1, 1.3), 40).convert("RGB")).to_base64()
WIDE = 2 * CHANNELS
SHAPE = AdapterShape(8, False, ((192, CHANNELS, 1), (CHANNELS, WIDE, 1), *[(WIDE, WIDE, 1)] * 2), inner=(16,) * 4)


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    folder = tmp_path_factory.mktemp("adapters")
    torch.manual_seed(6)
    (folder / "nets").mkdir()
    save_file(LightAdapter(SHAPE).state_dict(), folder / "nets" / "t2i.safetensors")
    saved(folder / "nets" / "ip-adapter_tiny.safetensors", tensors_of("standard", WIDTHS, CONTEXT))
    (folder / "clip_vision" / "CLIP-ViT-H-14").mkdir(parents=True)
    save_file(encoder(), folder / "clip_vision" / "CLIP-ViT-H-14" / "model.safetensors")
    kinds = {"controlnet": "nets", "clip_vision": "clip_vision"}
    folders = tuple(ModelFolder(kind=kind, path=folder / name) for kind, name in kinds.items())
    return exact_back(
        models_dir=tiny_models_dir, data_dir=folder / "data", extensions_dir=ROOT / "extensions", model_folders=folders
    )


def added(back: Back, *, t2i: float = 0, ip: float = 0, steps: int = 1, end: float = 1) -> dict[str, dict[str, Any]]:
    """What is measured of a run with adapters of these weights, which act up to a share of the steps."""
    unit = {"module": "none", "model": "t2i", "image": MAP, "weight": t2i, "guidance_end": end}
    picture = {"image": PICTURE, "model": "ip-adapter_tiny", "weight": ip, "end": end}
    extensions: dict[str, Any] = {"run_recorder": {"enabled": True}}
    extensions |= {"controlnet": {"units": [unit]}} if t2i else {}
    extensions |= {"ip_adapter": {"units": [picture]}} if ip else {}
    found: dict[str, dict[str, Any]] = made(back, steps=steps, extensions=extensions)[1].json("adds")
    return found


def test_what_a_t2i_adapter_adds_stands_at_the_end_of_each_level(back: Back) -> None:
    whole, half = added(back, t2i=1)["levels"], added(back, t2i=0.5)["levels"]
    assert list(whole) == ["down_blocks.0.attentions.1", "down_blocks.1.resnets.1"]
    first = "down_blocks.0.attentions.1"  # what is there is the same for both; behind it, the first has changed it
    assert half[first][0] == pytest.approx(whole[first][0] / 2, rel=1e-2)
    assert all(len(shares) == 1 and shares[0] > 0.01 for shares in whole.values())


def test_what_an_ip_adapter_changes_stands_in_the_transformers(back: Back) -> None:
    whole, half = added(back, ip=1)["attention"], added(back, ip=0.5)["attention"]
    assert len(whole) == len(WIDTHS)
    first = "down_blocks.0.attentions.0"
    assert half[first][0] == pytest.approx(whole[first][0] / 2, rel=1e-2)


def test_both_are_told_apart_and_only_for_the_steps_in_which_they_act(back: Back) -> None:
    both = added(back, t2i=1, ip=1, steps=4, end=0.2)  # steps that are done are counted as A1111 does
    assert both["skips"] == both["weights"] == {}
    for kind in ("levels", "attention"):
        assert both[kind]
        assert {len(shares) for shares in both[kind].values()} == {2}
