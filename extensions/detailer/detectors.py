"""The detector that a pass names: built in, or a file of the user's. What cannot be had is a sentence about a file."""

from typing import Protocol

import torch
from PIL import Image

from webui.extension_api import NO_TOOLS, BadRequestError, Models, Tools, UnknownModelError

from .region_names import (
    BUILT_IN,
    FACES,
    FOLDER,
    KIND,
    MESHES,
    SHAPES,
    YUNET,
    YUNET_FILE,
    YUNET_FOLDER,
    file_names,
    is_chosen_by_name,
    usual_file,
)
from .regions import Region


class Detector(Protocol):
    """Finds regions in a picture; those that it is less sure of than `confidence` (0..1) are left out."""

    def __call__(self, picture: Image.Image, confidence: float) -> list[Region]: ...


class BroughtDetector:
    """A detector of another extension."""

    def __init__(self, name: str, tools: Tools) -> None:
        self._name = name
        self._tools = tools

    def __call__(self, picture: Image.Image, confidence: float) -> list[Region]:
        found = self._tools.found(self._name, picture)
        return [
            Region(
                one.box, one.confidence, one.label or self._name, None if one.mask is None else one.mask.convert("L")
            )
            for one in found
            if one.confidence >= confidence
        ]


def find_detector(
    name: str, models: Models, device: torch.device, place: str = "model", tools: Tools = NO_TOOLS
) -> Detector:
    """The detector of that name.

    Args:
        place: what the error names.
        tools: of other extensions; among them may be detectors.

    Raises:
        BadRequestError: there is none; says which file belongs into which folder.
        UnusableFileError: its file cannot be used.
    """
    if name == SHAPES:
        from .drawn_shapes import DrawnShapes

        return DrawnShapes()
    if name in MESHES:
        raise BadRequestError(
            place, f"{name} needs MediaPipe's face mesh, which is not built in; take {YUNET} or a file of {FOLDER}"
        )
    if name == YUNET or name in FACES:
        from .yunet_regions import YuNetFaces

        found = yunet_file(models)
        if found is None:
            raise BadRequestError(place, f"{name} needs the file {YUNET_FILE} in {YUNET_FOLDER}")
        return YuNetFaces(models.find(KIND, found))
    from .detector_files import from_file

    try:
        path = models.find(KIND, name)
    except UnknownModelError:
        path = None
    if path is None and name in tools.names("detector"):
        return BroughtDetector(name, tools)
    if path is None or not is_chosen_by_name(path.name):
        there = ", ".join((*file_names(models), *BUILT_IN, *tools.names("detector")))
        raise BadRequestError(
            place,
            f"there is no detector {name[:100]!r}; put a YOLOv8 file such as {usual_file(name)} into {FOLDER}, "
            f"or take one of: {there}",
        )
    return from_file(models, path, device)


def yunet_file(models: Models) -> str | None:
    """The newest YuNet file; None where there is none."""
    found = [name for name in models.names(KIND) if "yunet" in name.lower() and name.lower().endswith(".onnx")]
    return max(found, key=lambda name: name.rpartition("/")[2].lower(), default=None)
