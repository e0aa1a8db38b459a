"""BLIP (Li et al. 2022, arXiv:2201.12086) for captions, built by transformers from the file that A1111 uses.

The names in the file are those of the paper's own code; sizes follow from shapes.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import BlipConfig, BlipForConditionalGeneration

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import TensorFile

Network = Any  # transformers' own types promise less than its networks have
PROMPT = ("a", "picture", "of")  # A1111 begins with it, and cuts it off
SHORTEST, LONGEST = 24, 48  # tokens, with the prompt; A1111's settings as they come
HEAD_WIDTH = 64  # channels of a head of attention
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
SEPARATOR, START = "[SEP]", "[DEC]"
_EXTRA = (START, "[ENC]")  # words that BLIP added behind BERT's
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
_JOINED = MappingProxyType(  # how BERT's own tokenizer puts words together again
    {" .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'", " n't": "n't", " 'm": "'m", " 's": "'s", " 've": "'ve",
     " 're": "'re"}
)  # fmt: skip


def build_blip(file: TensorFile) -> Network:
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
    network: Network = BlipForConditionalGeneration(config)
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


def _config(shapes: dict[str, tuple[int, ...]]) -> BlipConfig:
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
            "bos_token_id": words - len(_EXTRA),
        },
    )


def _layers(shapes: dict[str, tuple[int, ...]], start: str) -> int:
    return 1 + max(int(name.removeprefix(start).partition(".")[0]) for name in shapes if name.startswith(start))


def read_words(path: Path) -> tuple[str, ...]:
    """BERT's word list, with the words that BLIP added. Raises UnusableFileError."""
    try:
        words = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeError) as error:
        raise UnusableFileError(f"{path.name} cannot be read as a list of words ({error})") from None
    words = words[:-1] if words[-1] == "" else words
    lacking = [word for word in (*PROMPT, SEPARATOR) if word not in words]
    if lacking:
        raise UnusableFileError(f"{path.name} is not BERT's list of words: {lacking[0]} is not in it")
    return (*(word.rstrip("\r") for word in words), *_EXTRA)


def prepared(image: Image.Image, side: int) -> Tensor:
    """A picture (1, 3, side, side) as BLIP reads it: stretched to a square, normalised as CLIP's pictures are."""
    small = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(small, np.float32) / np.float32(255)).permute(2, 0, 1)[None]
    mean, deviation = (torch.tensor(values)[None, :, None, None] for values in (MEAN, DEVIATION))
    return (pixels - mean) / deviation


@torch.no_grad()
def caption(network: Network, words: Sequence[str], image: Image.Image) -> str:
    """A sentence about a picture, without the words that it was begun with."""
    pixels = prepared(image, network.config.vision_config.image_size)
    place = {word: number for number, word in enumerate(words)}
    begun = torch.tensor([[place[START], *(place[word] for word in PROMPT), place[SEPARATOR]]])
    ends = network.config.text_config  # where transformers looks for them
    ends.bos_token_id, ends.sep_token_id, ends.pad_token_id = place[START], place[SEPARATOR], 0
    made = network.generate(
        pixel_values=pixels,
        input_ids=begun,
        attention_mask=torch.ones_like(begun),
        do_sample=False,
        num_beams=1,
        min_length=SHORTEST,
        max_length=LONGEST,
    )
    return sentence([words[number] for number in made[0].tolist()])


def sentence(tokens: Sequence[str]) -> str:
    """Tokens as a text: pieces of words joined, signs of the network left out, and so is the beginning."""
    text = " ".join(token for token in tokens if not re.fullmatch(r"\[.+\]", token)).replace(" ##", "")
    for apart, joined in _JOINED.items():
        text = text.replace(apart, joined)
    return text.removeprefix(" ".join(PROMPT)).strip()
