"""What a family of checkpoints is, as plain data: how its latents look, what its text side takes, what it cannot do.

Needs no torch, so both processes read it. Each family stands in a folder of `webui/weights/families`; the list of all
is handed to `ModelLibrary`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from webui.domain.errors import UnusableFileError
from webui.domain.fields import SIZE_STEP
from webui.library.headers import Header
from webui.library.midas import MidasShape
from webui.library.shapes import Shapes, UnetShape, VaeShape

Colour = tuple[float, float, float]
PredictionSource = Literal["metadata", "sidecar", "marker", "default"]
ResidualKind = Literal["down", "mid", "levels"]  # the fields of `sampling.steps.Residuals`
ALL_RESIDUALS: frozenset[ResidualKind] = frozenset({"down", "mid", "levels"})
SizeNumber = Literal["height", "width", "crop_top", "crop_left", "aesthetic_score"]


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """How the latents of a family look.

    Attributes:
        channels: of a latent.
        cell: pixels along one side of a latent cell.
        scale, shift: latents are (what the encoder answers - shift) x scale.
        colours: a linear fit for previews, red, green and blue of each channel; a picture in -1..1 is their sum.
        base: the colour of latents of zeros in that fit.
    """

    channels: int
    cell: int
    scale: float
    colours: tuple[Colour, ...]
    shift: float = 0.0
    base: Colour = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if len(self.colours) != self.channels:
            raise ValueError(f"{len(self.colours)} colours for {self.channels} latent channels; give one for each")

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """(h, w) in cells of a picture of that size in pixels."""
        return height // self.cell, width // self.cell

    def shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(C, h, w) of one latent of a picture of that size in pixels."""
        return (self.channels, *self.grid(width, height))

    def fits(self, other: "LatentFormat") -> bool:
        """Whether latents of one are latents of the other too, as far as their shape tells."""
        return (self.channels, self.cell) == (other.channels, other.cell)


@dataclass(frozen=True, slots=True)
class TextSide:
    """What the text side of a family takes and answers.

    Attributes:
        window: tokens that are encoded together, the one before the text (BOS) and the one after it (EOS) included.
        joining: along what the answers of several encoders are joined.
        clip_skip: whether clip skip is followed always, where the request asks for it (`sdxl.clip_l_skip`), or never.
            From which layer it counts is each encoder's own.
        old_emphasis: whether the emphasis of the first versions acts.
        numbers: what is embedded behind the pooled text in the conditioning vector; () for families without a vector.
        zeroes_empty_negative: whether an empty negative prompt is zeros instead of the encoded empty text.
        trained_networks: whether network files (LoRA) are trained on its encoders.
    """

    window: int
    joining: Literal["channels", "tokens"] = "channels"
    clip_skip: Literal["always", "asked", "never"] = "never"
    old_emphasis: bool = False
    numbers: tuple[SizeNumber, ...] = ()
    zeroes_empty_negative: bool = False
    trained_networks: bool = True

    @property
    def chunk(self) -> int:
        """Tokens of a text that are encoded together: the window without BOS and EOS."""
        return self.window - 2


@dataclass(frozen=True, slots=True)
class Family:
    """A family of checkpoints: everything about it that other rooms need to know.

    Attributes:
        name: short and for machines, told where two do not fit.
        label: for users, in texts that list what is supported.
        latents: as the family's own VAEs make them; a checkpoint may state another scale (`ModelSpec.latents`).
        marks: whether the names and shapes of a file's tensors are those of this family. Looks at few of them.
        read: everything about a file with these marks, from (this family, file name for error texts, header, parsed
            yaml beside it). Raises UnusableFileError where it is incomplete or cannot be run.
        networks: gives what builds its networks and says how they are asked (`weights.families.contract`). Called only
            where torch may be loaded.
        residuals: what may be added inside its network (ControlNet and the like); the rest is refused.
        size_multiple: sides of pictures in pixels are multiples of it.
        schedule: label of the schedule that "Automatic" means; "" means the sampler's own.
        tuned_levels: which set of the levels of "Align Your Steps" was made for it; "" for none.
        has_timesteps: whether samplers that walk training timesteps of a variance-preserving process (DDIM) can be
            used.
        refines: it is made to finish what another checkpoint began.
        tells_mask_of_txt2img: whether infotexts of txt2img with its inpainting checkpoints tell of the mask, in A1111.
        trainer_name: what trainers write as `ss_base_model_version` into network files; "" for its name.
        vae_overflows: whether its own VAEs give values that float16 cannot hold.
        tiny_vae: how files of tiny autoencoders for its latents begin; "": there are none.
        ldm_names_first: whether network files call layers of its UNet by LDM's names first, not by those of diffusers.
    """

    name: str
    label: str
    latents: LatentFormat
    text: TextSide
    marks: Callable[[Shapes], bool]
    read: "Callable[[Family, str, Header, Mapping[str, Any]], ModelSpec]"
    networks: Callable[[], object]
    residuals: frozenset[ResidualKind] = frozenset()
    size_multiple: int = SIZE_STEP
    schedule: str = ""
    tuned_levels: Literal["", "sd", "xl"] = ""
    has_timesteps: bool = False
    refines: bool = False
    tells_mask_of_txt2img: bool = True
    trainer_name: str = ""
    ldm_names_first: bool = False
    vae_overflows: bool = False
    tiny_vae: str = ""

    @property
    def takes_vector(self) -> bool:
        """Whether its network is told sizes and pooled text in a vector (SDXL)."""
        return bool(self.text.numbers)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a checkpoint is.

    Attributes:
        in_channels: that its network takes: those of the latents, and what is shown beside them.
        prediction: what the network answers, in the family's own words: epsilon, v (arXiv:2202.00512), ...
        prediction_source: where that was read; "default" is a guess by family.
        notices: what the user should know of the file, in sentences.
        takes_guidance: its network is told the guidance scale and answers with guidance (LCM); it is asked about the
            prompt alone.
        latents: as its VAE makes them.
        network: what the tensors of its network tell; a `UnetShape` where that is a UNet.
        heads: attention heads of each UNet level; () where it has none.
        vae: None when the checkpoint has no VAE of its own.
        depth: the depth network inside a depth checkpoint; None in all others.
        sidecar: the parsed yaml beside the file; empty if none.
    """

    family: Family
    in_channels: int
    prediction: str
    prediction_source: PredictionSource
    zero_terminal_snr: bool
    latents: LatentFormat
    network: object
    vae: VaeShape | None
    heads: tuple[int, ...] = ()
    sidecar: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    depth: MidasShape | None = None
    notices: tuple[str, ...] = ()
    takes_guidance: bool = False

    @property
    def unet(self) -> UnetShape:
        """The shape of its UNet. Raises UnusableFileError where its network is another one."""
        if not isinstance(self.network, UnetShape):
            raise UnusableFileError(f"a checkpoint of the family {self.family.name} has no UNet")
        return self.network

    @property
    def shown_channels(self) -> int:
        """Channels that are shown to the network beside the latents."""
        return self.in_channels - self.latents.channels

    @property
    def inpaints(self) -> bool:
        """It takes a mask and the masked image beside the latents."""
        return self.shown_channels == 1 + self.latents.channels

    @property
    def edits(self) -> bool:
        """instruct-pix2pix (arXiv:2211.09800): it takes an image beside the latents."""
        return self.shown_channels == self.latents.channels

    @property
    def stands_alone(self) -> bool:
        """It makes pictures from text and nothing else."""
        return self.shown_channels == 0 and not self.family.refines
