"""LoRA, LoCon and DoRA: peft puts adapters into the layers, and kohya's names are given to what they have learned.

Sources: Hu et al. (arXiv:2106.09685), Liu et al. (arXiv:2402.09353) for DoRA; the names of layers are those of kohya's
trainer (`lora_unet_`, `lora_te_`, with SDXL `lora_te1_` and `lora_te2_`, and LDM's names in its UNet).
"""

import re
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import ClipTower, LoadedModel

from .optimizers import Group
from .options import TrainOptions

_TRANSFORMER = re.compile(
    r".*attentions\.\d+\.(.+\.)?(to_[qkv]|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2)"
)
_CONVOLUTION = re.compile(r".*(resnets\.\d+\.(conv1|conv2|conv_shortcut|time_emb_proj)|(down|up)samplers\.\d+\.conv)")
_TEXT = re.compile(r".*(self_attn\.([qkv]_proj|out_proj)|mlp\.fc[12])")
_ADAPTER = "default"  # peft's name of the only adapter
_PARTS = MappingProxyType(
    {
        f"lora_A.{_ADAPTER}.weight": "lora_down.weight",
        f"lora_B.{_ADAPTER}.weight": "lora_up.weight",
        f"lora_magnitude_vector.{_ADAPTER}.weight": "dora_scale",
    }
)


class AdapterNetworks:
    """Adapters in the networks of a checkpoint that belongs to the caller. `parameters` are what is trained."""

    def __init__(self, model: LoadedModel, options: TrainOptions) -> None:
        """Raises UnusableFileError where no layer of the network can take an adapter."""
        self._options = options
        self._model = model
        unet = model.unet.module
        self._roots: list[tuple[str, nn.Module]] = [("lora_unet_", unet)]
        inject(unet, _unet_layers(unet, options), options)
        towers = [one for one in model.text.encoders if isinstance(one, ClipTower)]
        self.trains_text = options.text_learning_rate > 0 and model.text.side.trained_networks
        for number, tower in enumerate(towers if self.trains_text else []):
            name = "lora_te_" if len(towers) == 1 else f"lora_te{number + 1}_"
            inject(tower.module, _layers(tower.module, _TEXT), options)
            self._roots.append((name, tower.module))
        self.parameters: dict[str, nn.Parameter] = {
            f"{prefix}{name}": value
            for prefix, root in self._roots
            for name, value in root.named_parameters()
            if value.requires_grad
        }

    def groups(self) -> list[Group]:
        """What is trained, with learning rates."""
        unet = [value for name, value in self.parameters.items() if name.startswith("lora_unet_")]
        text = [value for name, value in self.parameters.items() if not name.startswith("lora_unet_")]
        return [Group(unet, self._options.rate), Group(text, self._options.text_learning_rate)]

    def tensors(self) -> dict[str, Tensor]:
        """What was learned, by kohya's names, float32 on the CPU; with an alpha for each layer."""
        made: dict[str, Tensor] = {}
        for prefix, root in self._roots:
            for name, value in root.named_parameters():
                if not value.requires_grad:
                    continue
                layer, part = _split(name)
                key = prefix + self._file_name(prefix, layer)
                kept = value.detach().float().cpu()
                made[f"{key}.{part}"] = _by_output(kept, root.get_submodule(layer)) if part == "dora_scale" else kept
                made[f"{key}.alpha"] = torch.tensor(_alpha(self._options, root.get_submodule(layer)))
        return made

    def _file_name(self, prefix: str, layer: str) -> str:
        if prefix != "lora_unet_":
            return f"text_model_{layer.removeprefix('text_model.').replace('.', '_')}"
        if self._model.spec.family.ldm_names_first:
            layer = self._model.unet.shape.layout.to_ldm(layer) or layer
        return layer.replace(".", "_")


def inject(root: nn.Module, layers: list[str], options: TrainOptions) -> None:
    """Put adapters into layers, in place, with first values that follow from the seed; everything else stands still.

    Args:
        layers: their names in `root`.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if not layers:
        raise UnusableFileError(f"{type(root).__name__}: no layer in it takes an adapter")
    wide = [name for name in layers if _is_wide(root.get_submodule(name))]
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]  # peft divides it; it may be a fraction
        target_modules="|".join(map(re.escape, layers)),
        rank_pattern=dict.fromkeys(map(re.escape, wide), options.conv_rank),
        alpha_pattern=dict.fromkeys(map(re.escape, wide), options.conv_alpha),
        use_dora=options.method == "dora",
    )
    root.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        inject_adapter_in_model(config, root)
    for name, value in root.named_parameters():
        value.requires_grad_("lora_" in name)
        if "lora_" in name:
            value.data = value.data.float()


def _unet_layers(unet: nn.Module, options: TrainOptions) -> list[str]:
    return _layers(unet, _TRANSFORMER) + (_layers(unet, _CONVOLUTION) if options.method == "locon" else [])


def _layers(root: nn.Module, pattern: re.Pattern[str]) -> list[str]:
    return [
        name
        for name, module in root.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and pattern.fullmatch(name)
    ]


def _is_wide(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1


def _alpha(options: TrainOptions, layer: Any) -> float:
    return options.conv_alpha if _is_wide(layer.base_layer) else options.alpha


def _split(name: str) -> tuple[str, str]:
    """The layer and the part in kohya's words that peft's name of a parameter means."""
    for ending, part in _PARTS.items():
        if name.endswith(f".{ending}"):
            return name.removesuffix(f".{ending}"), part
    raise UnusableFileError(f"{name}: is no adapter of a known kind")


def _by_output(magnitude: Tensor, layer: Any) -> Tensor:
    """Norms (out, 1) or (out, 1, 1, 1), as LyCORIS writes them."""
    return magnitude.reshape(-1, *[1] * (layer.base_layer.weight.dim() - 1))
