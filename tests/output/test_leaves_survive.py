"""Every leaf of a request that has a key survives the plain line of an infotext: written, parsed, equal.

The exact request that files carry beside their text plays no part here.
"""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from webui.domain.catalog import SAMPLERS, SCHEDULES
from webui.domain.fields import MAX_LEVEL
from webui.domain.inpainting import Inpainting, Outpainting, SoftInpainting
from webui.domain.parameters.leaves import leaves, replaced, value_at
from webui.domain.parameters.table import keyed
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import ModelFacts
from webui.output.infotext import InfoFacts, write
from webui.output.parse import parse, read_fields, told_values

CALM = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
NO_VALUE = object()
FIELDS = dict(leaves())
PATHS = [row.path for row, _ in keyed() if row.path in FIELDS]
PICTURE = Image.new("RGB", (24, 16), "red")
PLAIN = GenerationRequest(  # where most leaves have an effect
    prompt="a (cat), [b:c:3] <x:y> # z", sampler="Euler a", scheduler="Karras", seed=7
)
OF_PICTURE = PLAIN.with_(task=Img2Img(image=PICTURE))
INPAINTED = PLAIN.with_(task=Img2Img(image=PICTURE, inpainting=Inpainting(mask=PICTURE)))
SOFTLY = PLAIN.with_(task=Img2Img(image=PICTURE, inpainting=Inpainting(mask=PICTURE, soft=SoftInpainting())))
OUTPAINTED = PLAIN.with_(task=Img2Img(image=PICTURE, outpainting=Outpainting(top=8)))
HIRES = replaced(PLAIN, {"task.hires.enabled": True})
REFINED = {"refiner.checkpoint": "other"}

SCENES: Mapping[str, tuple[GenerationRequest, Mapping[str, Any]]] = {  # by the longest beginning of the path
    "": (PLAIN, {}),
    "subseed": (PLAIN, {"subseed_strength": 0.5, "subseed": 3}),
    "seed_resize_from_w": (PLAIN, {"seed_resize_from_h": 64}),
    "seed_resize_from_h": (PLAIN, {"seed_resize_from_w": 64}),
    "task.": (OF_PICTURE, {}),
    "task.inpainting.": (INPAINTED, {}),
    "task.inpainting.padding": (INPAINTED, {"task.inpainting.area": "masked"}),
    "task.inpainting.soft.": (SOFTLY, {}),
    "task.outpainting.": (OUTPAINTED, {}),
    "task.hires.": (HIRES, {}),
    "task.hires.refiner_pass": (HIRES, REFINED),
    "refiner.": (PLAIN, REFINED),
    "token_merging.hires_ratio": (HIRES, {}),
    "noise.eta_ddim": (PLAIN, {"sampler": "DDIM"}),
    "noise.s_": (PLAIN, {"sampler": "Heun"}),
    "noise.batch_sde": (PLAIN, {"sampler": "DPM++ SDE"}),
    "schedule.beta_": (PLAIN, {"scheduler": "Beta"}),
    "unipc.": (PLAIN, {"sampler": "UniPC"}),
    "guidance.s_min_uncond_all": (PLAIN, {"guidance.s_min_uncond": 1.5}),
    "sdxl.clip_l_skip": (PLAIN, {"clip_skip": 2}),
}
SAME_AS_NONE: Mapping[str, Any] = {  # values that say the same as a text without the key
    "subseed": -1,  # has been drawn by the time that there is an image
    "subseed_strength": 0.0,
    "seed_resize_from_w": 0,
    "seed_resize_from_h": 0,
    "schedule.rho": SCHEDULES["Karras"].default_rho,
    "task.hires.sampler": PLAIN.sampler,
    "task.hires.scheduler": PLAIN.scheduler,
}
BOUNDS = ("ge", "gt", "le", "multiple_of")
LISTED = {
    "sampler": SAMPLERS, "task.hires.sampler": SAMPLERS, "scheduler": SCHEDULES, "task.hires.scheduler": SCHEDULES,
}  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def any_value(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Whatever a field's type and bounds allow."""
    limits = {name: getattr(one, name) for one in field.metadata for name in BOUNDS if hasattr(one, name)}
    return st.one_of([_of_kind(kind, limits) for kind in _kinds(field.annotation)])


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for one in get_args(annotation) for kind in _kinds(one)]
    return [annotation]


def _of_kind(kind: Any, limits: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    low: Any = limits.get("ge", limits.get("gt"))
    high: Any = limits.get("le")
    if get_origin(kind) is tuple:  # noise levels, which fall
        levels = st.lists(st.floats(0, MAX_LEVEL, allow_subnormal=False), min_size=2, max_size=9, unique=True)
        return levels.map(lambda found: tuple(sorted(found, reverse=True)))
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        step = limits.get("multiple_of", 1)
        return st.integers(-(-int(low) // step), int(high) // step).map(lambda count: count * step)
    if kind is float:
        return st.floats(low, high, exclude_min="gt" in limits, allow_subnormal=False)
    if kind is types.NoneType:
        return st.none()
    assert kind is str, f"this test knows no values of {kind}; teach it"
    return TEXT


def scene_of(path: str) -> GenerationRequest:
    """A request in which the leaf has an effect."""
    begins = max((name for name in SCENES if path.startswith(name)), key=len)
    base, changes = SCENES[begins]
    return replaced(base, changes)


def facts_of(request: GenerationRequest) -> InfoFacts:
    """What the pipeline would know beside the request, where files have the names that were asked for."""
    vae = "" if request.vae in ("None", "Automatic") else request.vae
    return InfoFacts(
        model=ModelFacts(request.checkpoint, "", vae, inpainting=True),
        subseed=max(request.subseed, 0),
        version="0.1.0",
    )


def only_pictures(request: GenerationRequest) -> GenerationRequest:
    """What somebody has who kept the pictures and lost everything else."""
    if not isinstance(request.task, Img2Img):
        return GenerationRequest()
    mask = request.task.inpainting and Inpainting(mask=request.task.inpainting.mask)
    return GenerationRequest(task=Img2Img(image=request.task.image, inpainting=mask))


def lines(request: GenerationRequest) -> list[list[str]]:
    """The prompts as texts carry them: white space at the ends of lines is not kept."""
    return [[line.strip() for line in text.strip().split("\n")] for text in (request.prompt, request.negative_prompt)]


@CALM
@given(st.data())
@pytest.mark.parametrize("path", PATHS)
def test_a_leaf_comes_back_from_the_line_alone(path: str, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from([*LISTED[path]]) if path in LISTED else any_value(FIELDS[path]))
    assume(value != SAME_AS_NONE.get(path, NO_VALUE))
    try:
        request = replaced(scene_of(path), {path: value})
    except ValidationError:  # parts of it exclude each other
        assume(False)
    told = told_values(parse(write(request, facts_of(request))))
    again = replaced(only_pictures(request), told)
    assert lines(again) == lines(request)
    assert again.with_(prompt="", negative_prompt="") == resolved(request).with_(prompt="", negative_prompt="")


def resolved(request: GenerationRequest) -> GenerationRequest:
    """The same request with the schedule that Automatic stands for: that is what a text says."""
    own = SAMPLERS[request.sampler].schedule
    return request.with_(scheduler=own) if own and request.scheduler == "Automatic" else request


@pytest.mark.parametrize("path", PATHS)
def test_a_leaf_at_its_default_needs_no_notice_to_be_read(path: str) -> None:
    request = scene_of(path)
    reading = read_fields(parse(write(request, facts_of(request))))
    if isinstance(request.task, Img2Img):
        assert all("needs the" in notice.text for notice in reading.notices)
    else:
        assert reading.notices == ()
        assert value_at(reading.request, path) == value_at(request, path)


def test_values_that_only_a_picture_can_use_are_told_by_path() -> None:
    request = replaced(INPAINTED, {"task.inpainting.mask_blur_x": 3, "task.noise_multiplier": 0.5})
    told = told_values(parse(write(request, facts_of(request))))
    assert (told["task.inpainting.mask_blur_x"], told["task.inpainting.mask_blur_y"]) == (3, 4)
    assert told["task.noise_multiplier"] == 0.5
