"""What a user asks for. One frozen value determines the images, whoever sends it.

The UI, the HTTP API and the infotext in a PNG all speak this type. Anything that can change a pixel is a field here;
anything that cannot (folders, ports, previews) is a setting (`settings.py`). Names are the field's standard terms.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from webui.domain.catalog import find_schedule, may_be_sampler
from webui.domain.fields import (
    LEAST_FIXED_STRENGTH,
    MAX_ENSD,
    MAX_LEVELS,
    MAX_PROMPT,
    MAX_SEED,
    MAX_SIDE,
    SIZE_STEP,
    Emphasis,
    Frozen,
    Levels,
    Name,
    Number,
    Prompt,
    Text,
    and_parts,
)
from webui.domain.hires import Hires
from webui.domain.images import ImageField
from webui.domain.inpainting import Inpainting, Outpainting
from webui.domain.upscale import Upscale

__all__ = ["MAX_PROMPT", "MAX_SEED", "Emphasis", "Frozen", "Name", "Number", "Text"]  # other rooms import these here

MAX_WORK = 4096 * 4096 * 150 * 4  # pixels x steps x images of one request


class Txt2Img(Frozen):
    """Start from pure noise."""

    kind: Literal["txt2img"] = "txt2img"
    hires: Hires = Hires()
    first_pass: ImageField | None = Field(
        None, description="a picture to begin the hires pass with, instead of making one"
    )

    @model_validator(mode="after")
    def _picture_has_a_use(self) -> "Txt2Img":
        if self.first_pass is not None and not self.hires.enabled:
            raise ValueError("first_pass needs hires.enabled; img2img starts from a picture without it")
        return self


class Img2Img(Frozen):
    """Start from a picture with noise added to it (SDEdit, arXiv:2108.01073)."""

    kind: Literal["img2img"] = "img2img"
    image: ImageField
    further_images: tuple[ImageField, ...] = Field(
        (), max_length=63, description="the others of a batch: each of its images starts from one of its own"
    )
    denoising_strength: Number = Field(0.75, ge=0, le=1, description="share of the schedule that is run")
    resize_mode: Literal["resize", "crop", "fill", "latent"] = Field(
        "resize", description="how the picture is brought to width x height; latent: its latents are stretched"
    )
    resize_upscaler: Name = Field(
        "Lanczos", description="what enlarges a picture that is smaller than width x height; masks are always stretched"
    )
    fix_steps: bool = Field(False, description="run as many steps as asked for, however low the strength")
    noise_multiplier: Number = Field(1.0, ge=0, le=2, description="factor on the noise that the run starts with")
    extra_noise: Number = Field(0.0, ge=0, le=1, description="noise added to the start beyond the schedule's")
    color_correction: bool = Field(False, description="give the result the colours of the picture it starts from")
    image_cfg_scale: Number | None = Field(
        None, ge=0, le=100, description="weight of the picture for checkpoints that edit by instruction"
    )
    inpainting: Inpainting | None = None
    outpainting: Outpainting | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Img2Img":
        if self.inpainting and self.outpainting:
            raise ValueError("inpainting and outpainting exclude each other; make two requests")
        return self

    @model_validator(mode="after")
    def _strong_enough(self) -> "Img2Img":
        if self.fix_steps and 0 < self.denoising_strength < LEAST_FIXED_STRENGTH:
            raise ValueError(f"denoising_strength must be 0 or at least {LEAST_FIXED_STRENGTH} with fix_steps")
        return self


VaeMethod = Literal["Full", "TAESD"]


class Refiner(Frozen):
    """Hand the latents to a second checkpoint late in the run."""

    checkpoint: Name
    switch_at: Number = Field(0.8, ge=0.01, le=1, description="share of the noise levels the first checkpoint does")
    by_steps: bool = Field(False, description="count sampling steps instead of noise levels (before A1111 1.8)")


class Noise(Frozen):
    """Where random numbers come from and how much of them a sampler adds."""

    source: Literal["CPU", "GPU", "NV"] = Field("CPU", description="generator; CPU is the same on every device")
    eta: Number | None = Field(None, ge=0, le=1, description="overrides the two below for this request")
    eta_ancestral: Number = Field(1.0, ge=0, le=1, description="noise added by ancestral and SDE samplers")
    eta_ddim: Number = Field(0.0, ge=0, le=1, description="noise added by DDIM samplers")
    ensd: int = Field(0, ge=-MAX_ENSD, le=MAX_ENSD, description="eta noise seed delta")
    s_churn: Number = Field(0.0, ge=0, le=100)
    s_tmin: Number = Field(0.0, ge=0, le=10_000)
    s_tmax: Number = Field(0.0, ge=0, le=10_000, description="0 means no upper end")
    s_noise: Number = Field(1.0, ge=0, le=10)
    sgm_multiplier: bool = Field(False, description="start from sqrt(1 + sigma^2) x noise, as SGM does")
    batch_sde: bool = Field(False, description="one Brownian tree for the whole batch (before A1111 1.5)")


class Schedule(Frozen):
    """Bounds and shapes of the noise levels; 0 means the model's own."""

    sigma_min: Number = Field(0.0, ge=0, le=10_000)
    sigma_max: Number = Field(0.0, ge=0, le=10_000)
    rho: Number = Field(0.0, ge=0, le=100)
    beta_alpha: Number = Field(0.6, gt=0, le=10)
    beta_beta: Number = Field(0.6, gt=0, le=10)
    discard_penultimate: bool = Field(False, description="drop the last sigma but one for every sampler")
    old_karras_sigmas: bool = Field(False, description="Karras from 0.1 to 10")
    quantize: bool = Field(False, description="round timesteps to whole numbers")
    zero_terminal_snr: bool = Field(False, description="rescale the noise levels to end in pure noise")
    downcast_alphas: bool = Field(False, description="noise levels rounded to fp16 (before A1111 1.7)")
    sigmas: Levels = Field(
        (), max_length=MAX_LEVELS, description="the noise levels themselves instead of a schedule: falling, steps + 1"
    )


class UniPC(Frozen):
    """Options of the UniPC sampler (arXiv:2302.04867)."""

    variant: Literal["bh1", "bh2", "vary_coeff"] = "bh1"
    skip_type: Literal["time_uniform", "time_quadratic", "logSNR"] = "time_uniform"
    order: int = Field(3, ge=1, le=50)
    lower_order_final: bool = True


class Guidance(Frozen):
    """Options of classifier-free guidance beside cfg_scale."""

    s_min_uncond: Number = Field(0.0, ge=0, le=100, description="NGMS: below this sigma no negative prompt")
    s_min_uncond_all: bool = Field(False, description="NGMS on every step, not on every second one")
    skip_early_cond: Number = Field(0.0, ge=0, le=1, description="share of first steps without negative prompt")
    rescale: Number = Field(0.0, ge=0, le=1, description="CFG rescale (arXiv:2305.08891, eq. 14 to 16)")
    pad_conds: bool = Field(False, description="pad prompt and negative prompt to the same length")
    pad_conds_v0: bool = Field(False, description="the same as A1111 before 1.6 did for DDIM")


class PromptRules(Frozen):
    """How the text of a prompt is read."""

    emphasis: Emphasis = "Original"
    comma_padding_backtrack: int = Field(20, ge=0, le=74)
    comments: bool = Field(True, description="text after # is left out")
    old_scheduling: bool = Field(False, description="prompt editing as A1111 before 1.6")
    old_emphasis: bool = Field(False, description="emphasis of the first versions: brackets inside tokens, SD1 only")


class TokenMerging(Frozen):
    """Share of tokens that self-attention merges (arXiv:2303.17604); 0 merges none, and elsewhere means `ratio`."""

    ratio: Number = Field(0.0, ge=0, le=0.9)
    picture_ratio: Number = Field(0.0, ge=0, le=0.9, description="in runs that start from a picture")
    hires_ratio: Number = Field(0.0, ge=0, le=0.9)


class Speed(Frozen):
    """Approximations: a job is faster with them, and its picture another one. Without them it is exact."""

    block_cache: Number = Field(
        0.0, ge=0, le=1, description="first-block cache: change of the first block up to which deep blocks are spared"
    )
    text_gate: Number = Field(
        0.0, ge=0, le=1, description="T-GATE (arXiv:2404.02747): share of steps after which the text is not asked again"
    )
    fp16_accumulation: bool = Field(False, description="NVIDIA's cards add up products in fp16")
    eight_bits: Literal["off", "int8", "fp8"] = Field(
        "off", description="linear layers multiply in 8 bits: int8 on CPUs and NVIDIA's cards, fp8 on these from Ada on"
    )


class SDXL(Frozen):
    """Size conditioning of SDXL (arXiv:2307.01952, section 2.2)."""

    crop_top: int = Field(0, ge=0, le=4096)
    crop_left: int = Field(0, ge=0, le=4096)
    aesthetic_score: Number = Field(6.0, ge=0, le=10, description="refiner, prompt")
    negative_aesthetic_score: Number = Field(2.5, ge=0, le=10, description="refiner, negative prompt")
    clip_l_skip: bool = Field(False, description="clip skip also for SDXL's first text encoder")


class GenerationRequest(Frozen):
    """Everything that determines the images of one job."""

    prompt: Prompt = ""
    negative_prompt: Prompt = ""
    styles: tuple[Name, ...] = Field((), max_length=100)
    task: Annotated[Txt2Img | Img2Img | Upscale, Field(discriminator="kind")] = Txt2Img()
    checkpoint: Name = Field("", description="any alias of a file in models/Stable-diffusion; empty: the current one")
    vae: Name = Field("Automatic", description="file name in models/VAE, or Automatic, or None (the one baked in)")
    vae_decoder: VaeMethod = Field("Full", description="TAESD: a tiny network in place of the VAE; quick, and coarser")
    vae_encoder: VaeMethod = Field("Full", description="the same for pictures that are read")
    sampler: Name = "DPM++ 2M"
    scheduler: Name = "Automatic"
    steps: int = Field(20, ge=1, le=150)
    cfg_scale: Number = Field(7.0, ge=0, le=100, description="classifier-free guidance scale (arXiv:2207.12598)")
    clip_skip: int = Field(1, ge=1, le=12, description="1: the last layer of the text encoder")
    width: int = Field(512, ge=SIZE_STEP, le=MAX_SIDE, multiple_of=SIZE_STEP)
    height: int = Field(512, ge=SIZE_STEP, le=MAX_SIDE, multiple_of=SIZE_STEP)
    seed: int = Field(-1, ge=-1, le=MAX_SEED, description="-1 draws one")
    subseed: int = Field(-1, ge=-1, le=MAX_SEED, description="variation seed; -1 draws one")
    subseed_strength: Number = Field(0.0, ge=0, le=1)
    seed_resize_from_w: int = Field(0, ge=0, le=8192)
    seed_resize_from_h: int = Field(0, ge=0, le=8192)
    batch_size: int = Field(1, ge=1, le=64)
    n_iter: int = Field(1, ge=1, le=1000, description="batches, one after another")
    tiling: bool = Field(False, description="seamless edges")
    inpainting_mask_weight: Number = Field(
        1.0, ge=0, le=1, description="how much of the masked part inpainting checkpoints do not see"
    )
    refiner: Refiner | None = None
    disable_extra_networks: bool = False
    noise: Noise = Noise()
    schedule: Schedule = Schedule()
    unipc: UniPC = UniPC()
    guidance: Guidance = Guidance()
    prompting: PromptRules = PromptRules()
    token_merging: TokenMerging = TokenMerging()
    speed: Speed = Speed()
    sdxl: SDXL = SDXL()
    a1111_infotext: bool = Field(
        False, description="write only what A1111 writes for the same image, not every value that is needed to make it"
    )
    extensions: dict[str, dict[str, JsonValue]] = Field(default_factory=dict, description="options by extension name")

    @field_validator("sampler")
    @classmethod
    def _sampler_may_exist(cls, name: str) -> str:
        if not may_be_sampler(name):
            raise ValueError(f"there is no sampler {name!r}; see the list of samplers")
        return name

    @field_validator("scheduler")
    @classmethod
    def _schedule_exists(cls, name: str) -> str:
        found = find_schedule(name)
        if found is None:
            raise ValueError(f"there is no schedule {name!r}; see the list of schedules")
        return found.label

    @model_validator(mode="after")
    def _affordable(self) -> "GenerationRequest":
        work = self.width * self.height * self.steps
        if isinstance(self.task, Txt2Img):
            self._hires_size(self.task.hires)
            work += self.task.hires.work(self.width, self.height, self.steps)
        calls = and_parts(self.prompt) + 1  # of the network in a step; 2 is usual
        work = work * self.batch_size * self.n_iter * calls // 2
        if work > MAX_WORK:
            raise ValueError(
                f"width x height x steps x images x parts is {work:.1e}, more than {MAX_WORK:.1e} in one request; "
                "ask for less"
            )
        return self

    def _hires_size(self, hires: Hires) -> None:
        target = hires.target(self.width, self.height)
        if hires.enabled and not (all(side >= SIZE_STEP for side in target.size) and max(target.size) <= MAX_SIDE):
            wide, high = target.size
            possible = f"sides of {SIZE_STEP} to {MAX_SIDE} can be made"
            raise ValueError(f"task.hires: would make {wide} x {high} pixels; {possible}")

    @property
    def merging_ratio(self) -> float:
        """Share of tokens merged in the first pass."""
        merging = self.token_merging
        return (merging.picture_ratio if self.task.kind == "img2img" else 0.0) or merging.ratio

    @property
    def hires_merging_ratio(self) -> float:
        """Share of tokens merged in the second pass of hires fix."""
        return self.token_merging.hires_ratio or self.token_merging.ratio

    @model_validator(mode="after")
    def _a_picture_each(self) -> "GenerationRequest":
        further = self.task.further_images if isinstance(self.task, Img2Img) else ()
        if further and self.batch_size != 1 + len(further):
            raise ValueError(
                f"batch_size is {self.batch_size}, but {1 + len(further)} pictures are given to start from; "
                "give one for all images or one for each"
            )
        return self

    @property
    def images(self) -> int:
        """How many images will be made."""
        return self.batch_size * self.n_iter

    def with_(self, **changes: Any) -> "GenerationRequest":
        """A validated copy with some fields changed."""
        return GenerationRequest.model_validate({**dict(self), **changes})
