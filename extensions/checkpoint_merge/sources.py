"""The files of a merge, opened by library name and checked by their headers before a tensor is read."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from webui.extension_api import BadRequestError, Models, UnusableFileError
from webui.extension_api.tensors import ModelSpec, TensorFile

from .blocks import UNET

FIRST_CONVOLUTION = f"{UNET}input_blocks.0.0.weight"
TEXT = ("cond_stage_model.", "conditioner.")
_VAE_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
_NAMED = 3  # tensors in an error text


@dataclass(frozen=True, slots=True)
class Source:
    """An open checkpoint.

    Attributes:
        role: the option that named it: a, b, c.
        name: of its file, for texts.
    """

    role: str
    name: str
    tensors: TensorFile
    spec: ModelSpec


def safetensors_path(tensors: TensorFile) -> Path:
    """The path of a file's tensors. The library's loader calls this, after converting pickles without running them."""
    return tensors.path


def tensors_of(models: Models, kind: str, name: str) -> TensorFile:
    """Open a file of the library.

    Raises:
        UnknownModelError, UnusableFileError: as `Models.find`, and where it is damaged.
    """
    path = models.find(kind, name)
    if path.suffix.lower() != ".safetensors":
        path = models.load(path, safetensors_path)
    return TensorFile(path)


@contextmanager
def opened(models: Models, **names: str) -> Iterator[dict[str, Source]]:
    """The checkpoints of a merge by role; empty names are left out. All are closed in the end.

    Raises:
        BadRequestError: they do not belong together; names both files.
        UnusableFileError: one is no checkpoint.
    """
    with ExitStack() as stack:
        found: dict[str, Source] = {}
        for role, name in names.items():
            if name:
                path = models.find("checkpoint", name)
                tensors = stack.enter_context(tensors_of(models, "checkpoint", name))
                found[role] = Source(role, path.name, tensors, models.spec(name))
        first, *others = found.values()
        for other in others:
            require_kin(first, other)
        yield found


def require_kin(a: Source, other: Source) -> None:
    """Refuse checkpoints of different families or shapes.

    Raises:
        BadRequestError: naming both files and the first tensor that differs.
    """
    if a.spec.family is not other.spec.family:
        raise BadRequestError(
            other.role,
            f"{other.name} is of the family {other.spec.family.name}, {a.name} of {a.spec.family.name}; "
            "only one family merges",
        )
    if other.spec.in_channels not in (a.spec.latents.channels, a.spec.in_channels):
        raise BadRequestError(
            other.role,
            f"the UNet of {other.name} takes {other.spec.in_channels} channels, that of {a.name} "
            f"{a.spec.in_channels}; put {other.name} in the place of A",
        )
    ours, theirs = a.tensors.header.tensors, other.tensors.header.tensors
    for name in ours.keys() & theirs.keys():
        mine, its = ours[name].shape, theirs[name].shape
        if mine != its and not (name == FIRST_CONVOLUTION and mine[:1] + mine[2:] == its[:1] + its[2:]):
            raise BadRequestError(
                other.role,
                f"tensor {name} has the shape {its} in {other.name} and {mine} in {a.name}; these do not merge",
            )


def require_complete(a: Source, other: Source) -> None:
    """Refuse a checkpoint that lacks weights of A's UNet or text encoders (a missing VAE is common and no fault).

    Raises:
        BadRequestError: naming both files and the missing tensors.
    """
    lacking = [
        name
        for name in a.tensors.header.tensors
        if name.startswith((UNET, *TEXT)) and name.endswith(("weight", "bias")) and name not in other.tensors
    ]
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise BadRequestError(
            other.role,
            f"{other.name} lacks {', '.join(lacking[:_NAMED])}{more}, which {a.name} has; "
            "choose another file, or missing = keep to keep A's",
        )


def vae_names(tensors: TensorFile, file_name: str) -> dict[str, str]:
    """The tensors of a VAE file, by the names they have inside a checkpoint.

    Raises:
        UnusableFileError: it is in diffusers' naming, which checkpoints do not use.
    """
    prefix = "first_stage_model."
    ours = [name for name in tensors.names() if name.removeprefix(prefix).startswith(_VAE_PARTS)]
    found = {prefix + name.removeprefix(prefix): name for name in ours}
    if f"{prefix}decoder.conv_in.weight" not in found or f"{prefix}decoder.mid.block_1.conv1.weight" not in found:
        raise UnusableFileError(f"{file_name}: is no VAE in the naming of checkpoints; it cannot be baked in")
    return found
