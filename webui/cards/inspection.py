"""What is in a model file, told from its header alone: kind, formats of numbers, blocks, shapes, training, recipe."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from webui.domain.errors import UnusableFileError
from webui.library.base_model import word_of
from webui.library.files import ModelFile
from webui.library.headers import Header, TensorInfo, read_header
from webui.library.json_object import json_value
from webui.library.library import RECIPE, ModelLibrary

MOST_SHAPES = 100  # that are told, the most frequent first
MOST_BLOCKS = 60
MOST_NAMES = 3  # examples of a shape
MAX_VALUE = 400  # characters of a fact
MAX_RECIPE = 20_000  # characters
MAX_NAME = 200
_ADAPTERS = (  # parts of names, and the kind of network that has them
    ("lora_down", "LoRA"), ("lora_A", "LoRA (peft)"), ("lora.down", "LoRA (diffusers)"), ("hada_w1_a", "LoHa"),
    ("lokr_w1", "LoKr"), ("oft_blocks", "OFT"), ("oft_diag", "OFT"), ("dora_scale", "DoRA"), ("on_input", "IA3"),
    ("b1.weight", "GLoRA"),
)  # fmt: skip
_DOWN = ("lora_down.weight", "lora_A.weight", "lora.down.weight")
_FACTS: Mapping[str, str] = MappingProxyType(  # keys of kohya's trainer, and how they are named here
    {
        "ss_output_name": "Name", "ss_sd_model_name": "Trained on", "ss_base_model_version": "Base model",
        "ss_network_module": "Network", "ss_network_dim": "Rank", "ss_network_alpha": "Alpha",
        "ss_steps": "Steps", "ss_max_train_steps": "Steps planned", "ss_epoch": "Epochs",
        "ss_num_epochs": "Epochs planned",
        "ss_num_train_images": "Pictures", "ss_num_reg_images": "Regularization pictures",
        "ss_total_batch_size": "Batch size", "ss_resolution": "Resolution", "ss_learning_rate": "Learning rate",
        "ss_unet_lr": "Learning rate of the UNet", "ss_text_encoder_lr": "Learning rate of the text encoder",
        "ss_optimizer": "Optimizer", "ss_lr_scheduler": "Schedule of the learning rate", "ss_clip_skip": "Clip skip",
        "ss_min_snr_gamma": "Min-SNR gamma", "ss_noise_offset": "Noise offset", "ss_seed": "Seed",
        "ss_mixed_precision": "Precision", "ss_training_comment": "Comment",
    }
)  # fmt: skip
_LDM = re.compile(r"(?P<side>input|output)_blocks[._](?P<number>\d+)|(?P<middle>middle_block)")
_DIFFUSERS = re.compile(r"(?P<side>down|up)_blocks[._](?P<number>\d+)|(?P<middle>mid_block)")
_TEXT = ("text_model", "cond_stage_model", "conditioner", "lora_te", "text_encoder")
_VAE = ("first_stage_model", "decoder.", "encoder.conv", "quant_conv")


@dataclass(frozen=True, slots=True)
class Part:
    """Tensors that belong together.

    Attributes:
        numbers: how many numbers they hold.
        bytes: that these take.
    """

    name: str
    tensors: int
    numbers: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SameShape:
    """Tensors of one shape and format, with the names of the first of them."""

    shape: tuple[int, ...]
    dtype: str
    tensors: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Attributes:
    kind: what the file is, such as SD1, v prediction or LoRA, rank 16.
    formats: by the format of the numbers, the largest part first.
    blocks: by the place in the network, in its order.
    hidden_shapes: how many kinds of shapes are not among `shapes`.
    training: facts of the training, by a name for people.
    recipe: what it was merged from, as the file says it; "" where it does not.
    """

    kind: str
    tensors: int
    numbers: int
    formats: tuple[Part, ...]
    blocks: tuple[Part, ...]
    shapes: tuple[SameShape, ...]
    hidden_shapes: int
    training: tuple[tuple[str, str], ...]
    recipe: str


def inspected(library: ModelLibrary, file: ModelFile) -> Inspection:
    """Look into a file. Reads no tensor.

    Raises:
        UnusableFileError: its header cannot be read.
    """
    header = read_header(library.safetensors(file))
    shapes: dict[tuple[tuple[int, ...], str], list[str]] = defaultdict(list)
    for name, info in header.tensors.items():
        shapes[info.shape, info.dtype].append(name)
    frequent = sorted(shapes.items(), key=lambda one: -len(one[1]) * math.prod(one[0][0]))
    return Inspection(
        _kind(library, file, header),
        len(header.tensors),
        sum(math.prod(one.shape) for one in header.tensors.values()),
        tuple(sorted(_parts(header, lambda name, info: info.dtype), key=lambda part: -part.bytes)),
        tuple(sorted(_parts(header, lambda name, info: block_of(name)), key=lambda part: place_of(part.name)))[
            :MOST_BLOCKS
        ],
        tuple(
            SameShape(shape, dtype, len(names), tuple(name[:MAX_NAME] for name in names[:MOST_NAMES]))
            for (shape, dtype), names in frequent[:MOST_SHAPES]
        ),
        max(0, len(frequent) - MOST_SHAPES),
        tuple(_training(header.metadata)),
        _recipe(header.metadata),
    )


def block_of(name: str) -> str:
    """The block of a UNet that a tensor belongs to, by LDM's numbers (IN00, M00, OUT11) or those of diffusers (DOWN0,
    MID, UP3); else the part of the model.
    """
    if any(part in name for part in _TEXT):
        return "Text encoder"
    for pattern, words in ((_LDM, ("IN", "OUT", "M00")), (_DIFFUSERS, ("DOWN", "UP", "MID"))):
        if found := pattern.search(name):
            if found["middle"]:
                return words[2]
            digits = 2 if pattern is _LDM else 1
            return f"{words[0] if found['side'] in ('input', 'down') else words[1]}{int(found['number'][:4]):0{digits}}"
    return "VAE" if any(part in name for part in _VAE) else "Other"


def place_of(block: str) -> tuple[int, str]:
    """Sorts blocks in the order of the network."""
    order = ("Text", "IN", "DOWN", "M", "OUT", "UP", "VAE", "Other")
    return next(number for number, start in enumerate(order) if block.startswith(start)), block


def _parts(header: Header, key: Callable[[str, TensorInfo], str]) -> Iterator[Part]:
    tensors: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for name, info in header.tensors.items():
        part = key(name, info)
        tensors[part] += 1
        numbers[part] += math.prod(info.shape)
        sizes[part] += info.end - info.start
    for part, count in tensors.items():
        yield Part(part, count, numbers[part], sizes[part])


def _kind(library: ModelLibrary, file: ModelFile, header: Header) -> str:
    if file.kind == "checkpoint":
        try:
            spec = library.spec(file)
        except UnusableFileError:
            return ""
        uses = "inpainting" if spec.inpaints else "editing by instructions" if spec.edits else ""
        return ", ".join(filter(None, (spec.family.label, f"{spec.prediction} prediction", uses)))
    kinds = [kind for part, kind in _ADAPTERS if any(part in name for name in header.tensors)]
    ranks = Counter(info.shape[0] for name, info in header.tensors.items() if name.endswith(_DOWN) and info.shape)
    told = f"rank {', '.join(map(str, sorted(ranks)[:8]))}" if ranks else ""
    return ", ".join(filter(None, (word_of(header.metadata, header.shapes), *dict.fromkeys(kinds), told)))


def _training(metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, name in _FACTS.items():
        value = metadata.get(key, "").strip()
        if value and value != "None":
            yield name, value[:MAX_VALUE]


def _recipe(metadata: Mapping[str, str]) -> str:
    """The recipe of a merge with its lines set apart, if it is JSON."""
    text = metadata.get(RECIPE, "") or metadata.get("modelspec.merged_from", "")
    try:
        return json.dumps(json_value("recipe", text[: 4 * MAX_RECIPE]), indent=1, ensure_ascii=False)[:MAX_RECIPE]
    except UnusableFileError:
        return text[:MAX_RECIPE]
