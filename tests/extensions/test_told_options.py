"""What bundled extensions did stands in a picture's text, and the text gives the same options back."""

from collections.abc import Mapping
from typing import Any

import pytest

from extensions.checkpoint_merge.plugin import dialect as dialect_of_merges
from extensions.checkpoint_merge.recipe import MERGE
from extensions.controlnet.options import ControlOptions
from extensions.controlnet.plugin import dialect as dialect_of_units
from extensions.guidance.guidance_words import fields_of
from extensions.guidance.options import GuidanceOptions
from extensions.guidance.plugin import dialect as dialect_of_guidance
from extensions.step_film.plugin import Filming, FilmOptions
from extensions.step_film.plugin import dialect as dialect_of_films
from webui.domain.dialect import Dialect
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import ModelFacts
from webui.output.infotext import InfoFacts, write
from webui.output.parse import Reading, parse, read_fields


def read_back(fields: Mapping[str, str], name: str, dialect: Dialect) -> Reading:
    facts = InfoFacts(model=ModelFacts("mini", "0123456789"), extra=fields)
    text = write(GenerationRequest(prompt="a", seed=1), facts)
    return read_fields(parse(text), [ExtensionInfo(name, name, dialect=dialect)])


@pytest.mark.parametrize(
    "asked",
    [
        {"rescale": 0.7}, {"start": 0.25}, {"end": 0.5}, {"threshold": True},
        {"threshold": True, "percentile": 0.9, "mimic_scale": 5.0, "rescale": 0.1, "start": 0.1, "end": 0.9},
        {"freeu": {"enabled": True, "start": 2, "stages": [{}, {"skip_cutoff": 0.5}]}},
        {"apg": {"enabled": True, "eta": 0.5}},
        {"pag": {"enabled": True, "end": 0.4}, "sag": {"enabled": True, "threshold": 0.9}},
        {"deep_shrink": {"enabled": True, "after_skip": False, "upscaling": "area"}},
        {"hypertile": {"second_pass": True, "vae": True, "of_vae": {"max_depth": 2}, "of_unet": {"swap_size": 2}}},
    ],
)  # fmt: skip
def test_guidance(asked: dict[str, Any]) -> None:
    options = GuidanceOptions.model_validate(asked)
    reading = read_back(fields_of(options), "guidance", dialect_of_guidance())
    assert GuidanceOptions.model_validate(reading.request.extensions["guidance"]) == options
    assert reading.notices == ()


@pytest.mark.parametrize("asked", [{}, {"side": 64}, {"columns": 7, "side": 32}])
def test_films(asked: dict[str, Any]) -> None:
    options = FilmOptions.model_validate(asked)
    film = Filming(options, None)  # type: ignore[arg-type]
    reading = read_back(film.image_fields(), "step_film", dialect_of_films())
    assert FilmOptions.model_validate(reading.request.extensions["step_film"]) == options
    assert reading.notices == ()


def test_a_merge_is_not_called_by_the_name_of_one_of_its_models() -> None:
    recipe = '{"a": "mini.safetensors", "b": "x", "alpha": 0.5, "method": "weighted_sum", "loras": "l:0.5"}'
    fields = {"Model": "0.5(mini) + 0.5(x) + l", "Model hash": "", MERGE: recipe, "Merge hashes": '{"x": "0123456789"}'}
    text = write(GenerationRequest(prompt="a", seed=1), InfoFacts(model=ModelFacts("mini", "0123456789"), extra=fields))
    assert "Model: 0.5(mini) + 0.5(x) + l" in text
    assert "Model hash" not in text
    reading = read_back(fields, "checkpoint_merge", dialect_of_merges())
    assert reading.request.extensions["checkpoint_merge"]["b"] == "x"
    assert reading.request.checkpoint == ""  # the recipe names A
    assert reading.notices == ()
    without = read_fields(parse(text))
    assert any(MERGE in notice.text for notice in without.notices)


A1111 = (
    "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 0.8, Resize Mode: Resize and Fill, "
    "Processor Res: 384, Threshold A: 90.0, Threshold B: 180, Guidance Start: 0.1, Guidance End: 0.7, "
    "Pixel Perfect: True, Control Mode: ControlNet is more important"
)
OLD = (
    "preprocessor: canny, model: control_v11p_sd15_canny [d14c016b], weight: 0.8, starting/ending: (0.1, 0.7), "
    "resize mode: Resize and Fill, pixel perfect: True, control mode: ControlNet is more important, "
    "preprocessor params: (384, 90, 180)"
)


@pytest.mark.parametrize("text", [A1111, OLD])
def test_units_of_controlnet(text: str) -> None:
    reading = read_back(
        {"ControlNet 0": text, "ControlNet 1": "Module: none, Model: None"}, "controlnet", dialect_of_units()
    )
    options = ControlOptions.model_validate(reading.request.extensions["controlnet"])
    unit, other = options.enabled
    assert (unit.module, unit.model, unit.weight) == ("canny", "control_v11p_sd15_canny [d14c016b]", 0.8)
    assert (unit.resize_mode, unit.control_mode) == ("Resize and Fill", "ControlNet is more important")
    assert (unit.processor_res, unit.threshold_a, unit.threshold_b) == (384, 90, 180)
    assert (unit.guidance_start, unit.guidance_end, unit.pixel_perfect) == (0.1, 0.7, True)
    assert other.model == "None"
    assert all("choose one" in notice.text for notice in reading.notices)
    assert len(reading.notices) == 2
