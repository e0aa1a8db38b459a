"""The models on disk: which there are, by which names they go, what they are. Loads no weights and needs no torch."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from types import MappingProxyType

from webui.domain.errors import UnknownModelError, UnusableFileError, WebuiError
from webui.domain.model_folders import ModelFolder
from webui.library import hashes
from webui.library.cache import FileFacts, version
from webui.library.detect import describe, detect
from webui.library.embedding_layout import vector_names
from webui.library.family import Family, ModelSpec
from webui.library.files import FOLDERS, ONNX, Kind, ModelFile, find
from webui.library.headers import Header, read_header
from webui.library.naming import Choice, choose, named
from webui.library.pickles import cached_copy, needs_conversion
from webui.library.pictures import embedding_data, is_picture
from webui.library.shapes import VaeShape, vae_shape
from webui.library.sidecar import read_sidecar

BUNDLED = "webui.bundled"  # safetensors metadata of the miniature's files
RECIPE = "sd_merge_recipe"  # the entry of A1111 and of our merger
AUTOMATIC, BAKED = "Automatic", "None"
_KINDS: tuple[Kind, ...] = tuple(FOLDERS)
_OK = "ok"
_ONLY_A_PICTURE = "a picture without an embedding in it"
_WAITING = "a pickle; it is converted to safetensors when it is first used"
RULES = 3  # raise it when files are judged differently, so that cached verdicts are made anew
EXAMINE_SECONDS = 1.5
_LISTED = 30  # names in an error text

log = logging.getLogger(__name__)


class ModelLibrary:
    """Lists and names model files. Safe to use from several threads.

    The lists are read from disk by `refresh` (and on first use), so that answering a question costs no disk access.
    """

    def __init__(
        self, models_dir: Path, cache_dir: Path, families: Sequence[Family], *, further: Sequence[ModelFolder] = ()
    ) -> None:
        """Args:
        models_dir: the first that is read, and where new files go.
        cache_dir: for what was found out about files, and for converted ones.
        families: those that checkpoints are recognised as, asked in this order.
        further: folders that are only read.

        Raises:
            WebuiError: a further folder is of a kind that is not known.
        """
        unknown = sorted({folder.kind for folder in further} - FOLDERS.keys())
        if unknown:
            raise WebuiError(f"model_folders: no kind {', '.join(unknown)}; there are: {', '.join(FOLDERS)}")
        self.models_dir = models_dir
        self.further = tuple(further)
        self.cache_dir = cache_dir
        self.families = tuple(families)
        self._facts = FileFacts(cache_dir)
        self._lock = RLock()
        self._files: Mapping[Kind, tuple[ModelFile, ...]] | None = None
        self._specs: Mapping[tuple[Path, str], ModelSpec] = MappingProxyType({})
        self._further_upscalers: Callable[[], tuple[str, ...]] = tuple

    def refresh(self) -> None:
        """Look at the folders again.

        Files whose verdict is cached are not opened. Among thousands of new ones, those that do not fit in
        `EXAMINE_SECONDS` count as usable until they are chosen or the next refresh comes to them.
        """
        deadline = time.monotonic() + EXAMINE_SECONDS
        judged = {
            kind: tuple(
                self._judged(file, opens=time.monotonic() < deadline)
                for file in find(self.models_dir, kind, self.further)
            )
            for kind in _KINDS
        }
        found = {
            kind: tuple(file for file in files if file.reason != _ONLY_A_PICTURE) for kind, files in judged.items()
        }
        self._facts.save()
        with self._lock:
            self._files = MappingProxyType(found)

    def files(self, kind: Kind) -> tuple[ModelFile, ...]:
        """Every file of a kind, unusable ones included."""
        with self._lock:
            if self._files is None:
                self.refresh()
            return (self._files or {}).get(kind, ())

    def checkpoints(self) -> tuple[ModelFile, ...]:
        return self.files("checkpoint")

    def vaes(self) -> tuple[ModelFile, ...]:
        return self.files("vae")

    def upscalers(self) -> tuple[ModelFile, ...]:
        return self.files("upscaler")

    @property
    def further_upscalers(self) -> tuple[str, ...]:
        """Names of upscalers that are no files: those that extensions bring."""
        return self._further_upscalers()

    def take_upscalers(self, names: Callable[[], tuple[str, ...]]) -> None:
        """Ask `names` for further upscalers from now on."""
        self._further_upscalers = names

    def embeddings(self) -> tuple[ModelFile, ...]:
        return self.files("embedding")

    def loras(self) -> tuple[ModelFile, ...]:
        return self.files("lora")

    def hypernetworks(self) -> tuple[ModelFile, ...]:
        return self.files("hypernetwork")

    def checkpoint(self, alias: str) -> ModelFile:
        """The checkpoint of that name: any alias that A1111 accepts, else the shortest title containing the text.

        Raises:
            UnknownModelError: none; lists what is there.
            UnusableFileError: there is one, but it cannot be used; says why.
        """
        return self.chosen_checkpoint(alias).file

    def chosen_checkpoint(self, alias: str) -> Choice:
        """As `checkpoint`, with a sentence where it is not certain that this file was meant."""
        files = self.checkpoints()
        found = choose(files, alias, self)
        if found is None:
            raise UnknownModelError(
                f"checkpoint: no {alias!r} in {self.models_dir / 'Stable-diffusion'}; {_listed(files)}"
            )
        return replace(found, file=self.usable(found.file))

    def vae(self, name: str, checkpoint: ModelFile) -> ModelFile | None:
        """The VAE file to use with a checkpoint; None for the one inside it.

        Args:
            name: a file in VAE/ (with or without extension), "Automatic" (the first file whose name starts with
                the checkpoint's stem, else the one inside) or "None" (the one inside).

        Raises:
            UnknownModelError, UnusableFileError: as `checkpoint`.
        """
        if name == BAKED:
            return None
        if name in (AUTOMATIC, ""):
            return next(
                (file for file in self.vaes() if file.usable and file.path.name.startswith(checkpoint.stem)), None
            )
        return self.named_vae(name)

    def named_vae(self, name: str) -> ModelFile:
        """The file of a VAE, by its name. Raises UnknownModelError, UnusableFileError as `checkpoint`."""
        files = self.vaes()
        found = named(files, name)
        if found:
            return self.usable(found[0])
        raise UnknownModelError(f"vae: no {name!r} in {self.models_dir / 'VAE'}; {_listed(files)}")

    def sha256(self, file: ModelFile) -> str:
        """SHA-256 in hex, computed when it is not known yet. Raises UnusableFileError when it cannot be read."""
        known = self.known_sha256(file)
        if known is None:
            known = hashes.sha256_of(file.path)
            self._facts.put(file.path, "sha256", known)
            self._facts.save()
        return known

    def known_sha256(self, file: ModelFile) -> str | None:
        return self._facts.get(file.path, "sha256")

    def fact(self, file: ModelFile, name: str) -> str | None:
        """What was remembered of this version of a file."""
        return self._facts.get(file.path, name)

    def remember(self, file: ModelFile, name: str, value: str) -> None:
        """Keep something that was costly to find out, until the file changes. The next `refresh` writes it down."""
        self._facts.put(file.path, name, value)

    def short_hash(self, file: ModelFile) -> str:
        """The first 10 hex digits of `sha256`, computed when need be."""
        return self.sha256(file)[: hashes.SHORT]

    def title(self, file: ModelFile) -> str:
        """`folder/name.safetensors [0123456789]`; the hash only if it is known."""
        known = self.known_sha256(file)
        return file.name if known is None else f"{file.name} [{known[: hashes.SHORT]}]"

    def spec(self, file: ModelFile) -> ModelSpec:
        """What a checkpoint is.

        Raises:
            UnusableFileError: it is no checkpoint, or a pickle that has not been converted yet.
        """
        source = self.safetensors(file)
        key = (file.path, version(source) + version(file.path.with_suffix(".yaml")))
        with self._lock:
            known = self._specs.get(key)
        if known is None:
            known = detect(file.name, read_header(source), read_sidecar(file.path), self.families)
            with self._lock:
                self._specs = MappingProxyType({**self._specs, key: known})
        return known

    def is_bundled(self, file: ModelFile) -> bool:
        """Whether it came with the program, which its header says. Raises UnusableFileError as `spec`."""
        return BUNDLED in read_header(self.safetensors(file)).metadata

    def is_merged(self, file: ModelFile) -> bool:
        """Whether its header has the recipe that it was merged by. Raises UnusableFileError as `spec`."""
        return RECIPE in read_header(self.safetensors(file)).metadata

    def vae_shape(self, file: ModelFile) -> VaeShape:
        """The VAE in a file of VAE/. Raises UnusableFileError as `spec`."""
        return _vae_in(file.name, read_header(self.safetensors(file)))

    def safetensors(self, file: ModelFile) -> Path:
        """Where the tensors of a file are: itself, or its converted copy. Raises UnusableFileError without one."""
        if not needs_conversion(file.path):
            return file.path
        copy = cached_copy(file.path, self.cache_dir)
        if not copy.is_file():
            raise UnusableFileError(f"{file.name}: has not been converted to safetensors yet")
        return copy

    def _judged(self, file: ModelFile, *, opens: bool = True) -> ModelFile:
        """The file with `usable` and `reason` filled in; as it is when nothing is known and it may not be opened."""
        source = file.path
        if file.is_pickle and needs_conversion(file.path):
            source = cached_copy(file.path, self.cache_dir)
            if not source.is_file():
                return replace(file, reason=_WAITING)
        judges = f"{RULES} {','.join(family.name for family in self.families)}"
        valid_for = f"{judges} {file.kind} {version(source)} {version(file.path.with_suffix('.yaml'))}"
        known = (self._facts.get(file.path, "verdict") or "").partition("|")
        verdict = known[2]
        if known[0] != valid_for:
            if not opens:
                return file
            if source != file.path and not _is_whole(source):
                return replace(file, reason=_WAITING)
            verdict = _verdict(file, source, self.families)
            self._facts.put(file.path, "verdict", f"{valid_for}|{verdict}")
        return file if verdict == _OK else replace(file, usable=False, reason=verdict)

    def usable(self, file: ModelFile) -> ModelFile:
        """The file as it is now on disk. Raises UnusableFileError when it cannot be used."""
        judged = self._judged(replace(file, usable=True, reason=""))
        if not judged.usable:
            raise UnusableFileError(judged.reason)
        return judged

    def old_hash(self, file: ModelFile) -> str:
        """AutoV1, 8 hex digits, computed when it is not known yet. Raises UnusableFileError when it cannot be read."""
        known = self._facts.get(file.path, "autov1")
        if known is None:
            known = hashes.old_hash(file.path)
            self._facts.put(file.path, "autov1", known)
        return known


def _is_whole(copy: Path) -> bool:
    """Whether a converted copy can be read; one that was cut is removed, and made anew when it is wanted."""
    try:
        read_header(copy)
    except UnusableFileError as error:
        log.warning("%s in the cache is damaged and is made anew: %s", copy.name, error)
        copy.unlink(missing_ok=True)
        return False
    return True


def _verdict(file: ModelFile, source: Path, families: Sequence[Family]) -> str:
    """Why the file cannot be used, or "ok". `source` holds its tensors."""
    if source.suffix.lower() == ONNX:
        return _OK
    try:
        if file.kind == "embedding" and is_picture(source):
            return _OK if embedding_data(source) is not None else _ONLY_A_PICTURE
        header = read_header(source)
        if file.kind == "checkpoint":
            detect(file.name, header, read_sidecar(file.path), families)
        elif file.kind == "vae":
            _vae_in(file.name, header)
        elif file.kind == "embedding":
            vector_names(file.name, header.tensors)
    except UnusableFileError as error:
        return str(error)
    return _OK


def _vae_in(name: str, header: Header) -> VaeShape:
    try:
        shape = vae_shape(header.shapes)
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {error}") from error
    if shape is None:
        raise UnusableFileError(f"{name}: {describe(header.shapes)}, not a VAE")
    return shape


def _listed(files: Iterable[ModelFile]) -> str:
    names = [file.name for file in files if file.usable]
    if not names:
        return "there is no usable file in it"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are: {', '.join(names[:_LISTED])}{more}"
