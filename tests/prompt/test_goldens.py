"""Conditioning against A1111's own, from tiny models with random weights. Needs the folder of goldens."""

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from torch import Tensor

from webui.domain.catalog import find_sampler
from webui.domain.request import SDXL, PromptRules
from webui.library.pickles import needs_conversion
from webui.prompt.conditioning import Span
from webui.prompt.embeddings import read_embedding
from webui.prompt.encode import PromptEncoder
from webui.prompt.syntax import extra_networks, strip_comments
from webui.prompt.tokenize import ClipTokenizer
from webui.weights.convert import converted
from webui.weights.families.stable_diffusion import members
from webui.weights.families.stable_diffusion.towers import build_towers

GOLDENS = Path(__file__).parents[2].parent / "shared" / "goldens"
FAMILIES = {"xl-refiner": members.SDXL_REFINER, "xl": members.SDXL, "sd2": members.SD2}
TENSOR = re.compile(
    r"(?P<side>c|uc)_b(?P<image>\d+)(?:_and(?P<part>\d+)_w(?P<weight>[-.\d]+))?_s(?P<span>\d+)_until(?P<until>\d+)"
)

# Networks change the text encoder there; other rooms test those.
CASES = sorted(
    path.name.removesuffix(".extra.npz")
    for path in GOLDENS.glob("cases/*.extra.npz")
    if not path.name.startswith("net_") and any(TENSOR.match(name) for name in np.load(path).files)
)


class Reader:
    def __init__(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            self.tensors = {name: file.get_tensor(name) for name in file.keys() if "cond" in name}  # noqa: SIM118

    def names(self) -> Iterable[str]:
        return self.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        return self.tensors[name].to(dtype, copy=True)


@pytest.fixture(scope="module")
def tokenizer() -> ClipTokenizer:
    return ClipTokenizer()


def encoder_of(model: str, tokenizer: ClipTokenizer) -> PromptEncoder:
    file = GOLDENS / "models" / "Stable-diffusion" / f"{model}.safetensors"
    family = next((family for key, family in FAMILIES.items() if key in model), members.SD1)
    sidecar = yaml.safe_load(file.with_suffix(".yaml").read_text())
    stack = build_towers(Reader(file), family, sidecar, torch.device("cpu"), torch.float32)
    files = sorted((GOLDENS / "models" / "embeddings").iterdir())
    cache = Path(tempfile.mkdtemp())

    def safe(path: Path) -> Path:
        return converted(path, cache) if needs_conversion(path) else path

    return PromptEncoder(stack, tokenizer, [read_embedding(safe(path), path.stem) for path in files])


def spans_of(case: dict[str, Any], tokenizer: ClipTokenizer) -> dict[tuple[str, str], dict[int, Span]]:
    payload = case["payload"]
    settings = payload["override_settings"]
    prompt, _ = extra_networks(strip_comments(payload["prompt"]))
    calls = payload["steps"] * (2 if find_sampler(payload["sampler_name"]).second_order else 1)
    conditioning = encoder_of(settings["sd_model_checkpoint"], tokenizer).encode(
        [prompt],
        [strip_comments(payload["negative_prompt"])],
        calls=calls,
        rules=PromptRules(
            emphasis=settings.get("emphasis", "Original"),
            old_scheduling=settings.get("use_old_scheduling", False),
            comma_padding_backtrack=settings.get("comma_padding_backtrack", 20),
        ),
        clip_skip=settings.get("CLIP_stop_at_last_layers", 1),
        size=(payload["width"], payload["height"]),
        sdxl=SDXL(
            crop_top=settings.get("sdxl_crop_top", 0),
            crop_left=settings.get("sdxl_crop_left", 0),
            aesthetic_score=settings.get("sdxl_refiner_high_aesthetic_score", 6.0),
            negative_aesthetic_score=settings.get("sdxl_refiner_low_aesthetic_score", 2.5),
            clip_l_skip=settings.get("sdxl_clip_l_skip", False),
        ),
    )
    found = {("uc", "None"): dict(enumerate(conditioning.negative[0]))}
    for index, part in enumerate(conditioning.positive[0]):
        found["c", f"{index} {part.weight}"] = dict(enumerate(part.spans))
    return found


@pytest.mark.skipif(not GOLDENS.is_dir(), reason="the goldens are not on this machine")
@pytest.mark.parametrize("name", CASES)
def test_conditioning_is_that_of_a1111(name: str, tokenizer: ClipTokenizer) -> None:
    case = json.loads((GOLDENS / "cases" / f"{name}.json").read_text())
    spans = spans_of(case, tokenizer)
    golden = np.load(GOLDENS / "cases" / f"{name}.extra.npz")
    compared = 0
    for key in golden.files:
        match = TENSOR.match(key)
        if match is None:
            continue
        part = "None" if match["part"] is None else f"{match['part']} {float(match['weight'])}"
        span = spans[match["side"], part][int(match["span"])]
        mine = span.vector if key.endswith("_vector") else span.context
        assert span.until == int(match["until"])
        assert mine is not None
        wanted = torch.from_numpy(golden[key]).reshape(mine.shape)
        assert (mine - wanted).abs().max() < 1e-4, key
        compared += 1
    assert compared
