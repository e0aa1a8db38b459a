"""The hooks of a job: each finished picture goes through the passes, each of which repaints its regions one by one."""

from collections.abc import Mapping, Sequence

from PIL import Image

from webui.extension_api import (
    BadRequestError,
    Cancelled,
    GenerationRequest,
    GenerationResult,
    Img2Img,
    JobContext,
    coverage,
    fitted,
    hookimpl,
)

from .detail_fields import fields_of
from .detectors import Detector, find_detector
from .inner_requests import PictureFacts, inner_request
from .options import DetailOptions, DetailPass
from .pass_files import check_pass
from .region_drawing import drawn_regions
from .region_masks import RegionMask, masks_of, touching
from .regions import Region, counted, ordered

SMALL = 128  # sides of the run that a job makes which only repaints regions


class DetailJob:
    """The job hooks of one job."""

    def __init__(self, job: JobContext, options: DetailOptions) -> None:
        self._job = job
        self._options = options
        self._facts: dict[int, PictureFacts] = {}
        self._whole: GenerationRequest | None = None  # what was asked for, where the job only repaints regions
        self._pictures: list[Image.Image] = []
        self._done: dict[int, list[DetailPass]] = {}
        self._detectors: dict[str, Detector] = {}

    @hookimpl(trylast=True)
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Look whether every file is there; shrink a job that only repaints regions of its picture."""
        for number, one in enumerate(self._options.units):
            if one.acts:
                check_pass(one, number, self._job.models)
                self._detector(one.model, number)
        task = request.task
        if not self._options.skip_img2img or not isinstance(task, Img2Img):
            return None
        if task.inpainting is not None or task.outpainting is not None:
            raise BadRequestError("extensions.detailer.skip_img2img", "does not go with inpainting and outpainting")
        self._whole = request
        small = {"steps": 1, "sampler": "Euler", "scheduler": "Automatic", "width": SMALL, "height": SMALL}
        return request.with_(**small, refiner=None)

    @hookimpl(trylast=True)
    def edit_image_request(self, request: GenerationRequest, index: int) -> None:
        """Remember what makes each picture: with its own prompt, after wildcards and the like, and its own seed."""
        if self._whole is not None:
            kept = {"steps": self._whole.steps, "sampler": self._whole.sampler, "scheduler": self._whole.scheduler}
            request = request.with_(**kept, width=self._whole.width, height=self._whole.height)
        sent = self._job.request
        self._facts[index] = PictureFacts(request, sent.styles, sent.prompt, sent.negative_prompt)

    @hookimpl(trylast=True)
    def edit_image(self, image: Image.Image, index: int) -> Image.Image | None:
        """The picture after the passes. Restored faces come before, as in A1111."""
        facts = self._facts[index]
        made = image.convert("RGB")
        task = facts.request.task
        if self._whole is not None and isinstance(task, Img2Img):
            made = task.image.open()
        limits = _painted(task, made.size)
        if limits is not None and limits.getbbox() is None:
            self._job.notice("the mask of the picture is blank, so no region was repainted")
            return None
        self._done[index] = []
        for one in self._options.passes:
            if self._job.stopped():
                break
            self._done[index].append(one)
            made = self._pass(one, made, facts, limits)
        return made

    @hookimpl
    def image_fields(self, index: int) -> Mapping[str, str] | None:
        return fields_of(self._done.get(index, [])) or None

    @hookimpl
    def extra_images(self) -> Sequence[Image.Image] | None:
        return self._pictures or None

    def _pass(
        self, one: DetailPass, image: Image.Image, facts: PictureFacts, limits: Image.Image | None
    ) -> Image.Image:
        """The picture after one pass."""
        masks = self._masks(one, image)
        if limits is not None:
            masks = touching(masks, limits)
        if self._options.show_regions:
            self._pictures.append(drawn_regions(image, masks, one.model))
        if not masks:
            self._job.notice(f"{one.model} found nothing to repaint")
        for number, region in enumerate(masks):
            request = inner_request(facts, one, self._options, image, region, number)
            if request is None:
                continue
            made = self._repainted(request, len(masks) - 1 - number)
            if made is None:
                break
            image = made
        return image

    def _masks(self, one: DetailPass, image: Image.Image) -> list[RegionMask]:
        wanted = {name.strip().casefold() for name in one.model_classes.split(",") if name.strip()}
        found: list[Region] = self._detector(one.model)(image, one.confidence)
        found = [region for region in found if not wanted or region.label.casefold() in wanted]
        found = counted(
            found, image.size, lowest=one.mask_min_ratio, highest=one.mask_max_ratio, most=one.mask_k,
            by_score=one.mask_filter_method == "Confidence",
        )  # fmt: skip
        return masks_of(
            ordered(found, image.size, self._options.sort_by),
            image.size,
            grow=one.dilate_erode,
            right=one.x_offset,
            up=one.y_offset,
            merge=one.mask_merge_invert,
        )

    def _repainted(self, request: GenerationRequest, to_come: int) -> Image.Image | None:
        """The picture with one region repainted; None where the user stopped it."""
        if self._job.stopped():
            return None
        try:
            result: GenerationResult = self._job.generate(request, to_come=to_come)
        except Cancelled:
            return None
        if result.interrupted or self._job.stopped():
            return None  # the last estimate of a run is no picture
        return result.images[0].image

    def _detector(self, name: str, number: int = 0) -> Detector:
        """The detector of a pass; `number` is the pass's, for an error."""
        if name not in self._detectors:
            place = f"extensions.detailer.units.{number}.model"
            self._detectors[name] = find_detector(name, self._job.models, self._job.device, place, self._job.tools)
        return self._detectors[name]


def _painted(task: object, size: tuple[int, int]) -> Image.Image | None:
    """Where an inpainting run over the whole picture paints; None for every other job.

    A run on the surroundings of its mask alone gives that part of the picture, all of which may be repainted.
    """
    if not isinstance(task, Img2Img) or task.inpainting is None or task.inpainting.area == "masked":
        return None
    mask = coverage(task.inpainting.mask.open(), rounded=task.inpainting.rounded)
    if task.inpainting.invert:
        mask = mask.point(lambda value: 255 - value)
    return fitted(mask, "resize" if task.resize_mode == "latent" else task.resize_mode, *size)
