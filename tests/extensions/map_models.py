"""Networks that draw maps, of a few thousand random numbers, written as Hugging Face's programs write theirs."""

import json
from pathlib import Path

import torch

from tests.narrowing import untyped
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES

BEIT = {
    "model_type": "beit", "image_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4,
    "num_attention_heads": 2, "use_relative_position_bias": True, "reshape_hidden_states": False, "patch_size": 16,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}  # fmt: skip
DINO = {
    "model_type": "dinov2", "image_size": 28, "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 4,
    "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False, "patch_size": 14, "mlp_ratio": 2,
}  # fmt: skip
BIT = {
    "model_type": "bit", "global_padding": "same", "layer_type": "bottleneck", "depths": [1, 1, 1],
    "hidden_sizes": [32, 64, 64], "embedding_size": 32, "num_groups": 8, "embedding_dynamic_padding": True,
    "out_features": ["stage1", "stage2", "stage3"],
}  # fmt: skip


def write(kind: str, folder: Path, seed: int = 0) -> None:
    """Save a random network into a folder: a `hybrid` DPT, or one of the kinds that `model_type` names."""
    import transformers as typed

    transformers = untyped(typed)  # whose configurations take any keyword

    torch.manual_seed(seed)
    sizes = {"neck_hidden_sizes": [8, 16, 16, 32], "fusion_hidden_size": 16}
    if kind == "hybrid":
        config = transformers.DPTConfig(
            is_hybrid=True, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            image_size=64, backbone_out_indices=[0, 0, 0, 1], reassemble_factors=[1, 1, 1, 0.5],
            neck_hidden_sizes=[32, 64, 32, 32], fusion_hidden_size=16, backbone_featmap_shape=[1, 64, 4, 4],
            backbone_config=BIT,
        )  # fmt: skip
        network = transformers.DPTForDepthEstimation(config)
    elif kind == "dpt":
        config = transformers.DPTConfig(
            hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64, image_size=64,
            backbone_out_indices=[0, 1, 2, 3], **sizes,
        )  # fmt: skip
        network = transformers.DPTForDepthEstimation(config)
    elif kind == "depth_anything":
        config = transformers.DepthAnythingConfig(
            backbone_config=DINO, reassemble_hidden_size=32, head_hidden_size=8, **sizes
        )
        network = transformers.DepthAnythingForDepthEstimation(config)
        network.head.conv3.bias.data += 1  # so that the last rectifier lets something through
    elif kind == "upernet":
        config = transformers.UperNetConfig(
            backbone_config={"model_type": "convnext", "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1],
                             "out_features": ["stage1", "stage2", "stage3", "stage4"]},
            hidden_size=16, auxiliary_channels=8, auxiliary_in_channels=16, num_labels=150,
        )  # fmt: skip
        network = transformers.UperNetForSemanticSegmentation(config)
    elif kind == "segformer":
        config = transformers.SegformerConfig(
            hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1],
            decoder_hidden_size=16, num_labels=150,
        )  # fmt: skip
        network = transformers.SegformerForSemanticSegmentation(config)
    else:
        config = transformers.ZoeDepthConfig(
            backbone_config=BEIT, bottleneck_features=16, num_relative_features=8, bin_embedding_dim=8, **sizes
        )
        network = transformers.ZoeDepthForDepthEstimation(config)
    if kind in ("hybrid", "dpt"):
        network.head.head[4].bias.data += 1
    for weights in network.neck.state_dict().values() if kind == "dpt" else ():
        weights.mul_(5)  # random layers in a row otherwise leave less than float32 can tell apart
    network.save_pretrained(folder)
    shown = {"size": {"height": 64, "width": 64}, "ensure_multiple_of": 14 if kind == "depth_anything" else 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(shown), encoding="utf-8")


def models_of(folder: Path) -> LibraryModels:
    """The models of a models folder, as extensions see them."""
    return LibraryModels(ModelLibrary(folder, folder / "cache", FAMILIES))
