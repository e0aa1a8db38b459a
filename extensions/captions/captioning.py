"""Describes a picture with one captioner: finds its file, loads it, runs it."""

import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from webui.extension_api import Models, UnknownModelError
from webui.extension_api.tensors import build_captioner

from . import blip_sentence, booru_network
from .caption_files import KIND, Captioner
from .options import DescribeOptions
from .tag_texts import tag_text
from .wd_tags import TaggerScores, WdTagger

BOORU_THRESHOLD, WD_THRESHOLD = 0.5, 0.35  # of A1111, and of WD14's own page
WORDS = "vocab.txt"
_HUB_NAMES = ("models--bert-base-uncased", "models--google-bert--bert-base-uncased")


def described(models: Models, captioner: Captioner, options: DescribeOptions) -> str:
    """The picture in words. Raises WebuiError where a file is missing or unusable."""
    image = options.image.open()
    if captioner.family == "BLIP":
        return sentence_of(models, captioner, image)
    if captioner.family == "tagger":
        scores, usual = scores_of(models, captioner, image).tags, WD_THRESHOLD
    else:
        path = models.find(KIND, captioner.name)
        scores, usual = models.load(path, booru_network.build_booru)(image), BOORU_THRESHOLD
    return tag_text(
        scores,
        threshold=usual if options.threshold is None else options.threshold,
        alphabetical=options.alphabetical and captioner.family == "DeepDanbooru",
        spaces=options.spaces,
        escape=options.escape,
        with_scores=options.scores,
        leave_out=options.leave_out,
    )


def scores_of(models: Models, captioner: Captioner, image: Image.Image) -> TaggerScores:
    """What a tagger says of each of its tags."""
    return WdTagger(models.find(KIND, captioner.name))(image)


def sentence_of(models: Models, captioner: Captioner, image: Image.Image) -> str:
    """BLIP's sentence."""
    path = models.find(KIND, captioner.name)
    words = blip_sentence.read_words(word_list(path.parent))
    return blip_sentence.caption(models.load(path, build_captioner), words, image)


def word_list(folder: Path) -> Path:
    """BERT's list of words: beside BLIP's file, or where A1111 has left it in the cache of Hugging Face.

    Raises:
        UnknownModelError: it is in neither; the text says what is needed.
    """
    found = next((path for path in (folder / WORDS, *_cached()) if path.is_file()), None)
    if found is None:
        raise UnknownModelError(
            f"BLIP needs the list of words of bert-base-uncased beside its file: put {WORDS} into models/{folder.name}"
        )
    return found


def _cached() -> Iterator[Path]:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    for name in _HUB_NAMES:
        yield from sorted((hub / name).glob(f"snapshots/*/{WORDS}"))
