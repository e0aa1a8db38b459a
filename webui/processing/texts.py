"""Encodes the prompts of a job with its styles and embeddings, which are kept between jobs while their files stay the
same."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from webui.domain.errors import UnusableFileError
from webui.domain.result import Notice
from webui.library.cache import version
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.pictures import is_picture
from webui.processing.plan import Batch, Plan
from webui.prompt.composition import extra_networks, split_and
from webui.prompt.conditioning import Conditioning
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.embeddings import Embedding, read_embedding
from webui.prompt.encode import PromptEncoder
from webui.prompt.schedule import schedules
from webui.prompt.styles import Style, read_all_styles
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


@dataclass(frozen=True, slots=True)
class _Remark:
    """What is told where a prompt has the name of an embedding; "" where all is well."""

    name: str
    text: str
    length: int = 1


_NOTHING = _Remark("", "")


class Texts:
    """Encodes the prompts of plans.

    Args:
        library: lists the embedding files.
        styles_file: the setting that names the files of styles (`prompt.styles.style_files`).
    """

    def __init__(self, library: ModelLibrary, styles_file: Path) -> None:
        self._library = library
        self._styles_file = styles_file
        self._styles_problem = ""
        self._tokenizer: ClipTokenizer | None = None
        self._read: dict[Path, _Read] = {}
        self._files: dict[Embedding, ModelFile] = {}

    def styles(self, wanted: Collection[str] = ()) -> dict[str, Style]:
        """The saved styles by name. A damaged file has none, and `problems` says so where any of them are wanted."""
        styles, problems = read_all_styles(self._styles_file)
        missing = [name for name in wanted if name not in styles]
        made = f"; made without the styles {', '.join(missing)}"
        self._styles_problem = f"{'; '.join(problems)}{made}" if problems and missing else ""
        return styles

    def encode(self, plan: Plan, batch: Batch, model: LoadedModel, brought: Sequence[Embedding] = ()) -> Conditioning:
        """The texts of one batch of a pass, for one model; `brought` are embeddings beside those in the folder."""
        request = plan.request
        encoder = self._encoder(model, brought)
        return encoder.encode(
            [extra_networks(text.prompt)[0] for text in batch.texts],
            [text.negative_prompt for text in batch.texts],
            calls=plan.calls,
            rules=request.prompting,
            clip_skip=request.clip_skip,
            size=plan.text_size or (request.width, request.height),
            sdxl=request.sdxl,
            base_calls=plan.base_calls,
        )

    def tokens_of(
        self, plan: Plan, model: LoadedModel, brought: Sequence[Embedding], prompt: str, word: str
    ) -> tuple[int, ...]:
        """The numbers of a word's tokens in the context of a prompt; see `PromptTexts`."""
        encoder = self._encoder(model, brought)
        return encoder.tokens_of(prompt, word, calls=plan.calls, rules=plan.request.prompting)

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
                    f"{used.name}: {used.origin or self._hash(used)}"
                    for chunk in chunks
                    for _, used in chunk.embeddings
                )
        return ", ".join(found)

    def problems(
        self, plans: Sequence[Plan], model: LoadedModel, brought: Sequence[Embedding] = ()
    ) -> tuple[Notice, ...]:
        """What is to be said of names in the prompts of these plans: embeddings whose file cannot be used, that were
        made for another kind of model, or of which there are several. Of other files in the folder nothing is said.
        A damaged file of styles is told too.
        """
        styles = (Notice("styles", self._styles_problem),) if self._styles_problem else ()
        encoder = self._encoder(model, brought)
        remarks = self._remarks(encoder.embeddings, model.spec.family.name)
        if not any(remark.text for remark in remarks):
            return styles
        table = EmbeddingTable(remarks, encoder.tokenizer)
        texts = {text for plan in plans for texts in self._texts(plan) for text in texts}
        told: dict[str, None] = {}
        for ids in encoder.tokenizer.ids(sorted(texts)):
            position = 0
            while position < len(ids):
                remark, length = table.find(ids, position) or (_NOTHING, 1)
                told[remark.text] = None
                position += length
        return (*styles, *(Notice("embeddings", text) for text in told if text))

    def _remarks(self, usable: Sequence[Embedding], family: str) -> list[_Remark]:
        """What is to be told of each name, if a prompt has it; "" of those that mean one usable file."""
        by_name: dict[str, list[Embedding]] = {}
        for embedding in usable:
            by_name.setdefault(embedding.name.casefold(), []).append(embedding)
        remarks = []
        for path, read in self._read.items():
            name = path.stem if read.embedding is None else read.embedding.name
            if name.casefold() not in by_name:
                problem = read.problem or f"{path.name}: made for another kind of model ({family})"
                remarks.append(_Remark(name, f"{problem}; its name in the prompt is plain text"))
        for same in by_name.values():
            files = [self._files[one].name for one in same if one in self._files]
            both = " and ".join(files[:5])
            text = f"{both} are both called {same[0].name!r}; {files[0]} was used; write the folder to choose"
            remarks.append(_Remark(same[0].name, text if len(files) > 1 else same[0].told))
        return remarks

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
        """Those of the folder. Where several files have one name, each goes by its path in the folder too."""
        found: dict[Path, _Read] = {}
        files: dict[Embedding, ModelFile] = {}
        for file in self._library.embeddings():
            known, now = self._read.get(file.path), version(file.path)
            found[file.path] = known if known is not None and known.version == now else self._open(file, now)
            embedding = found[file.path].embedding
            if embedding is not None:
                files[embedding] = file
        counts = Counter(embedding.name.casefold() for embedding in files)
        for embedding, file in tuple(files.items()):
            if counts[embedding.name.casefold()] > 1 and "/" in file.name:
                files[replace(embedding, name=file.name.removesuffix(file.path.suffix))] = file
        self._read, self._files = found, files
        return list(files)

    def _open(self, file: ModelFile, now: str) -> _Read:
        try:
            if not file.usable:
                return _Read(now, None, file.reason)
            own_name = None if is_picture(file.path) else file.stem
            return _Read(now, read_embedding(ensure_safetensors(self._library, file), own_name))
        except UnusableFileError as error:
            return _Read(now, None, str(error))

    def _hash(self, embedding: Embedding) -> str:
        return self._library.sha256(self._files[embedding])[:HASH_DIGITS]
