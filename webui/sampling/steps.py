"""The types that sampling passes around: steps, calls of the network, residuals. There is no arithmetic here.

Notation of Karras et al. 2022 (arXiv:2206.00364): latents at noise level sigma are clean + sigma x unit noise.
Shapes: B images, C latent channels, h x w latent cells (`library.family.LatentFormat` says how many).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from webui.library.family import ALL_RESIDUALS, ResidualKind
from webui.prompt.composition import NetworkTag
from webui.prompt.conditioning import Conditioning
from webui.sampling.attending import AttentionLayer, TakePart

StageName = Literal["base", "refiner"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its job a step, or a call of the network, stands. A run of the sampler is one pass over one batch.

    One call is one estimate of the clean latents. The network may be asked several times for it (the prompt and the
    negative prompt apart); all of these share their numbers here.

    Attributes:
        batch: 0-based index of the batch in the job.
        hires: whether the run is the second pass of hires fix.
        stage: which network answers: the checkpoint of the pass, or its refiner once that has taken over. In hooks
            before and after a step it is the network of the latest call.
        call: how many calls the run made before this one.
        call_in_step: how many of those belong to this step.
    """

    batch: int = 0
    hires: bool = False
    stage: StageName = "base"
    call: int = 0
    call_in_step: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run.

    Attributes:
        index: 0-based; `total` is how many steps the loop makes.
        sigma, sigma_next: 0-dimensional tensors, the noise levels from and to which it leads. They lie on the CPU on
            every device: arithmetic with latents takes them as numbers, and reading them makes nobody wait.
        timestep, timestep_next: the same levels as training timesteps (0-dimensional tensors) in samplers that are
            defined on those (DDIM family): their latents are variance preserving, (clean + sigma x noise) / sqrt(1 +
            sigma^2). None in all others, whose latents are clean + sigma x noise.
        place: where in its job it stands at the moment when a hook or `watch` gets it.
    """

    index: int
    total: int
    sigma: Tensor
    sigma_next: Tensor
    place: Place = Place()
    timestep: Tensor | None = None
    timestep_next: Tensor | None = None

    @property
    def hires(self) -> bool:
        """Whether it belongs to the second pass of hires fix."""
        return self.place.hires

    @property
    def progress(self) -> float:
        """Share of the steps done before this one, 0..1."""
        return self.index / self.total

    @property
    def is_last(self) -> bool:
        return self.index == self.total - 1


@dataclass(frozen=True, slots=True)
class Past:
    """A finished step, as multistep samplers look back on it."""

    sigma: Tensor
    denoised: Tensor  # (B, C, h, w)
    derivative: Tensor | None = None  # (B, C, h, w): (x - denoised) / sigma, or epsilon in timestep space
    uncond: Tensor | None = None  # (B, C, h, w): clean estimate of the negative prompt alone, in CFG++ samplers


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of a step: the latents after it, and its estimate of the clean latents. Both are (B, C, h, w)."""

    latents: Tensor
    denoised: Tensor
    derivative: Tensor | None = None
    uncond: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Residuals:
    """What is added inside the network: in a UNet one tensor a skip connection, and one for the middle block.

    `down` is in the order the encoder makes them (12 for SD1), each (rows, channels, h_i, w_i); empty means none.
    `levels` is added within the encoder, after each level's last block, and so reaches all that follows (T2I-Adapter):
    one tensor a level, full size first (SDXL: the last one after the middle block); empty means none.
    """

    down: tuple[Tensor, ...] = ()
    mid: Tensor | None = None
    levels: tuple[Tensor, ...] = ()

    @property
    def kinds(self) -> frozenset[ResidualKind]:
        """Those of its fields that hold something."""
        found: tuple[tuple[ResidualKind, bool], ...] = (
            ("down", bool(self.down)), ("mid", self.mid is not None), ("levels", bool(self.levels)),
        )  # fmt: skip
        return frozenset(kind for kind, is_there in found if is_there)

    def __add__(self, other: "Residuals") -> "Residuals":
        mid = other.mid if self.mid is None else self.mid if other.mid is None else self.mid + other.mid
        return Residuals(_sums(self.down, other.down), mid, _sums(self.levels, other.levels))


def _sums(ours: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if not ours or not others:
        return ours or others
    return tuple(a + b for a, b in zip(ours, others, strict=True))


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the latents of a run, in cells."""

    top: int
    left: int
    height: int
    width: int

    def of(self, whole: Tensor, factor: int = 1) -> Tensor:
        """What lies in it of a tensor (..., h, w) that covers all latents with `factor` values to a cell and side."""
        top, left = self.top * factor, self.left * factor
        return whole[..., top : top + self.height * factor, left : left + self.width * factor]


class Row(NamedTuple):
    """Whose estimate a row of a call is.

    Attributes:
        image: 0-based index of its image in the batch.
        positive: False where it belongs to the negative prompt.
        part: 0-based index of the part of the prompt (parts are joined by AND); 0 for the negative prompt.
    """

    image: int
    positive: bool
    part: int


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of the network, as hooks see it before it happens.

    Attributes:
        step: the step that it is made for, with its place at this call.
        sample: (rows, C_in, h, w), scaled as the network wants it; C_in is C, or more with conditioning channels.
            Where there are windows, h and w are theirs.
        timestep: (rows,) float, by which the network is told the noise level; may be fractional.
        context: (rows, T, D) text conditioning.
        positive: (rows,) bool; False where the row belongs to the negative prompt.
        vector: (rows, D_y) of SDXL, or None.
        takes: which residuals the network takes.
        cfg_scale: the guidance scale, for networks that are told it.
        windows: the parts of the latents that the rows show, the same number of rows for each; empty: all of them.
        whole: where there are windows, (h, w) of all latents.
        rows: whose each row is, known without waiting for a device.
        layers: the attention layers of the network by their names, in the order of execution.
        taking_part: who takes part in the attention of which layers, see the hook `unet_attention`.
        networks: the tags of the prompt whose networks act in this call; None: all. Who calls the network by the hook
            `call_network` may say it; the bundled `lora` heeds it.
    """

    step: Step
    sample: Tensor
    timestep: Tensor
    context: Tensor
    positive: Tensor
    vector: Tensor | None = None
    takes: frozenset[ResidualKind] = ALL_RESIDUALS
    cfg_scale: float = 1.0
    windows: tuple[Window, ...] = ()
    whole: tuple[int, int] = (0, 0)
    rows: tuple[Row, ...] = ()
    layers: Mapping[str, AttentionLayer] = field(default_factory=dict)
    taking_part: Mapping[str, TakePart] = field(default_factory=dict)
    networks: tuple[NetworkTag, ...] | None = None

    @property
    def place(self) -> Place:
        """Where in its job the call stands."""
        return self.step.place

    @property
    def cells(self) -> tuple[int, int]:
        """(h, w) of all latents of the run, of which the windows show parts."""
        return self.whole if self.windows else (self.sample.shape[-2], self.sample.shape[-1])

    def within(self, windows: Sequence[Window]) -> "ModelCall":
        """The call for parts of the latents: all its rows for the first window, then all for the next, and so on.

        Raises:
            ValueError: it is for parts already, or the windows differ in size.
        """
        count = len(windows)
        if self.windows or len({(one.height, one.width) for one in windows}) != 1:
            raise ValueError("a call can be made for windows of one size, of all its latents")
        return replace(
            self,
            sample=torch.cat([one.of(self.sample) for one in windows]),
            timestep=self.timestep.repeat(count),
            context=self.context.repeat(count, 1, 1),
            positive=self.positive.repeat(count),
            vector=None if self.vector is None else self.vector.repeat(count, 1),
            windows=tuple(windows),
            whole=self.cells,
            rows=self.rows * count,
        )

    def cut(self, whole: Tensor, factor: int = 1) -> Tensor:
        """What the rows show of a tensor that covers all latents.

        Args:
            whole: (1, C, h x factor, w x factor), or one for each row of a window.

        Returns:
            `whole` itself without windows; else (rows, C, ...).
        """
        if not self.windows:
            return whole
        rows = len(self.sample) // len(self.windows)
        return torch.cat([one.of(whole, factor).expand(rows, -1, -1, -1) for one in self.windows])


class Denoiser(Protocol):
    """Maps (latents, sigma) to the estimate of the clean latents, guidance included."""

    def __call__(self, latents: Tensor, sigma: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Two estimates of the clean latents (B, C, h, w): with guidance, and of the negative prompt alone."""

    guided: Tensor
    uncond: Tensor


class PairDenoiser(Protocol):
    """Maps (latents, sigma) to both estimates. CFG++ samplers need them apart."""

    def __call__(self, latents: Tensor, sigma: Tensor) -> Pair: ...


class StepNoise(Protocol):
    """Unit noise for a step (B, C, h, w). Brownian sources use the two levels, the others ignore them."""

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor: ...


class Network(Protocol):
    """A network with the casts around it: it takes tensors of any dtype and returns float32, (rows, C, h, w)."""

    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor: ...


CallNetwork = Callable[[ModelCall], Tensor]  # (rows, C, h, w) float32: residuals of extensions are added


class Estimate(Protocol):
    """Asks the network beside the run, with a text and a guidance scale of its own."""

    def __call__(self, step: Step, latents: Tensor, text: Conditioning, cfg_scale: float) -> Tensor:
        """The guided estimate of the clean latents.

        Args:
            step: `sigma` is the noise level, 0-dimensional on the CPU and above 0; `index` and `total` tell those who
                act in a part of a run which part it is.
            latents: (B, C, h, w), clean + sigma x noise.
            text: of the images of the batch; of a schedule the text of the first call is taken.
        """


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run of the sampler begins with, beside its noise.

    Attributes:
        latents: (B, C, h, w), the clean latents that the noise is added to; None: it begins with noise alone.
        levels: number of steps -> (steps + 1,) noise levels on the CPU, of evenly spaced timesteps of the checkpoint,
            descending, the last 0.
        estimate: asks the network that the run begins with. Hooks inside it are called as in a step.
    """

    latents: Tensor | None
    levels: Callable[[int], Tensor]
    estimate: Estimate


class Ask(Protocol):
    """Asks the network once more within a call, at its noise level and with its text."""

    def __call__(self, latents: Tensor, positive: bool) -> Tensor:
        """The estimate of the clean latents (B, C, h, w) of the prompt, or of the negative prompt, without guidance.

        Args:
            latents: (B, C, h, w), clean + sigma x noise.
            positive: the prompt (of one with AND its first part); else the negative prompt.
        """


class StepHooks(Protocol):
    """The hooks that sampling calls. They never return None: `webui/plugins` has replaced it by the value unchanged.

    `edits_denoised` says whether any extension has the hook `edit_denoised`.
    """

    @property
    def edits_denoised(self) -> bool: ...

    def edit_noise(self, place: Place, noise: Tensor, start: RunStart) -> Tensor: ...
    def pre_step(self, step: Step, latents: Tensor) -> Tensor: ...
    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor: ...
    def unet_residuals(self, call: ModelCall) -> Residuals | None: ...

    def call_network(self, call: ModelCall, network: CallNetwork) -> Tensor:
        """What the network answers, called in one piece or as an extension wants it."""

    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart]:
        """Who takes part in the attention of which layers; empty: nobody."""

    def refuse_attention(self) -> None:
        """With those who took part in the call before, the network's output was not finite; without it is."""

    def refuse_residuals(self, error: Exception) -> None:
        """The network could not use what `unet_residuals` gave last; it was called without."""

    def edit_denoised(
        self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor, latents: Tensor, ask: Ask
    ) -> Tensor: ...


Locate = Callable[[Step], Step]  # returns the step with its `place` filled in
Watch = Callable[[Step, Tensor], None]  # is told each step and its clean estimate; raises Cancelled to stop the run
