"""LoRAs on the finished miniature, in kohya's format: low-rank additions to its linear layers (Hu et al. 2021).

`mini-ink` draws every object with a black contour, `mini-heart` knows a shape that the base has never seen.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from tools.train_mini.course import Course, Rates
from tools.train_mini.unet import Batches, Painter, noise_loss

RANK = 8
SEED = 6
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
UNET_LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")


class Addition(nn.Module):
    """x -> up(down(x)) beside a frozen layer; `up` starts at zero, so training starts from the base."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        if isinstance(layer, nn.Conv2d):
            self.down: nn.Module = nn.Conv2d(layer.in_channels, RANK, 1, bias=False)
            self.up: nn.Module = nn.Conv2d(RANK, layer.out_channels, 1, bias=False)
        elif isinstance(layer, nn.Linear):
            self.down = nn.Linear(layer.in_features, RANK, bias=False)
            self.up = nn.Linear(RANK, layer.out_features, bias=False)
        else:
            raise TypeError(f"a LoRA is made for linear layers and 1x1 convolutions, not for {type(layer).__name__}")
        nn.init.zeros_(self.up.weight)
        layer.register_forward_hook(self._add)

    def _add(self, _layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        added: Tensor = made + self.up(self.down(given[0]))
        return added


class Additions(nn.Module):
    """One addition for each linear layer of the text encoder and of the UNet's transformers, by kohya's names."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        self.table = nn.ModuleDict()
        for prefix, root, ends in (
            ("lora_te_text_model_", painter.text, TEXT_LAYERS),
            ("lora_unet_", painter.unet, UNET_LAYERS),
        ):
            for name, layer in list(root.named_modules()):
                if name.endswith(ends) and (prefix.startswith("lora_te") or ".attentions." in name):
                    self.table[prefix + name.replace(".", "_")] = Addition(layer)

    def tensors(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The file's tensors from averaged weights; alpha = rank, so strength 1 adds what was trained."""
        tensors: dict[str, Tensor] = {}
        for key, value in weights.items():
            _, layer, part, _ = key.split(".")
            tensors[f"{layer}.lora_{part}.weight"] = value
            tensors[f"{layer}.alpha"] = torch.tensor(float(RANK))
        return tensors


def train_lora(name: str, painter: Painter, batch: Batches, folder: Path, steps: int) -> dict[str, Tensor]:
    """Train or go on training; returns the tensors of the file. `painter` is spent: its layers carry the additions."""
    painter.requires_grad_(False)
    torch.manual_seed(SEED)
    additions = Additions(painter).to(painter.device)
    course = Course(name, additions, folder, Rates(2e-3, warmup=20, fall=0.5), average=0.98)

    course.run(steps, lambda generator: noise_loss(painter, batch(generator)), seed=SEED)
    return additions.tensors(course.averaged())
