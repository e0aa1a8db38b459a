"""Textual inversion (Gal et al., arXiv:2208.01618): a new word, whose vectors alone are trained."""

import torch
from torch import Tensor, nn

from webui.extension_api import BadRequestError
from webui.extension_api.tensors import ClipTower, LoadedModel, caption_tokens

from .optimizers import Group
from .options import TrainOptions


class NewWord:
    """The vectors of a word, (v, D) for each text encoder. `parameters` are what is trained.

    Attributes:
        vectors: for each tower, word -> vectors.
    """

    trains_text = True

    def __init__(self, model: LoadedModel, options: TrainOptions) -> None:
        """Raises BadRequestError where the first word is none that the encoder knows."""
        self._options = options
        self.word = options.word or options.output
        self.parameters: dict[str, nn.Parameter] = {}
        self._slots: list[str] = []
        model.unet.module.requires_grad_(False)
        for number, tower in enumerate(one for one in model.text.encoders if isinstance(one, ClipTower)):
            tower.module.requires_grad_(False)
            start = _start(tower, model, options)
            self.parameters[f"word.{number}"] = nn.Parameter(start)
            self._slots.append(tower.slot)
        self.vectors = [{self.word: value} for value in self.parameters.values()]

    def groups(self) -> list[Group]:
        """What is trained, with its learning rate."""
        return [Group([*self.parameters.values()], self._options.rate)]

    def said(self, caption: str) -> str:
        """A caption in which the word stands: at its beginning, where the caption does not name it."""
        return caption if self.word in caption else f"{self.word} {caption}".strip()

    def tensors(self) -> dict[str, Tensor]:
        """The file's tensors: `emb_params`, or `clip_l` and `clip_g` of SDXL."""
        values = [value.detach().float().cpu() for value in self.parameters.values()]
        return {"emb_params": values[0]} if len(values) == 1 else dict(zip(self._slots, values, strict=True))


def _start(tower: ClipTower, model: LoadedModel, options: TrainOptions) -> Tensor:
    """The vectors of the word that it begins as, in turn, each a little different."""
    table: Tensor = tower.module.embeddings.token_embedding.weight.detach().float()
    rows = caption_tokens(tower, model.text, options.initial_word, {}, 1)[0][0]
    ids = rows[1 : int(rows.argmax(dim=-1))]  # between BOS and the first EOS, which has the largest number
    generator = torch.Generator().manual_seed(options.seed)
    if options.initial_word and not len(ids):
        raise BadRequestError("initial_word", f"{options.initial_word!r} is no word; leave it empty or choose another")
    spread = float(table.std())
    noise = torch.randn(options.vectors, table.shape[1], generator=generator).to(table) * spread
    if not options.initial_word:
        return noise
    return table[ids[torch.arange(options.vectors) % len(ids)].to(table.device)] + 0.1 * noise
