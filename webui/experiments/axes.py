"""The axes of an X/Y/Z plot: A1111's list, and what a value of each changes in a request."""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from webui.domain.catalog import SAMPLERS, SCHEDULES, split_combined
from webui.domain.hires import LATENT_UPSCALERS
from webui.domain.parameters.leaves import replaced
from webui.domain.request import GenerationRequest, Img2Img, Refiner, Txt2Img
from webui.experiments.axis_values import Kind, Value

Change = Callable[[GenerationRequest, Any, Sequence[Any]], GenerationRequest]  # value, and all values of the axis
BOTH = ("txt2img", "img2img")
_SIZE = re.compile(r"(\d+)\s*x\s*(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that may differ between the cells of a plot.

    Attributes:
        label: A1111's.
        kind: of its values.
        change: the request with one of them. It raises ValueError for a value that cannot be used.
        source: the name among `Surroundings.choices` whose texts are the values to choose from; "" for `fixed`.
        fixed: values to choose from that are always the same.
        named: whether labels name the axis before the value.
        cost: how much a change costs; the axis with the highest changes least often.
        tasks: kinds of request that have it.
    """

    label: str
    kind: Kind
    change: Change
    source: str = ""
    fixed: tuple[str, ...] = ()
    named: bool = True
    cost: float = 0.0
    tasks: tuple[str, ...] = BOTH
    is_file: bool = False

    @property
    def is_chosen(self) -> bool:
        """Whether its values come from a list and not from a text."""
        return bool(self.source or self.fixed)

    def told(self, value: Value) -> str:
        """A value as the legend tells it."""
        if self.label == NOTHING:
            return ""
        if isinstance(value, tuple):
            return ", ".join(value)
        if self.is_file:
            return posixpath.basename(str(value).replace("\\", "/"))
        if isinstance(value, float):
            value = round(value, 8)
        return f"{self.label}: {value}" if self.named else str(value)


def _at(path: str, request: GenerationRequest, value: Any, every: Sequence[Any]) -> GenerationRequest:
    return replaced(request, {path: value})


def _leaf(path: str) -> Change:
    return partial(_at, path)


def _unchanged(request: GenerationRequest, value: Any, every: Sequence[Any]) -> GenerationRequest:
    return request


def _unavailable(what: str, request: GenerationRequest, value: Any, every: Sequence[Any]) -> GenerationRequest:
    raise ValueError(f"{what}, so there is no such axis")


def _searched(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    """Prompt S/R: the axis's first value is replaced by this one, in the prompt and the negative prompt."""
    first = str(every[0])
    if first not in request.prompt and first not in request.negative_prompt:
        raise ValueError(f"{first!r} occurs in neither prompt")
    return request.with_(
        prompt=request.prompt.replace(first, value), negative_prompt=request.negative_prompt.replace(first, value)
    )


def _ordered(request: GenerationRequest, value: tuple[str, ...], every: Sequence[Any]) -> GenerationRequest:
    """Prompt order: at the places where the parts stand they are put in this order."""
    rest = request.prompt
    made = ""
    for found, put in zip(sorted(value, key=request.prompt.find), value, strict=True):
        before, part, after = rest.partition(found)
        if not part:
            raise ValueError(f"{found!r} does not occur in the prompt")
        made, rest = made + before + put, after
    return request.with_(prompt=made + rest)


def _sampled(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    label, schedule = split_combined(value)
    changes = {"sampler": label}
    return request.with_(**changes, **({"scheduler": schedule} if schedule != "Automatic" else {}))


def _hires_sampled(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    return replaced(request, {"task.hires.sampler": "" if value == "Use same sampler" else split_combined(value)[0]})


def _denoised(request: GenerationRequest, value: float, every: Sequence[Any]) -> GenerationRequest:
    path = "task.hires.denoising_strength" if isinstance(request.task, Txt2Img) else "task.denoising_strength"
    return replaced(request, {path: value})


def _extra_noise(request: GenerationRequest, value: float, every: Sequence[Any]) -> GenerationRequest:
    path = "task.hires.extra_noise" if isinstance(request.task, Txt2Img) else "task.extra_noise"
    return replaced(request, {path: value})


def _noise_multiplier(request: GenerationRequest, value: float, every: Sequence[Any]) -> GenerationRequest:
    if not isinstance(request.task, Img2Img):
        return request  # it multiplies the noise of pictures that a run starts from
    return replaced(request, {"task.noise_multiplier": value})


def _styled(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    return request.with_(styles=(*request.styles, *value.split(",")))


def _sized(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"{value!r} is no size such as 512x768")
    return request.with_(width=int(found[1]), height=int(found[2]))


def _refined(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    if value in ("None", "none", ""):
        return request.with_(refiner=None)
    switch = request.refiner.switch_at if request.refiner else 0.8
    return request.with_(refiner=Refiner(checkpoint=value, switch_at=switch))


def _switched(request: GenerationRequest, value: float, every: Sequence[Any]) -> GenerationRequest:
    return request if request.refiner is None else replaced(request, {"refiner.switch_at": value})


def _flagged(path: str) -> Change:
    def change(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
        return replaced(request, {path: value.strip().lower() in ("true", "yes", "1")})

    return change


def _uni_order(request: GenerationRequest, value: int, every: Sequence[Any]) -> GenerationRequest:
    return replaced(request, {"unipc.order": min(value, request.steps - 1)})


def _scheduled(request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    return request.with_(scheduler=value)


NOTHING = "Nothing"
_T2I, _I2I = ("txt2img",), ("img2img",)
_SAMPLERS = tuple(SAMPLERS)
_FLAGS = ("Yes", "No")
_WITHOUT_FACES = partial(_unavailable, "faces are restored by the options of an extension")
_WITHOUT_FP8 = partial(_unavailable, "the precision is a setting of the program")

AXES: tuple[Axis, ...] = (
    Axis(NOTHING, "text", _unchanged),
    Axis("Seed", "int", _leaf("seed")),
    Axis("Var. seed", "int", _leaf("subseed")),
    Axis("Var. strength", "float", _leaf("subseed_strength")),
    Axis("Steps", "int", _leaf("steps")),
    Axis("Hires steps", "int", _leaf("task.hires.steps"), tasks=_T2I),
    Axis("CFG Scale", "float", _leaf("cfg_scale")),
    Axis("Image CFG Scale", "float", _leaf("task.image_cfg_scale"), tasks=_I2I),
    Axis("Prompt S/R", "text", _searched, named=False),
    Axis("Prompt order", "order", _ordered, named=False),
    Axis("Sampler", "text", _sampled, fixed=_SAMPLERS, named=False),
    Axis("Hires sampler", "text", _hires_sampled, fixed=_SAMPLERS, tasks=_T2I),
    Axis("Checkpoint name", "text", _leaf("checkpoint"), source="checkpoints", cost=1.0, is_file=True),
    Axis("Negative Guidance minimum sigma", "float", _leaf("guidance.s_min_uncond")),
    Axis("Sigma Churn", "float", _leaf("noise.s_churn")),
    Axis("Sigma min", "float", _leaf("noise.s_tmin")),
    Axis("Sigma max", "float", _leaf("noise.s_tmax")),
    Axis("Sigma noise", "float", _leaf("noise.s_noise")),
    Axis("Schedule type", "text", _scheduled, fixed=tuple(SCHEDULES)),
    Axis("Schedule min sigma", "float", _leaf("schedule.sigma_min")),
    Axis("Schedule max sigma", "float", _leaf("schedule.sigma_max")),
    Axis("Schedule rho", "float", _leaf("schedule.rho")),
    Axis("Beta schedule alpha", "float", _leaf("schedule.beta_alpha")),
    Axis("Beta schedule beta", "float", _leaf("schedule.beta_beta")),
    Axis("Eta", "float", _leaf("noise.eta")),
    Axis("Clip skip", "int", _leaf("clip_skip")),
    Axis("Denoising", "float", _denoised),
    Axis("Initial noise multiplier", "float", _noise_multiplier),
    Axis("Extra noise", "float", _extra_noise),
    Axis(
        "Hires upscaler", "text", _leaf("task.hires.upscaler"), source="upscalers", fixed=tuple(LATENT_UPSCALERS),
        tasks=_T2I,
    ),
    Axis("Cond. Image Mask Weight", "float", _leaf("inpainting_mask_weight"), tasks=_I2I),
    Axis("VAE", "text", _leaf("vae"), source="vaes", fixed=("Automatic", "None"), cost=0.7),
    Axis("Styles", "text", _styled, source="styles"),
    Axis("UniPC Order", "int", _uni_order, cost=0.5),
    Axis("Face restore", "text", _WITHOUT_FACES, named=False),
    Axis("Token merging ratio", "float", _leaf("token_merging.ratio")),
    Axis("Token merging ratio high-res", "float", _leaf("token_merging.hires_ratio")),
    Axis("Always discard next-to-last sigma", "text", _flagged("schedule.discard_penultimate"), fixed=_FLAGS),
    Axis("SGM noise multiplier", "text", _flagged("noise.sgm_multiplier"), fixed=_FLAGS),
    Axis("Refiner checkpoint", "text", _refined, source="checkpoints", fixed=("None",), cost=1.0, is_file=True),
    Axis("Refiner switch at", "float", _switched),
    Axis("RNG source", "text", _leaf("noise.source"), fixed=("GPU", "CPU", "NV")),
    Axis("FP8 mode", "text", _WITHOUT_FP8, cost=0.9),
    Axis("Size", "text", _sized),
)  # fmt: skip


def axes_of(task: str) -> tuple[Axis, ...]:
    """The axes of a kind of request, in the order by which clients count them."""
    return tuple(axis for axis in AXES if task in axis.tasks)
