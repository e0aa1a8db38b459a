"""What this extension does in one job: reads the tags, finds the files, gives the patches and the infotext's hashes."""

import functools
from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import TracebackType

from webui.extension_api import (
    GenerationRequest,
    JobContext,
    NetworkTag,
    Txt2Img,
    UnknownModelError,
    UnusableFileError,
    hookimpl,
)
from webui.extension_api.tensors import Embedding, LoadedModel, ModelCall, reported_step

from .block_weights import BlockWeightError, BlockWeights, block_of, read_block_weights
from .hypernetwork import Hypernetwork, HypernetworkPatch, fits, read_hypernetwork
from .layers import block_names, layers_of
from .network import read_network
from .options import LoraOptions
from .overlap import Spot, told_of_overlaps
from .patch import Misfit, NetworkPatch, Wanted, look
from .preset_files import block_presets, element_presets
from .tags import ALWAYS, KINDS, HypernetworkTag, LoraTag, acting_in, chooses_networks, read_tags


@dataclass(frozen=True, slots=True)
class Found:
    """A tag whose file was read. `identity` changes with the file, the strengths and the ranks."""

    tag: LoraTag
    wanted: Wanted
    identity: Hashable


@dataclass(frozen=True, slots=True)
class FoundHypernetwork:
    """A hypernetwork's tag whose file was read."""

    tag: HypernetworkTag
    hypernetwork: Hypernetwork
    identity: Hashable


class Member:
    """The job hooks. A tag that cannot be served costs a notice, never the picture."""

    def __init__(self, job: JobContext, options: LoraOptions | None = None) -> None:
        self._job = job
        self._options = options or LoraOptions()
        self._loras: tuple[Found, ...] = ()
        self._hypernetworks: tuple[FoundHypernetwork, ...] = ()
        self._mentioned: dict[str, None] = {}  # LoRA names in order of appearance
        self._told: set[str] = set()
        self._timed: list[tuple[NetworkPatch, tuple[str, ...]]] = []  # with the names of its networks

    @hookimpl
    def use_networks(self, networks: Sequence[NetworkTag], hires: bool = False) -> Collection[str]:
        """Read the tags of a pass and their files."""
        asked = read_tags(networks)
        for problem in asked.problems:
            self._tell(problem)
        found = {tag: self._lora(tag) for tag in dict.fromkeys(asked.loras)}
        self._loras = tuple(one for tag in asked.loras if (one := found[tag]) is not None)
        hypernetworks = [self._hypernetwork(tag) for tag in asked.hypernetworks]
        self._hypernetworks = tuple(one for one in hypernetworks if one is not None)
        self._mentioned = self._mentioned if hires else {}  # the second pass adds to what the image began with
        self._mentioned |= {one.tag.name: None for one in self._loras}
        return KINDS

    @hookimpl
    def embeddings(self) -> Sequence[Embedding]:
        return [embedding for one in self._loras for embedding in one.wanted.network.embeddings]

    @hookimpl
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[None] | None:
        if not self._loras and not self._hypernetworks:
            return None
        patches: list[NetworkPatch | HypernetworkPatch] = []
        fitting = self._fitting(model)
        if len(fitting) > 1:
            names = block_names(model)
            spots = {place: Spot(id(layer), block_of(names[id(layer)])) for place, layer in layers_of(model).items()}
            for told in told_of_overlaps([one.wanted for one in fitting], spots):
                self._tell(told)
        if fitting:
            patch = NetworkPatch(
                model, [one.wanted for one in fitting], tuple(one.identity for one in fitting),
                is_chosen=chooses_networks(self._job.request),
            )  # fmt: skip
            patches.append(patch)
            self._timed += [(patch, tuple(one.tag.name for one in fitting))] if patch.is_timed else []
        for one in self._hypernetworks:
            if not fits(one.hypernetwork, model):
                self._tell(
                    f"{one.hypernetwork.name} was left out: it is made for another kind of model than this one "
                    f"({model.spec.family.name})"
                )
        if self._hypernetworks:
            wanted = [(one.hypernetwork, one.tag.strength) for one in self._hypernetworks]
            patches.append(HypernetworkPatch(model, wanted, tuple(one.identity for one in self._hypernetworks)))
        return Together(patches) if patches else None

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> None:
        """Nothing is added; networks that act only at some steps, or in some calls, come and go here."""
        for patch, names in self._timed:
            sampler = _sampler_of(self._job.request, hires=call.step.hires)
            allowed = None if call.networks is None else acting_in(call.networks, names)
            patch.at_step(reported_step(sampler, call), call.step.total, hires=call.step.hires, allowed=allowed)

    @hookimpl
    def image_fields(self) -> Mapping[str, str] | None:
        """The networks of every pass, by the names that the prompt calls them, without what would end a name."""
        hashes = {
            name.replace(":", "").replace(",", ""): self._job.models.network_hash("lora", name)
            for name in self._mentioned
        }
        return {"Lora hashes": ", ".join(f"{name}: {digits}" for name, digits in hashes.items())} if hashes else None

    def _fitting(self, model: LoadedModel) -> list[Found]:
        """The networks made for this kind of model; of the others the user is told."""
        layers = layers_of(model)
        fitting: list[Found] = []
        misfits: dict[int, Misfit] = {}
        for one in self._loras:
            network = one.wanted.network
            if id(network) not in misfits:
                misfits[id(network)] = look(network, layers)
                for told in misfits[id(network)].told(network, model.spec.family.name):
                    self._tell(told)
            misfit = misfits[id(network)]
            if not misfit.is_foreign:
                wanted = replace(one.wanted, network=replace(network, changes=misfit.fitting))
                fitting.append(replace(one, wanted=wanted))
        return fitting

    def _lora(self, tag: LoraTag) -> Found | None:
        path = self._path("lora", tag.name)
        if path is None:
            return None
        try:
            network = self._job.models.load(path, functools.partial(read_network, name=path.stem))
        except UnusableFileError as error:
            self._tell(f"<lora:{tag.name}> was left out: {error}")
            return None
        for told in network.told:
            self._tell(told)
        blocks = self._blocks(tag)
        windows = (tag.window, tag.hires_window) if self._options.active else (ALWAYS, None)
        wanted = Wanted(network, tag.text_strength, tag.unet_strength, tag.ranks, blocks, *windows)
        strengths = (tag.text_strength, tag.unet_strength, tag.ranks, blocks.key() if blocks else None)
        return Found(tag, wanted, (_file(path), *strengths))

    def _blocks(self, tag: LoraTag) -> BlockWeights | None:
        """The block weights of a tag; None without. What cannot be understood is told, and counts as 1."""
        if not self._options.active:
            if tag.blocks or tag.elements or tag.is_timed:
                self._tell(f"<lora:{tag.name}>: block weights are switched off by the request, so it acts as a whole")
            return None
        if not tag.blocks and not tag.elements:
            return None
        presets, elements = block_presets(self._options), element_presets(self._options)
        try:
            return read_block_weights(tag.blocks, tag.elements, presets, elements)
        except BlockWeightError as error:
            self._tell(f"<lora:{tag.name}> acts with no block weights: {error}")
            return None

    def _hypernetwork(self, tag: HypernetworkTag) -> FoundHypernetwork | None:
        path = self._path("hypernetwork", tag.name)
        if path is None:
            return None
        build = functools.partial(read_hypernetwork, name=path.stem, device=self._job.device)
        try:
            hypernetwork = self._job.models.load(path, build)
        except UnusableFileError as error:
            self._tell(f"<hypernet:{tag.name}> was left out: {error}")
            return None
        if hypernetwork.told:
            self._tell(hypernetwork.told)
        return FoundHypernetwork(tag, hypernetwork, (_file(path), tag.strength))

    def _tell(self, text: str) -> None:
        """Once a job, however many passes it has."""
        if text not in self._told:
            self._told.add(text)
            self._job.notice(text)

    def _path(self, kind: str, name: str) -> Path | None:
        try:
            path = self._job.models.find(kind, name)
        except (UnknownModelError, UnusableFileError) as error:
            self._tell(f"{name} was left out: {error}")
            return None
        same = [one for one in self._job.models.names(kind) if name in (PurePath(one).name, PurePath(one).stem)]
        if len(same) > 1:
            self._tell(
                f"{' and '.join(same[:5])} are both called {name!r}; the first was used; write the folder to choose"
            )
        return path


class Together(AbstractContextManager[None]):
    """Patches entered in order and left in reverse.

    Attributes:
        key: of all of them; None where one of them may not stay.
    """

    def __init__(self, patches: Sequence[NetworkPatch | HypernetworkPatch]) -> None:
        keys = tuple((type(patch).__name__, patch.key) for patch in patches)
        self.key = None if any(key is None for _, key in keys) else keys
        self._patches = tuple(patches)
        self._entered = ExitStack()

    def __enter__(self) -> None:
        with ExitStack() as stack:
            for patch in self._patches:
                stack.enter_context(patch)
            self._entered = stack.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()


def _sampler_of(request: GenerationRequest, *, hires: bool) -> str:
    """The label of the sampler of a pass."""
    task = request.task
    return (task.hires.sampler if hires and isinstance(task, Txt2Img) else "") or request.sampler


def _file(path: Path) -> Hashable:
    """A file in the version that lies there now."""
    status = path.stat()
    return (path, status.st_size, status.st_mtime_ns)
