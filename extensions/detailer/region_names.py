"""Names of detectors, and what their files find by their names. It needs no torch."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.extension_api import Models

SHAPES = "drawn_shapes"
FACES = ("mediapipe_face_full", "mediapipe_face_short")  # ADetailer's names, which mean YuNet here
MESHES = ("mediapipe_face_mesh", "mediapipe_face_mesh_eyes_only")
YUNET = "yunet_face"
BUILT_IN = (YUNET, SHAPES, *FACES)
FOLDER = "models/adetailer"
YUNET_FILE, YUNET_FOLDER = "face_detection_yunet_2023mar.onnx", "models/detectors"
KIND = "detector"
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Faces": ("face",),
        "Hands": ("hand",),
        "Persons": ("person",),
        "Drawn shapes": ("shape",),
        "All": ("",),
    }
)
_USUAL: Mapping[str, str] = MappingProxyType(
    {"Faces": "face_yolov8n.pt", "Hands": "hand_yolov8n.pt", "Persons": "person_yolov8n-seg.pt"}
)


def file_names(models: Models) -> tuple[str, ...]:
    """The detector files that may be chosen: all but YuNet's, which `yunet_face` means, and helpers of restorers."""
    return tuple(name for name in models.names(KIND) if is_chosen_by_name(name))


def is_chosen_by_name(name: str) -> bool:
    """Whether a detector file is one of regions, by its name."""
    bare = name.rpartition("/")[2].lower()
    return "yunet" not in bare and not bare.startswith(("detection_", "parsing_", "face_detection_", "gfpgan"))


def names(models: Models) -> tuple[str, ...]:
    """Everything that `model` may say, files first."""
    return (*file_names(models), *BUILT_IN)


def of_kind(kind: str, models: Models) -> list[str]:
    """The names that find this kind, by their words."""
    return [name for name in names(models) if any(word in name.lower() for word in KINDS[kind])]


def usual_file(name: str) -> str:
    """A file that users have for what a name of a detector, or a kind, speaks of."""
    words = [kind for kind, found in KINDS.items() if kind in _USUAL and any(word in name.lower() for word in found)]
    return _USUAL[words[0]] if words else _USUAL["Faces"]
