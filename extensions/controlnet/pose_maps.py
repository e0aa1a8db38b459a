"""Maps of poses: people as OpenPose draws them, and the JSON from which the same map can be drawn again."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from webui.extension_api import Models, pose_picture

from .annotator_files import files_of
from .maps import Map, resized_for
from .preprocessors import Settings
from .whole_body import Parts, PoseReader

POSES: Mapping[str, Parts] = MappingProxyType(
    {
        "dw_openpose_full": Parts(),
        "openpose": Parts(hands=False, face=False),
        "openpose_face": Parts(hands=False),
        "openpose_faceonly": Parts(body=False, hands=False),
        "openpose_hand": Parts(face=False),
        "openpose_full": Parts(),
    }
)


class PoseMap:
    """The preprocessor of a module in `POSES`."""

    def __init__(self, module: str, models: Models) -> None:
        """Raises UnusableFileError where one of its files is missing; says which, and its folder."""
        self._detector, self._network = files_of(module, models)
        self._parts = POSES[module]
        self._reader: PoseReader | None = None

    def __call__(self, picture: Map, settings: Settings) -> Map:
        return drawn_pose(self.pose(picture, settings))

    def pose(self, picture: Map, settings: Settings) -> dict[str, Any]:
        """The people in OpenPose's JSON, in pixels of a canvas whose short side is the resolution."""
        padded, (height, width) = resized_for(picture, settings.resolution)
        if self._reader is None:
            self._reader = PoseReader(self._detector, self._network)
        people = self._reader(padded, self._parts)
        return {"people": people, "animals": [], "canvas_height": height, "canvas_width": width}


def drawn_pose(pose: Mapping[str, Any]) -> Map:
    """The map of a pose in JSON."""
    image = pose_picture(pose["people"], pose["canvas_width"], pose["canvas_height"])
    return np.array(image, np.uint8)
