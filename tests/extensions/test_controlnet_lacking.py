"""What a half filled ControlNet form lacks: said at the field, before a picture is made."""

import re
import struct
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import save_file

from extensions.controlnet.actions import ControlTypesOptions, control_types
from extensions.controlnet.lacking import LackingOptions, lacking, text_width
from extensions.controlnet.modules import CONTROL_TYPES, MODULES, Module, find_module
from extensions.controlnet.replacements import REPLACEMENTS
from extensions.controlnet.units import usable_module
from tests.narrowing import untyped
from webui.domain.errors import BadRequestError
from webui.extension_api import ActionContext
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES

MINIATURE = Path(__file__).parents[2] / "models" / "Stable-diffusion" / "mini.safetensors"
MINI = "mini.safetensors"


@pytest.fixture
def models(tmp_path: Path) -> LibraryModels:
    folder = tmp_path / "models"
    (folder / "Stable-diffusion").mkdir(parents=True)
    (folder / "Stable-diffusion" / MINI).symlink_to(MINIATURE)
    library = ModelLibrary(folder, tmp_path / "cache", FAMILIES)
    return LibraryModels(library)


def control(models: LibraryModels, name: str, width: int) -> None:
    folder = untyped(models)._library.models_dir / "ControlNet"
    folder.mkdir(exist_ok=True)
    tensors = {"input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": torch.zeros(4, width)}
    save_file(tensors, folder / f"{name}.safetensors")
    models.refresh()


def context(models: LibraryModels) -> ActionContext:
    return cast("ActionContext", untyped(ActionContext)(models, lambda *_: None, lambda: False, None, None))


def told(models: LibraryModels, *units: dict[str, Any], checkpoint: str = MINI) -> list[dict[str, Any]]:
    options = LackingOptions(options={"units": list(units)}, checkpoint=checkpoint)
    return cast("list[dict[str, Any]]", lacking(options, context(models)).data)


def width_of(models: LibraryModels) -> int:
    return models.spec(MINI).unet.context_width


def test_a_type_without_a_model_says_which_file_belongs_where(models: LibraryModels) -> None:
    [one] = told(models, {"module": "canny", "~choice": "Canny"})
    assert one["field"] == "units.0.model"
    assert one["title"] == "No Canny control for SD1 here."
    assert "“canny”" in one["say"]
    assert one["folder"] == "models/ControlNet"


def test_files_for_other_checkpoints_are_named(models: LibraryModels) -> None:
    control(models, "xl_canny", 2048)
    [one] = told(models, {"module": "canny", "~choice": "Canny"})
    assert "xl_canny" in one["instead"]
    [other] = told(models, {"module": "canny", "model": "xl_canny"})
    assert other["title"] == "xl_canny is not made for SD1."


def test_a_model_that_fits_lacks_nothing(models: LibraryModels) -> None:
    control(models, "my_canny", width_of(models))
    assert told(models, {"module": "canny", "model": "my_canny"}) == []
    [one] = told(models, {"module": "canny", "~choice": "Canny"})
    assert (one["title"], "my_canny" in one["say"]) == ("No model is chosen.", True)


def test_a_preprocessor_without_its_network_names_the_files(models: LibraryModels) -> None:
    control(models, "my_depth", width_of(models))
    [one] = told(models, {"module": "depth_anything_v2", "model": "my_depth"})
    assert one["field"] == "units.0.module"
    assert one["title"] == "depth_anything_v2 lacks its network."
    assert one["folder"] == "models/ControlNetPreprocessor/depth_anything_v2"
    assert "model.safetensors" in one["say"]
    [file] = told(models, {"module": "softedge_hed", "model": "my_depth"})
    assert (file["title"], file["say"]) == ("softedge_hed lacks its network.", "Put ControlNetHED.pth in")
    assert file["folder"] == "models/ControlNetPreprocessor/hed"
    [other] = told(models, {"module": "depth_leres", "model": "my_depth"})
    assert other["title"] == "depth_leres is not built in."
    assert "depth_anything or depth_midas" in other["instead"]


REFUSED = [module for module in MODULES.values() if not module.can_be_drawn]


@pytest.mark.parametrize("module", REFUSED, ids=lambda module: module.name)
def test_what_is_not_built_in_says_why_and_what_to_take(module: Module) -> None:
    instead = REPLACEMENTS[module.name]
    with pytest.raises(BadRequestError, match=re.escape(f"{module.name} is not built in. {instead.why} ")) as refused:
        usable_module(module.name, "module")
    for name in instead.names:
        assert name in str(refused.value)
        other = find_module(name)
        assert other is not None
        assert other.can_be_drawn
        assert other.name == name


def test_no_control_type_begins_with_what_is_not_built_in() -> None:
    assert {kind for kind, (name, _) in CONTROL_TYPES.items() if not MODULES[name].can_be_drawn} == set()
    assert {*REPLACEMENTS} == {module.name for module in REFUSED}


def test_what_acts_alone_or_is_switched_off_lacks_no_model(models: LibraryModels) -> None:
    assert told(models, {"module": "reference_only"}, {"module": "canny", "enabled": False}) == []


def test_a_half_filled_form_is_no_error(models: LibraryModels) -> None:
    assert told(models, {"module": "none", "model": "None"}) == []  # nothing was chosen yet
    assert told(models, {"module": "gone", "model": None}, checkpoint="")[0]["field"] == "units.0.model"
    assert lacking(LackingOptions(options={"units": "no"}), context(models)).data == []


def test_a_type_chooses_the_first_model_that_fits_the_checkpoint(models: LibraryModels) -> None:
    control(models, "a_canny_xl", 2048)
    control(models, "b_canny", width_of(models))

    def chosen(checkpoint: str) -> str:
        data: Any = control_types(ControlTypesOptions(checkpoint=checkpoint), context(models)).data
        return str(data["control_types"]["Canny"]["default_model"]).split()[0]

    assert (chosen(""), chosen(MINI)) == ("a_canny_xl", "b_canny")


@pytest.mark.parametrize("data", [b"", b"short", struct.pack("<Q", 1 << 40), struct.pack("<Q", 4) + b"[1,]"])
def test_files_that_are_none_tell_no_width(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    assert text_width(path) is None
    assert text_width(tmp_path / "pickle.pth") is None


def test_pictures_as_prompts_need_something_that_sees_them(models: LibraryModels) -> None:
    said = {
        module: [(one["field"], one["folder"]) for one in told(models, {"module": module}) if "module" in one["field"]]
        for module in ("ip-adapter-auto", "ip-adapter_face_id", "canny")
    }
    assert said == {
        "ip-adapter-auto": [("units.0.module", "models/clip_vision")],
        "ip-adapter_face_id": [("units.0.module", "models/insightface")],
        "canny": [],
    }
    seen = untyped(models)._library.models_dir / "clip_vision"
    seen.mkdir()
    save_file({"a": torch.zeros(1)}, seen / "clip_h.safetensors")
    models.refresh()
    assert not [one for one in told(models, {"module": "ip-adapter-auto"}) if "module" in one["field"]]
