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
OF_EXTENSIONS = "samplers"  # among `Surroundings.choices`
SAME_SAMPLER = "Use same sampler"
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
        is_file: whether values are names of files, of which labels tell the last part.
        name: see `id`; "": it follows from the label.
        path: of the leaf of the request that it changes; "" where it is not one alone.
        group: the heading under which it is listed; "": that of the list.
        span: lowest and highest value and step; None: those of the leaf.
        refused: why there is no such axis here; "" for all others.
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
    name: str = ""
    path: str = ""
    group: str = ""
    span: tuple[float | None, float | None, float | None] | None = None
    refused: str = ""

    @property
    def id(self) -> str:
        """A name that stays as it is, for plans: the path of a leaf (`cfg_scale`, `noise.eta`), or `prompt_sr`."""
        return (
            self.name or self.path or "_".join(re.sub(r"[^a-z0-9]+", " ", self.label.lower().replace("/", "")).split())
        )

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


def _leaf(label: str, kind: Kind, path: str, **more: Any) -> Axis:
    """An axis whose value is that of a leaf."""
    return Axis(label, kind, partial(_at, path), path=path, **more)


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
    return replaced(request, {"task.hires.sampler": "" if value == SAME_SAMPLER else split_combined(value)[0]})


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


NOTHING, FACES = "Nothing", "Face restore"
_T2I, _I2I = ("txt2img",), ("img2img",)
_SAMPLERS = tuple(SAMPLERS)
_FLAGS = ("Yes", "No")
_SHARE = (0.0, 1.0, 0.05)
_ANY_WHOLE = (None, None, 1.0)
_NO_FACES = partial(_unavailable, "no extension that restores faces is there")
_NO_FP8 = "weights are not kept in 8 bits here: the precision is a setting of the program"

AXES: tuple[Axis, ...] = (
    Axis(NOTHING, "text", _unchanged),
    _leaf("Seed", "int", "seed", span=_ANY_WHOLE),
    _leaf("Var. seed", "int", "subseed", span=_ANY_WHOLE),
    _leaf("Var. strength", "float", "subseed_strength"),
    _leaf("Steps", "int", "steps"),
    _leaf("Hires steps", "int", "task.hires.steps", tasks=_T2I),
    _leaf("CFG Scale", "float", "cfg_scale"),
    _leaf("Image CFG Scale", "float", "task.image_cfg_scale", tasks=_I2I),
    Axis("Prompt S/R", "text", _searched, named=False),
    Axis("Prompt order", "order", _ordered, named=False),
    Axis("Sampler", "text", _sampled, OF_EXTENSIONS, _SAMPLERS, named=False),
    Axis("Hires sampler", "text", _hires_sampled, OF_EXTENSIONS, _SAMPLERS, name="task.hires.sampler", tasks=_T2I),
    _leaf("Checkpoint name", "text", "checkpoint", source="checkpoints", cost=1.0, is_file=True),
    _leaf("Negative Guidance minimum sigma", "float", "guidance.s_min_uncond"),
    _leaf("Sigma Churn", "float", "noise.s_churn"),
    _leaf("Sigma min", "float", "noise.s_tmin"),
    _leaf("Sigma max", "float", "noise.s_tmax"),
    _leaf("Sigma noise", "float", "noise.s_noise"),
    _leaf("Schedule type", "text", "scheduler", fixed=tuple(SCHEDULES)),
    _leaf("Schedule min sigma", "float", "schedule.sigma_min"),
    _leaf("Schedule max sigma", "float", "schedule.sigma_max"),
    _leaf("Schedule rho", "float", "schedule.rho"),
    _leaf("Beta schedule alpha", "float", "schedule.beta_alpha"),
    _leaf("Beta schedule beta", "float", "schedule.beta_beta"),
    _leaf("Eta", "float", "noise.eta"),
    _leaf("Clip skip", "int", "clip_skip"),
    Axis("Denoising", "float", _denoised, name="denoising_strength", span=_SHARE),
    Axis("Initial noise multiplier", "float", _noise_multiplier, name="noise_multiplier", span=(0.0, 2.0, 0.05)),
    Axis("Extra noise", "float", _extra_noise, span=_SHARE),
    _leaf(
        "Hires upscaler", "text", "task.hires.upscaler", source="upscalers", fixed=tuple(LATENT_UPSCALERS),
        tasks=_T2I,
    ),
    _leaf("Cond. Image Mask Weight", "float", "inpainting_mask_weight", tasks=_I2I),
    _leaf("VAE", "text", "vae", source="vaes", fixed=("Automatic", "None"), cost=0.7),
    Axis("Styles", "text", _styled, source="styles"),
    Axis("UniPC Order", "int", _uni_order, cost=0.5),
    Axis(FACES, "text", _NO_FACES, fixed=("CodeFormer", "GFPGAN", "None"), named=False),
    _leaf("Token merging ratio", "float", "token_merging.ratio"),
    _leaf("Token merging ratio high-res", "float", "token_merging.hires_ratio"),
    Axis("Always discard next-to-last sigma", "text", _flagged("schedule.discard_penultimate"), fixed=_FLAGS),
    Axis("SGM noise multiplier", "text", _flagged("noise.sgm_multiplier"), fixed=_FLAGS),
    Axis(
        "Refiner checkpoint", "text", _refined, name="refiner.checkpoint", source="checkpoints", fixed=("None",),
        cost=1.0, is_file=True,
    ),
    Axis("Refiner switch at", "float", _switched, name="refiner.switch_at", span=_SHARE),
    _leaf("RNG source", "text", "noise.source", fixed=("GPU", "CPU", "NV")),
    Axis("FP8 mode", "text", partial(_unavailable, _NO_FP8), cost=0.9, refused=_NO_FP8),
    Axis("Size", "text", _sized),
)  # fmt: skip
