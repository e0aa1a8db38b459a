"""BLIP (Li et al. 2022, arXiv:2201.12086): its words, its picture, and its sentence as A1111 asks for it."""

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from webui.extension_api import UnusableFileError

Network = Any  # of transformers: `BlipForConditionalGeneration`
PROMPT = ("a", "picture", "of")  # A1111 begins with it, and cuts it off
SHORTEST, LONGEST = 24, 48  # tokens, with the prompt; A1111's settings as they come
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
SEPARATOR, START = "[SEP]", "[DEC]"
_EXTRA = (START, "[ENC]")  # words that BLIP added behind BERT's
_JOINED = MappingProxyType(  # how BERT's own tokenizer puts words together again
    {" .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'", " n't": "n't", " 'm": "'m", " 's": "'s", " 've": "'ve",
     " 're": "'re"}
)  # fmt: skip


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
