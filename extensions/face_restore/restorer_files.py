"""Chooses the files of restorers and of the detector from the models folder, by their names alone."""

from types import MappingProxyType

from webui.extension_api import Models

DETECTOR = "face_detection_yunet_2023mar.onnx"
DETECTOR_PLACE = "models/detectors"
FOLDERS = MappingProxyType({"CodeFormer": "models/Codeformer", "GFPGAN": "models/GFPGAN"})
_KINDS = MappingProxyType({"CodeFormer": "codeformer", "GFPGAN": "gfpgan"})
_HELPERS = ("detection_", "parsing_", "face_detection_", "alignment_")  # other models that A1111 keeps here


def detector_name(models: Models) -> str | None:
    """The YuNet file to use, the newest one."""
    found = [name for name in models.names("detector") if "yunet" in name.lower() and name.lower().endswith(".onnx")]
    return max(found, key=_bare, default=None)


def restorer_name(models: Models, family: str) -> str | None:
    """The file of a family (`CodeFormer`, `GFPGAN`): the newest of those named after it; else any other."""
    found = [name for name in models.names(_KINDS[family]) if not _bare(name).startswith(_HELPERS)]
    named = [name for name in found if family.lower() in _bare(name)]
    return max(named or found, key=_bare, default=None)


def kind(family: str) -> str:
    """The kind of model, as `Models` names it."""
    return _KINDS[family]


def usable_restorers(models: Models) -> list[dict[str, str]]:
    """A1111's list of face restorers: those whose file exists, if the detector's exists too."""
    if detector_name(models) is None:
        return []
    files = {family: restorer_name(models, family) for family in FOLDERS}
    return [
        {"name": family, "cmd_dir": str(models.find(kind(family), name).parent)}
        for family, name in files.items()
        if name is not None
    ]


def _bare(name: str) -> str:
    return name.rpartition("/")[2].lower()
