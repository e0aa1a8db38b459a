"""Where the text encoder of an SD2 checkpoint may lie: LDM's place and sgm's hold the same one."""

import torch
from torch import Tensor

from tests.library.small import small_open_clip
from tests.weights.sources import Memory
from webui.weights.families.stable_diffusion.members import SD2
from webui.weights.families.stable_diffusion.towers import build_towers

CPU = torch.device("cpu")
LDM, SGM = "cond_stage_model.model.", "conditioner.embedders.0.model."


def answer(prefix: str, sidecar: dict[str, object]) -> Tensor:
    source = Memory({prefix + name: tensor for name, tensor in small_open_clip(seed=3).items()})
    (tower,) = build_towers(source, SD2, sidecar, CPU, torch.float32).encoders
    tokens = torch.zeros(1, 77, dtype=torch.int64)
    tokens[0, :3] = torch.tensor([98, 5, 99])
    return tower.encode(tokens, [[]], clip_skip=0).hidden


def test_sgms_place_holds_the_same_encoder() -> None:
    assert torch.equal(answer(SGM, {}), answer(LDM, {}))


def test_the_yaml_of_either_form_names_the_layer() -> None:
    in_ldm = {"cond_stage_config": {"params": {"layer": "last"}}}
    in_sgm = {"conditioner_config": {"params": {"emb_models": [{"params": {"layer": "last"}}]}}}
    last = answer(LDM, {"model": {"params": in_ldm}})
    assert torch.equal(answer(SGM, {"model": {"params": in_sgm}}), last)
    assert not torch.equal(last, answer(LDM, {}))
