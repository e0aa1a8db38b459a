"""What a run makes: a network file as kohya's trainer writes it, an embedding, or a checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch

from webui.extension_api import ActionContext, BadRequestError
from webui.extension_api.tensors import LoadedModel, TensorEntry, check_finite

from .cached_latents import TrainedPicture
from .kohya_facts import facts, with_hashes
from .options import TrainOptions
from .tensor_files import write_tensors
from .trained_adapters import AdapterNetworks
from .trained_words import NewWord
from .whole_network import WholeNetwork, metadata_of, opened_base

KINDS = MappingProxyType({"textual_inversion": "embedding", "finetune": "checkpoint"})
_FORMATS = MappingProxyType({"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32})


@dataclass(frozen=True, slots=True)
class FileWriter:
    """Writes the file of a run, and versions of it on the way.

    Attributes:
        path: of the finished file.
        may_be_there: whether the run may have written it already.
    """

    options: TrainOptions
    context: ActionContext
    model: LoadedModel
    trainee: AdapterNetworks | NewWord | WholeNetwork
    pictures: Sequence[TrainedPicture]
    path: Path
    steps_of_epoch: int
    steps: int
    may_be_there: bool = False

    @staticmethod
    def path_of(options: TrainOptions, context: ActionContext, *, may_be_there: bool = False) -> Path:
        """Where the finished file belongs.

        Args:
            may_be_there: whether the run may have written it, just before it was ended.

        Raises:
            BadRequestError: there is such a file.
        """
        kind = KINDS.get(options.method, "lora")
        try:
            return context.new_file(kind, f"{options.output}.safetensors")
        except BadRequestError:
            if not may_be_there:
                raise
            return context.models.find(kind, options.output)

    def write(self, step: int, *, version: bool = False) -> Path:
        """Write what was learned so far; a version has the step in its name.

        Raises:
            WebuiError: the disk is full, or there is such a file.
            NotFiniteError: a number does not fit the format of the file.
        """
        path = self.path.with_stem(f"{self.path.stem}-step{step:08d}") if version else self.path
        replaces = version or self.may_be_there
        dtype = _FORMATS[self.options.file_precision]
        base_hash = self.context.models.sha256("checkpoint", self.options.base)
        metadata = facts(
            self.options, self.model.spec, self.pictures, base_hash=base_hash, step=step,
            steps_of_epoch=self.steps_of_epoch, steps=self.steps,
        )  # fmt: skip
        if isinstance(self.trainee, WholeNetwork):
            with opened_base(self.context.models, self.options.base) as base:
                entries, read = self.trainee.entries(base, dtype)
                write_tensors(path, entries, read, {**metadata_of(base), **metadata}, replaces=replaces)
            return path
        tensors = {name: value.to(dtype).contiguous() for name, value in self.trainee.tensors().items()}
        for name, value in tensors.items():
            check_finite(name, value)
        write_tensors(
            path, TensorEntry.all_of(tensors), tensors.__getitem__, with_hashes(metadata, tensors), replaces=replaces
        )
        return path
