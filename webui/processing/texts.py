"""Encodes the prompts of a job with its styles and embeddings, which are kept between jobs while their files stay the
same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import UnusableFileError
from webui.domain.result import Notice
from webui.library.cache import version
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.pictures import is_picture
from webui.processing.plan import Plan
from webui.prompt.composition import split_and
from webui.prompt.conditioning import Conditioning
from webui.prompt.embeddings import Embedding, read_embedding
from webui.prompt.encode import PromptEncoder
from webui.prompt.schedule import schedules
from webui.prompt.styles import Style, read_styles
from webui.prompt.tokenize import ClipTokenizer
from webui.weights.convert import ensure_safetensors
from webui.weights.model import LoadedModel

HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class _Read:
    """The result of reading an embedding file: the embedding, or the reason why it cannot be used."""

    version: str
    embedding: Embedding | None
    problem: str = ""


class Texts:
    """Encodes the prompts of plans.

    Args:
        library: lists the embedding files.
        styles_file: styles.csv; need not exist.
    """

    def __init__(self, library: ModelLibrary, styles_file: Path) -> None:
        self._library = library
        self._styles_file = styles_file
        self._tokenizer: ClipTokenizer | None = None
        self._read: dict[Path, _Read] = {}
        self._files: dict[str, ModelFile] = {}

    def styles(self) -> dict[str, Style]:
        """The saved styles by name."""
        return read_styles(self._styles_file)

    def encode(self, plan: Plan, model: LoadedModel, brought: Sequence[Embedding] = ()) -> Conditioning:
        """Encode the text of one batch for one model. `brought` are embeddings in addition to those in the folder."""
        request = plan.request
        encoder = self._encoder(model, brought)
        return encoder.encode(
            [plan.prompt] * request.batch_size,
            [request.negative_prompt] * request.batch_size,
            calls=plan.calls,
            rules=request.prompting,
            clip_skip=request.clip_skip,
            size=plan.text_size or (request.width, request.height),
            sdxl=request.sdxl,
            base_calls=plan.base_calls,
        )

    def hashes(self, plan: Plan, model: LoadedModel, brought: Sequence[Embedding] = ()) -> str:
        """`name: 12 hex, ...` of the embeddings used, once for each text and each encoder, as A1111 lists them.

        An embedding that came inside a network shows that network's name instead of a hash.
        """
        encoder = self._encoder(model, brought)
        if not encoder.embeddings:
            return ""
        found: list[str] = []
        for texts in self._texts(plan):
            for tower in encoder.stack.encoders:
                chunks = [
                    chunk
                    for text in texts
                    for chunk in encoder.chunks(text, tower, plan.request.prompting, "prompt").chunks
                ]
                found += dict.fromkeys(
                    f"{used.name}: {used.origin or self._hash(used.name)}"
                    for chunk in chunks
                    for _, used in chunk.embeddings
                )
        return ", ".join(found)

    def problems(self) -> list[Notice]:
        """Embedding files that could not be used, with the reason."""
        return [Notice("embeddings", read.problem) for read in self._read.values() if read.problem]

    def _texts(self, plan: Plan) -> Iterator[list[str]]:
        """The texts that are encoded together: the negative prompt's schedule, then that of each AND part."""
        rules = plan.request.prompting
        negative = plan.request.negative_prompt
        yield [text for _, text in schedules(negative, plan.calls, old=rules.old_scheduling)]
        for part, _ in dict.fromkeys(split_and(plan.prompt)):
            yield [text for _, text in schedules(part, plan.calls, old=rules.old_scheduling)]

    def _encoder(self, model: LoadedModel, brought: Sequence[Embedding]) -> PromptEncoder:
        if self._tokenizer is None:
            self._tokenizer = ClipTokenizer()
        names = {embedding.name for embedding in brought}
        own = [embedding for embedding in self._embeddings() if embedding.name not in names]
        return PromptEncoder(model.text, self._tokenizer, [*own, *brought])

    def _embeddings(self) -> list[Embedding]:
        found: dict[Path, _Read] = {}
        for file in self._library.embeddings():
            known, now = self._read.get(file.path), version(file.path)
            found[file.path] = known if known is not None and known.version == now else self._open(file, now)
            embedding = found[file.path].embedding
            if embedding is not None:
                self._files[embedding.name] = file
        self._read = found
        return [read.embedding for read in found.values() if read.embedding is not None]

    def _open(self, file: ModelFile, now: str) -> _Read:
        try:
            if not file.usable:
                return _Read(now, None, file.reason)
            own_name = None if is_picture(file.path) else file.stem
            return _Read(now, read_embedding(ensure_safetensors(self._library, file), own_name))
        except UnusableFileError as error:
            return _Read(now, None, str(error))

    def _hash(self, name: str) -> str:
        return self._library.sha256(self._files[name])[:HASH_DIGITS]
