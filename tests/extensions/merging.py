"""What the tests of merging share: small checkpoints with all 25 blocks, a models folder, and an action's context."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.library.small import small_vae, text_tensors
from tests.narrowing import untyped
from webui.extension_api import ActionContext
from webui.library.layout import unet_layout
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
CHANNELS = 32


def checkpoint(seed: int, *, in_channels: int = 4, noise: float = 0.05) -> dict[str, Tensor]:
    """Random float32 tensors of a whole SD1 checkpoint with four UNet levels, hence 25 blocks."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    unet = untyped(UNet2DConditionModel)(
        in_channels=in_channels, block_out_channels=(CHANNELS,) * 4, layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=64, attention_head_dim=8,
    )  # fmt: skip
    layout = unet_layout([2, 2, 2, 2], [True, False, False, False])
    tensors = {f"{UNET}{layout.to_ldm(name)}": value for name, value in unet.state_dict().items()}
    tensors |= {f"{VAE}{name}": value for name, value in small_vae().items()} | text_tensors()
    drawn = {name: value + noise * torch.randn(value.shape) for name, value in tensors.items()}
    return {**drawn, f"{TEXT}embeddings.position_ids": torch.arange(77)[None], "alphas_cumprod": torch.rand(1000)}


class Folder:
    """A models folder of a test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models_dir = root / "models"
        for name in ("Stable-diffusion", "VAE", "Lora"):
            (self.models_dir / name).mkdir(parents=True)
        self.library = ModelLibrary(self.models_dir, root / "cache", FAMILIES)

    def put(self, path: str, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> dict[str, Tensor]:
        """Write a file such as `Lora/x` and give its tensors back."""
        whole = {name: value.contiguous() for name, value in tensors.items()}
        save_file(whole, self.models_dir / f"{path}.safetensors", metadata)
        self.library.refresh()
        return tensors

    def get(self, path: str) -> dict[str, Tensor]:
        return load_file(self.models_dir / f"{path}.safetensors")

    def merged(self, name: str = "out") -> dict[str, Tensor]:
        return self.get(f"Stable-diffusion/{name}")

    def files(self) -> set[str]:
        """Every file there is, hidden ones included."""
        return {path.relative_to(self.models_dir).as_posix() for path in self.models_dir.rglob("*") if path.is_file()}

    def context(
        self, stopped: Callable[[], bool] = lambda: False, progress: Callable[[int, int, str], None] | None = None
    ) -> ActionContext:
        self.library.refresh()
        return ActionContext(
            LibraryModels(self.library), progress or (lambda done, total, text: None), stopped, torch.device("cpu"),
            torch.float32,
        )  # fmt: skip


def largest_error(got: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """The largest difference over all tensors, which must be the same ones."""
    assert got.keys() == wanted.keys()
    return max(float((got[name].double() - wanted[name].double()).abs().max()) for name in got)


def is_merged(name: str) -> bool:
    """Whether a tensor of `checkpoint` is a weight."""
    return "model" in name and not name.endswith("position_ids")
