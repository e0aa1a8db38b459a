"""The files from which preprocessors draw: their names as people have them, and the folders in which they usually lie.

sd-webui-controlnet keeps them in `annotator/downloads/<folder>`, Forge flat in `models/ControlNetPreprocessor`. Both
are found, because a file is known by its own name. This module needs neither torch nor numpy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from webui.extension_api import Models, UnusableFileError

KIND = "preprocessor"
PLACE = "models/ControlNetPreprocessor"
_PICKLES = (".pth", ".pt", ".bin", ".ckpt")


@dataclass(frozen=True, slots=True)
class AnnotatorFile:
    """A file of weights: the folder in which it usually lies, and its name."""

    folder: str
    name: str

    @property
    def place(self) -> str:
        """Where it belongs, for people."""
        return f"{PLACE}/{self.folder}/{self.name}"


_DWPOSE = (AnnotatorFile("openpose", "yolox_l.onnx"), AnnotatorFile("openpose", "dw-ll_ucoco_384.onnx"))
_HED = (AnnotatorFile("hed", "ControlNetHED.pth"),)
ANNOTATOR_FILES: Mapping[str, tuple[AnnotatorFile, ...]] = MappingProxyType(
    {
        "softedge_hed": _HED,
        "softedge_hedsafe": _HED,
        "scribble_hed": _HED,
        "lineart_realistic": (AnnotatorFile("lineart", "sk_model.pth"),),
        "lineart_coarse": (AnnotatorFile("lineart", "sk_model2.pth"),),
        "lineart_anime": (AnnotatorFile("lineart_anime", "netG.pth"),),
        "lineart_anime_denoise": (AnnotatorFile("manga_line", "erika.pth"),),
        "softedge_teed": (AnnotatorFile("TEED", "7_model.pth"),),
        "softedge_anyline": (AnnotatorFile("TEED", "MTEED.pth"),),
        "mlsd": (AnnotatorFile("mlsd", "mlsd_large_512_fp32.pth"),),
        "normal_bae": (AnnotatorFile("normal_bae", "scannet.pt"),),
        "seg_anime_face": (AnnotatorFile("anime_face_segment", "UNet.pth"),),
        "dw_openpose_full": _DWPOSE,
        "openpose": _DWPOSE,  # like the following ones; the networks of CMU's OpenPose are not free to port
        "openpose_face": _DWPOSE,
        "openpose_faceonly": _DWPOSE,
        "openpose_hand": _DWPOSE,
        "openpose_full": _DWPOSE,
    }
)


def files_of(module: str, models: Models) -> tuple[Path, ...]:
    """The files of a preprocessor, in the order of `ANNOTATOR_FILES`.

    Raises:
        UnusableFileError: one is missing; says its name and its folder.
    """
    return tuple(_found(one, module, models) for one in ANNOTATOR_FILES[module])


def missing_files(module: str, models: Models) -> tuple[AnnotatorFile, ...]:
    """Those of its files that are not there."""
    return tuple(one for one in ANNOTATOR_FILES[module] if _name_of(one, models) is None)


def told_files(module: str) -> str:
    """Its files with their places, for people."""
    return " and ".join(one.place for one in ANNOTATOR_FILES[module])


def _found(wanted: AnnotatorFile, module: str, models: Models) -> Path:
    name = _name_of(wanted, models)
    if name is None:
        raise UnusableFileError(f"{module} needs {wanted.name}; put it in {PLACE}/{wanted.folder}")
    return models.find(KIND, name)


def _name_of(wanted: AnnotatorFile, models: Models) -> str | None:
    """The name of the file in its kind: the one in its usual folder, else any of that name. One that was converted to
    safetensors counts too.
    """
    known = _alike(wanted.name)
    there = [name for name in models.names(KIND) if name.rpartition("/")[2].lower() in known]
    usual = [name for name in there if name.rpartition("/")[0].rpartition("/")[2].lower() == wanted.folder.lower()]
    return next(iter((*usual, *there)), None)


def _alike(name: str) -> tuple[str, ...]:
    lower = name.lower()
    stem, dot, ending = lower.rpartition(".")
    return (lower, f"{stem}.safetensors") if f"{dot}{ending}" in _PICKLES else (lower,)
