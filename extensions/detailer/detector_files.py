"""Detectors from files: YOLOv8 as safetensors or `.pt`, which the program reads without running it, and `.onnx`."""

import ast
import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from webui.extension_api import Models, UnusableFileError, listed
from webui.extension_api.tensors import TensorFile, check_finite

from .onnx_facts import OnnxFacts, facts_of
from .regions import Region
from .yolo_network import YoloNetwork, missing
from .yolo_rows import letterbox, regions_of

MAX_CLASSES = 10_000


class YoloDetector:
    """A YOLOv8 network with the words of its classes."""

    def __init__(self, network: YoloNetwork, labels: tuple[str, ...]) -> None:
        self._network = network
        self.labels = labels

    def __call__(self, picture: Image.Image, confidence: float) -> list[Region]:
        seen = letterbox(picture)
        rows, maps = self._network(torch.from_numpy(seen.pixels)[None].to(self._network.device))
        drawn = None if maps is None else maps.float().cpu().numpy()
        return regions_of(rows.float().cpu().numpy(), drawn, seen, picture.size, self.labels, confidence)


class OnnxDetector:
    """A detector with YOLOv8's output, run by OpenCV."""

    def __init__(self, path: Path) -> None:
        """Raises UnusableFileError where OpenCV cannot read it."""
        self._path = path
        self._facts: OnnxFacts = facts_of(path)
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise UnusableFileError(f"{path.name}: OpenCV cannot read this network ({error.err})") from error
        self.labels = self._facts.labels

    def __call__(self, picture: Image.Image, confidence: float) -> list[Region]:
        """Raises UnusableFileError where the output is not that of a YOLOv8 detector."""
        seen = letterbox(picture, self._facts.size)
        try:
            self._network.setInput(seen.pixels[None])
            outputs = [np.asarray(one) for one in self._network.forward(self._network.getUnconnectedOutLayersNames())]
        except cv2.error as error:
            raise UnusableFileError(f"{self._path.name}: OpenCV cannot run this network ({error.err})") from error
        rows = next((one[0].T for one in outputs if one.ndim == 3), None)
        maps = next((one[0] for one in outputs if one.ndim == 4), None)
        most = 0 if rows is None else rows.shape[1] - 4 - (0 if maps is None else len(maps))
        if rows is None or most < 1:
            raise UnusableFileError(
                f"{self._path.name}: its output is not that of a YOLOv8 detector (1, 4 + classes, n)"
            )
        self.labels = self.labels or tuple(f"class {number}" for number in range(most))
        if len(self.labels) != most:
            raise UnusableFileError(f"{self._path.name}: it names {len(self.labels)} classes and has scores for {most}")
        return regions_of(rows, maps, seen, picture.size, self.labels, confidence)


def from_file(models: Models, path: Path, device: torch.device) -> YoloDetector | OnnxDetector:
    """The detector in a file of any of these kinds.

    Raises:
        UnusableFileError: it is of another kind; says which.
    """
    if path.suffix.lower() == ".onnx":
        return OnnxDetector(path)
    return models.load(path, partial(_yolo, name=path.name, device=device))


def _yolo(source: TensorFile, name: str, device: torch.device) -> YoloDetector:
    metadata = source.header.metadata
    kinds = metadata.get("kinds", "")
    if "WorldDetect" in kinds or "WorldModel" in kinds:
        raise UnusableFileError(f"{name}: a YOLO-World detector, which needs a text encoder; choose a YOLOv8 file")
    lacking = missing({key: torch.empty(0) for key in source.names()})
    if lacking:
        raise UnusableFileError(
            f"{name}: {_told_kind(kinds)}; only YOLOv8 can be read (it lacks {listed(lacking[:3])})"
        )
    weights = {}
    for key in source.names():
        tensor = source.read(key)
        if tensor.is_floating_point():
            check_finite(key, tensor)
            weights[key] = tensor.to(device)
    network = YoloNetwork(weights)
    return YoloDetector(network, labels_of(metadata.get("names", ""), network.classes))


def labels_of(text: str, count: int) -> tuple[str, ...]:
    """The words of so many classes; numbers where the file does not name all."""
    named: dict[str, str] = {}
    try:
        read = json.loads(text) if text.startswith('{"') else ast.literal_eval(text) if text else {}
        named = {str(key): str(value)[:100] for key, value in dict(read).items()}
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        named = {}
    return tuple(named.get(str(number), f"class {number}") for number in range(min(count, MAX_CLASSES)))


def _told_kind(kinds: str) -> str:
    """What a file's foreign classes say of its graph."""
    for word, told in (
        ("C3k2", "a YOLO11 network"),
        ("C2PSA", "a YOLO11 network"),
        ("RepNCSPELAN4", "a YOLOv9 network"),
    ):
        if word in kinds:
            return told
    return "no YOLOv8 network"
