"""The hooks of a job: they find the faces of each picture, and restore them by GFPGAN, then by CodeFormer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from webui.extension_api import JobContext, UnknownModelError, UnusableFileError, hookimpl

from . import restorer_networks
from .detection import YuNet
from .options import FaceOptions
from .restorer_files import DETECTOR, DETECTOR_PLACE, FOLDERS, detector_name, kind, restorer_name
from .restoring import Detector, Restorer, restore

DEFAULT_WEIGHT = FaceOptions().codeformer_weight


@dataclass(frozen=True, slots=True)
class RestorerPass:
    """The use of one restorer in a job.

    Attributes:
        family: `GFPGAN` or `CodeFormer`.
        restorer: returns the network, which is loaded when the first face is found.
    """

    family: str
    visibility: float
    restorer: Callable[[], Restorer]
    weight: float | None = None


class FaceJob:
    """The job hooks. Detector and restorers are arguments, so that tests can pass their own."""

    def __init__(
        self,
        detector: Detector,
        passes: Sequence[RestorerPass],
        *,
        extras: bool,
        notice: Callable[[str], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._detector = detector
        self._passes = tuple(passes)
        self._extras = extras
        self._notice = notice
        self._stopped = stopped
        self._done: list[RestorerPass] = []

    @hookimpl
    def edit_image(self, image: Image.Image, index: int) -> Image.Image | None:
        self._done = []
        faces = self._detector(np.asarray(image.convert("RGB")))
        if not faces:
            self._notice(f"no face was found in image {index + 1}")
            return None
        made = image
        for one in self._passes:
            if self._stopped():
                break
            restored = restore(made, faces, one.restorer(), one.visibility, self._stopped)
            if restored is not made:
                self._done.append(one)
            made = restored
        return None if made is image else made

    @hookimpl
    def image_fields(self) -> Mapping[str, str] | None:
        return fields(self._done, extras=self._extras) or None


def join(job: JobContext, options: FaceOptions) -> FaceJob | None:
    """The object with the job hooks. None, with a notice, where a file is missing: the job then does not restore."""
    found = detector_name(job.models)
    if found is None:
        job.notice(f"finding faces needs the file {DETECTOR} in {DETECTOR_PLACE}; no face was restored")
        return None
    passes = [one for one in _passes(job, options) if one is not None]
    if not passes:
        return None
    try:
        detector = YuNet(job.models.find("detector", found))
    except UnusableFileError as error:
        job.notice(f"{error}; no face was restored")
        return None
    extras = job.request.task.kind == "upscale"
    return FaceJob(detector, passes, extras=extras, notice=job.notice, stopped=job.stopped)


def fields(done: Sequence[RestorerPass], *, extras: bool) -> dict[str, str]:
    """A1111's infotext fields: visibilities in Extras; elsewhere the restorer's name, and settings that differ from the
    defaults.
    """
    told: dict[str, str] = {}
    if done and not extras:
        told["Face restoration"] = done[-1].family
    both = len(done) > 1
    for one in done:
        if extras or both or one.visibility != 1:
            told[f"{one.family} visibility"] = _short(one.visibility)
        if one.weight is not None and (extras or one.weight != DEFAULT_WEIGHT):
            told[f"{one.family} weight"] = _short(one.weight)
    return told


def _passes(job: JobContext, options: FaceOptions) -> list[RestorerPass | None]:
    weight = options.codeformer_weight
    return [
        _pass(job, "GFPGAN", options.gfpgan_visibility, options.gfpgan_model, None),
        _pass(job, "CodeFormer", options.codeformer_visibility, "", weight),
    ]


def _pass(job: JobContext, family: str, visibility: float, wanted: str, weight: float | None) -> RestorerPass | None:
    """The use of a restorer; None where it is not wanted, or its file is missing."""
    if visibility == 0:
        return None
    name = wanted or restorer_name(job.models, family)
    if name is None:
        job.notice(f"{family} needs its file in {FOLDERS[family]}; the faces were not restored by it")
        return None
    try:
        path = job.models.find(kind(family), name)
    except (UnknownModelError, UnusableFileError) as error:
        job.notice(f"{error}; the faces were not restored by {family}")
        return None

    def restorer() -> Restorer:
        network = restorer_networks.load(job.models, path, job.device)

        def work(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
            return network.restore(pixels, DEFAULT_WEIGHT if weight is None else weight)

        return work

    return RestorerPass(family, visibility, restorer, weight)


def _short(value: float) -> str:
    return str(round(value, 3))
