"""What others add to the network, measured where it arrives: the ControlNet, IP-Adapter and LoRA of the miniature."""

import json

import pytest
from PIL import Image, ImageDraw

from tests.miniature.word_attention import Keeping
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.processing.back import Back


def _edges() -> Image.Image:
    image = Image.new("RGB", (128, 128))
    ImageDraw.Draw(image).ellipse((30, 30, 90, 90), outline=(255, 255, 255), width=2)
    return image


EDGES = Picture.of(_edges()).to_base64()


def added(back: Back, *, control: float, lora: float, shown: float = 0) -> dict[str, dict[str, list[float]]]:
    """What the recorder measures in a run of one step, with these weights."""
    unit = {"enabled": control > 0, "module": "none", "model": "mini-edges", "weight": control, "image": EDGES}
    picture = {"enabled": shown > 0, "model": "mini-ip-adapter", "weight": shown, "image": EDGES}
    request = GenerationRequest(
        prompt=f"a red circle <lora:mini-heart:{lora}>", checkpoint="mini", sampler="Euler", steps=1, cfg_scale=5.0,
        seed=1, width=128, height=128, extensions={
            "run_recorder": {"enabled": True}, "controlnet": {"units": [unit]}, "ip_adapter": {"units": [picture]},
        },
    )  # fmt: skip
    kept = Keeping()
    assert not back.run(request, kept).notices
    found: dict[str, dict[str, list[float]]] = json.loads(kept.parts["adds"])
    return found


def test_half_the_weight_adds_half_as_much(back: Back) -> None:
    whole, half, alone = (
        added(back, control=1, lora=1),
        added(back, control=0.5, lora=1),
        added(back, control=0, lora=0.5),
    )
    assert {name.partition(".")[0] for name in whole["skips"]} == {"conv_in", "down_blocks", "mid_block"}
    for name, shares in whole["skips"].items():
        assert half["skips"][name][0] == pytest.approx(shares[0] / 2, rel=1e-2)
    assert whole["weights"] == half["weights"] != {}
    for name, share in whole["weights"].items():
        assert alone["weights"][name] == pytest.approx(share / 2, rel=1e-2)  # type: ignore[operator]
    assert alone["skips"] == {}
    assert whole["levels"] == whole["attention"] == {}


def test_a_picture_as_a_prompt_changes_cross_attention_by_its_weight(back: Back) -> None:
    whole, half = (added(back, control=0, lora=0, shown=weight) for weight in (1, 0.5))
    assert whole["skips"] == whole["levels"] == whole["weights"] == {}
    assert len(whole["attention"]) == 7, "all transformers"
    first = "down_blocks.1.attentions.0"  # before it nothing has changed
    assert half["attention"][first][0] == pytest.approx(whole["attention"][first][0] / 2, rel=1e-2)
