"""Which number format a graphics card computes well in."""

from dataclasses import dataclass

import torch

# Turing without tensor cores: networks of Stable Diffusion give NaN there in fp16.
_GTX_16 = ("GTX 16", "T500", "T550", "T600", "T1000", "T1200", "T2000", "MX450", "MX550", "CMP 30HX")
_TURING, _VOLTA, _AMPERE, _ADA = (7, 5), (7, 0), (8, 0), (8, 9)
_P100 = (6, 0)  # the one Pascal that computes fp16 at full speed
_ROOM_FOR_FP32 = 10 * 2**30  # bytes; on smaller ones a network of fp32 leaves no room for anything else
_AMD_BF16 = ("gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")  # CDNA 2 and later, RDNA 3 and later


@dataclass(frozen=True, slots=True)
class Card:
    """What decides its formats.

    Attributes:
        kind: of the torch device.
        name: as its driver gives it.
        capability: NVIDIA's compute capability; (0, 0) for others.
        memory: bytes; 0 where nobody knows.
        architecture: AMD's name of it; "" for others.
    """

    kind: str
    name: str = ""
    capability: tuple[int, int] = (0, 0)
    memory: int = 0
    architecture: str = ""

    @property
    def has_bf16(self) -> bool:
        """Whether it computes bf16 itself."""
        if self.architecture:
            return self.architecture.startswith(_AMD_BF16)
        return self.kind == "xpu" or (self.kind == "cuda" and self.capability >= _AMPERE)

    @property
    def network_format(self) -> torch.dtype:
        """Of networks and text encoders: fp16, but fp32 where fp16 gives NaN, or is slow and fp32 has room."""
        if self.kind != "cuda" or self.architecture or self.capability >= _AMPERE:
            return torch.float16
        if self.capability == _TURING and any(one in self.name for one in _GTX_16):
            return torch.float32
        slow = self.capability < _VOLTA and self.capability != _P100
        return torch.float32 if slow and self.memory >= _ROOM_FOR_FP32 else torch.float16

    @property
    def multiplies_int8(self) -> bool:
        """Whether torch multiplies matrices in int8 there (`torch._int_mm`)."""
        return self.kind == "cpu" or (self.kind == "cuda" and not self.architecture and self.capability >= _TURING)

    @property
    def multiplies_fp8(self) -> bool:
        """Whether it multiplies matrices in fp8 itself (`torch._scaled_mm`)."""
        return self.kind == "cuda" and not self.architecture and self.capability >= _ADA

    def vae_format(self, network: torch.dtype) -> torch.dtype:
        """Of VAEs beside networks of a format: bf16 does not overflow, as fp16 may."""
        return torch.bfloat16 if network != torch.float32 and self.has_bf16 else network

    def wider(self, network: torch.dtype) -> torch.dtype | None:
        """The format to try where a network's answers are NaN; None where there is no wider one."""
        if network == torch.float32:
            return None
        return torch.bfloat16 if network == torch.float16 and self.has_bf16 else torch.float32


def card_at(device: torch.device) -> Card:
    """The card behind a device of torch."""
    if device.type != "cuda":
        return Card(device.type)
    found = torch.cuda.get_device_properties(device)
    architecture = str(getattr(found, "gcnArchName", "")) if torch.version.hip else ""
    return Card("cuda", found.name, (found.major, found.minor), found.total_memory, architecture)
