"""The model folders of an existing A1111, Forge or ComfyUI, used where they lie. Nothing is written into them.

Which program a folder belongs to is seen by the names in it, so that one flag serves for all three.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from webui.domain.model_folders import ModelFolder, at_home
from webui.domain.settings import Settings
from webui.library.extra_paths import KEYS, read_extra_paths
from webui.library.files import FOLDERS, Kind

log = logging.getLogger(__name__)

EXTRA_PATHS_FILE = "extra_model_paths.yaml"
# beside those that are named as here: where A1111 and its extensions keep more of a kind, from the program's folder
_A1111_FOLDERS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "embedding": ("embeddings",),
        "upscaler": ("models/BSRGAN",),
        "controlnet": ("extensions/sd-webui-controlnet/models",),
        "clip_vision": ("extensions/sd-webui-controlnet/annotator/downloads/clip_vision",),
        "insightface": ("extensions/sd-webui-controlnet/annotator/downloads/insightface",),
        "preprocessor": ("extensions/sd-webui-controlnet/annotator/downloads",),
    }
)
_COMFYUI_PREPROCESSORS = "custom_nodes/comfyui_controlnet_aux/ckpts"
_A1111_MARK, _COMFYUI_MARK = "Stable-diffusion", "checkpoints"  # both have it from their first start on


@dataclass(frozen=True, slots=True)
class Sources:
    """Attributes:
    folders: every further folder that settings name, in the order in which they are read.
    remarks: sentences for the log: what was found, and what was not.
    """

    folders: tuple[ModelFolder, ...]
    remarks: tuple[str, ...]


def with_all_folders(settings: Settings) -> Settings:
    """The settings with every further model folder in `model_folders`; what was found, and what not, is in the log."""
    sources = sources_of(settings)
    for remark in sources.remarks:
        log.info("%s", remark)
    return settings.model_copy(update={"model_folders": sources.folders})


def sources_of(settings: Settings) -> Sources:
    """All further folders: single ones, whole model folders, those of other programs, and what yaml files name."""
    folders = list(settings.model_folders)
    remarks: list[str] = []
    for models in settings.further_models_dirs:
        folders += in_layout(at_home(models))
        if not at_home(models).is_dir():
            remarks.append(f"further_models_dirs: {models} is not there now")
    files = list(settings.extra_model_paths)
    for home in settings.use_models_of:
        program, found = folders_of_program(at_home(home))
        folders += found
        remarks.append(f"{home}: {program}; its models are read where they lie" if program else _unknown(home))
        own_list = at_home(home) / EXTRA_PATHS_FILE
        if program == "ComfyUI" and own_list.is_file():
            files.append(own_list)
    for file in files:
        extra = read_extra_paths(at_home(file))
        folders += extra.folders
        remarks += extra.remarks
    return Sources(tuple(dict.fromkeys(folders)), tuple(remarks))


def folders_of_program(home: Path) -> tuple[str, tuple[ModelFolder, ...]]:
    """Which program a folder is, and its model folders; ("", ()) for an unknown one. Its `models` may be given too."""
    for base, models in ((home, home / "models"), (home.absolute().parent, home)):
        if (models / _A1111_MARK).is_dir():
            beside = (
                ModelFolder(kind=kind, path=base / name) for kind, names in _A1111_FOLDERS.items() for name in names
            )
            return "A1111 or Forge", (*in_layout(models), *beside)
        if (models / _COMFYUI_MARK).is_dir():
            pairs = ((kind, key) for key, kinds in KEYS.items() for kind in kinds)
            maps = ModelFolder(kind="preprocessor", path=base / _COMFYUI_PREPROCESSORS)
            return "ComfyUI", (*(ModelFolder(kind=kind, path=models / key) for kind, key in pairs), maps)
    return "", ()


def in_layout(models: Path) -> Iterator[ModelFolder]:
    """The folders of a models folder that is arranged like ours (and A1111's)."""
    for kind, names in FOLDERS.items():
        for name in names:
            yield ModelFolder(kind=kind, path=models / name)


def _unknown(home: Path) -> str:
    return (
        f"use_models_of: {home} is not used; there is neither models/{_A1111_MARK} (A1111, Forge) "
        f"nor models/{_COMFYUI_MARK} (ComfyUI) in it"
    )
