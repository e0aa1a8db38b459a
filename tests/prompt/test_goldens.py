"""Conditioning against A1111's own, from tiny models with random weights."""

import re
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from torch import Tensor

from tests.narrowing import known
from tests.reference import Case, cases, over_cases
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

FAMILIES = {"xl-refiner": members.SDXL_REFINER, "xl": members.SDXL, "sd2": members.SD2}
pytestmark = pytest.mark.usefixtures("pickles_here")
TENSOR = re.compile(
    r"(?P<side>c|uc)_b(?P<image>\d+)(?:_and(?P<part>\d+)_w(?P<weight>[-.\d]+))?_s(?P<span>\d+)_until(?P<until>\d+)"
)


# Networks change the text encoder in those of "net_"; other rooms test them.
def has_conditionings(case: Case) -> bool:
    return not case.name.startswith("net_") and any(map(TENSOR.match, case.arrays()))


Encoders = Callable[[str], PromptEncoder]


class Reader:
    """The text encoders of a checkpoint."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            self.tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys() if "cond" in name}  # noqa: SIM118

    def names(self) -> Iterable[str]:
        return self.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        return self.tensors[name].to(dtype, copy=True)


@pytest.fixture(scope="module")
def encoder_for(reference_models_dir: Path) -> Encoders:
    """The encoders of a checkpoint, made once."""
    tokenizer = ClipTokenizer()
    return cache(lambda model: encoder_of(reference_models_dir, model, tokenizer))


@cache
def safe(path: Path) -> Path:
    """The file, or its conversion, which a process of its own makes: once for all cases."""
    return converted(path, Path(tempfile.mkdtemp())) if needs_conversion(path) else path


def encoder_of(models: Path, model: str, tokenizer: ClipTokenizer) -> PromptEncoder:
    [file] = [path for path in (models / "Stable-diffusion").glob(f"{model}.*") if path.suffix != ".yaml"]
    family = next((family for key, family in FAMILIES.items() if key in model), members.SD1)
    sidecar = yaml.safe_load(file.with_suffix(".yaml").read_text())
    stack = build_towers(Reader(file), family, sidecar, torch.device("cpu"), torch.float32)
    files = sorted((models / "embeddings").iterdir())
    return PromptEncoder(stack, tokenizer, [read_embedding(safe(path), path.stem) for path in files])


def spans_of(case: Case, encoder_for: Encoders) -> dict[tuple[str, str], dict[int, Span]]:
    payload = case.payload
    settings = payload["override_settings"]
    prompt, _ = extra_networks(strip_comments(payload["prompt"]))
    calls = payload["steps"] * (2 if known(find_sampler(payload["sampler_name"])).second_order else 1)
    conditioning = encoder_for(settings["sd_model_checkpoint"]).encode(
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


def test_every_family_has_reference_conditionings() -> None:
    models = {case.checkpoint for case in cases(".extra.npz", where=has_conditionings)}
    assert models >= {"tiny-sd1", "tiny-sd2-v", "tiny-xl", "tiny-xl-refiner"}


@over_cases(".extra.npz", where=has_conditionings)
def test_conditioning_is_that_of_a1111(case: Case, encoder_for: Encoders) -> None:
    spans = spans_of(case, encoder_for)
    recorded = case.arrays()
    compared = 0
    for key, array in recorded.items():
        match = TENSOR.match(key)
        if match is None:
            continue
        part = "None" if match["part"] is None else f"{match['part']} {float(match['weight'])}"
        span = spans[match["side"], part][int(match["span"])]
        mine = span.vector if key.endswith("_vector") else span.context
        assert span.until == int(match["until"])
        assert mine is not None
        wanted = torch.from_numpy(array).reshape(mine.shape)
        assert (mine - wanted).abs().max() < 1e-4, key
        compared += 1
    assert compared
