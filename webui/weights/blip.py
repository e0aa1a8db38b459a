"""BLIP (Li et al. 2022, arXiv:2201.12086) for captions, built by transformers from the file that A1111 uses.

The names in the file are those of the paper's own code; sizes follow from shapes.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from transformers.models.blip.configuration_blip import BlipConfig
from transformers.models.blip.modeling_blip import BlipForConditionalGeneration

from webui.domain.errors import UnusableFileError
from webui.weights.tensors import TensorFile

HEAD_WIDTH = 64  # channels of a head of attention
ADDED_WORDS = 2  # that BLIP added behind BERT's; with the first of them a sentence begins
_RENAMED = (
    (r"^visual_encoder\.cls_token$", "vision_model.embeddings.class_embedding"),
    (r"^visual_encoder\.pos_embed$", "vision_model.embeddings.position_embedding"),
    (r"^visual_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual_encoder\.norm\.", "vision_model.post_layernorm."),
    (r"^visual_encoder\.blocks\.(\d+)\.attn\.proj\.", r"vision_model.encoder.layers.\1.self_attn.projection."),
    (r"^visual_encoder\.blocks\.(\d+)\.attn\.", r"vision_model.encoder.layers.\1.self_attn."),
    (r"^visual_encoder\.blocks\.(\d+)\.norm([12])\.", r"vision_model.encoder.layers.\1.layer_norm\2."),
    (r"^visual_encoder\.blocks\.(\d+)\.mlp\.", r"vision_model.encoder.layers.\1.mlp."),
)


def build_blip(file: TensorFile) -> Any:
    """The network in a file, a `BlipForConditionalGeneration` on the CPU, float32.

    Raises:
        UnusableFileError: tensors are missing.
    """
    root = "model." if "model.visual_encoder.cls_token" in file else ""
    names = {transformers_name(name.removeprefix(root)): name for name in file.names()}
    try:
        config = _config({new: file.shape(old) for new, old in names.items()})
    except (KeyError, ValueError) as error:
        raise UnusableFileError(f"{file.path.name} is no BLIP network for captions: {error} is not in it") from None
    network: Any = BlipForConditionalGeneration(config)
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in names and not name.endswith("predictions.decoder.bias")]
    if missing:
        raise UnusableFileError(f"{file.path.name} is no BLIP network for captions: {missing[0]} is not in it")
    network.load_state_dict(
        {name: file.read_as(names[name], torch.float32) for name in wanted if name in names}, strict=False
    )
    network.eval()
    return network


def transformers_name(name: str) -> str:
    """What transformers calls a tensor of the file."""
    for pattern, other in _RENAMED:
        renamed, count = re.subn(pattern, other, name)
        if count:
            return renamed
    return name


def _config(shapes: Mapping[str, tuple[int, ...]]) -> BlipConfig:
    patches = shapes["vision_model.embeddings.patch_embedding.weight"]
    vision, patch = patches[0], patches[-1]
    side = round((shapes["vision_model.embeddings.position_embedding"][1] - 1) ** 0.5) * patch
    bert = "text_decoder.bert"
    words, text = shapes[f"{bert}.embeddings.word_embeddings.weight"]
    return BlipConfig(
        vision_config={
            "hidden_size": vision,
            "intermediate_size": shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": _layers(shapes, "vision_model.encoder.layers."),
            "num_attention_heads": max(1, vision // HEAD_WIDTH),
            "image_size": side,
            "patch_size": patch,
            "layer_norm_eps": 1e-6,  # of the paper's code
        },
        text_config={
            "vocab_size": words,
            "hidden_size": text,
            "encoder_hidden_size": shapes[f"{bert}.encoder.layer.0.crossattention.self.key.weight"][1],
            "intermediate_size": shapes[f"{bert}.encoder.layer.0.intermediate.dense.weight"][0],
            "num_hidden_layers": _layers(shapes, f"{bert}.encoder.layer."),
            "num_attention_heads": max(1, text // HEAD_WIDTH),
            "max_position_embeddings": shapes[f"{bert}.embeddings.position_embeddings.weight"][0],
            "bos_token_id": words - ADDED_WORDS,
        },
    )


def _layers(shapes: Mapping[str, tuple[int, ...]], start: str) -> int:
    return 1 + max(int(name.removeprefix(start).partition(".")[0]) for name in shapes if name.startswith(start))
