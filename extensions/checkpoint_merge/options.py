"""The options: the recipe of a merge, and the forms of the actions."""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from webui.extension_api import Options, form_hint, hint

from .methods import ALPHA, BETA, BLOCKS, CARDS, DENSITY, HEAT, NEEDS_B, NEEDS_C, SEED
from .one_line import fields_of_line

Name = Annotated[str, StringConstraints(max_length=500)]
Share = Annotated[FiniteFloat, Field(ge=-4, le=4)]
Method = Literal[
    "copy", "weighted_sum", "add_difference", "triple_sum", "sum_twice", "train_difference", "smooth_add", "cosine_a",
    "cosine_b", "tensor", "tensor2", "ties", "dare",
]  # fmt: skip
Precision = Literal["keep", "fp16", "bf16", "fp32"]


class LoraShare(Options):
    """A LoRA and how much of it."""

    name: Name
    weight: Share = 1.0


def _listed(value: Any) -> Any:
    """The list that `name:0.8, other` means, where a missing weight is 1. A list, or JSON of one, is returned
    unchanged.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except RecursionError:
            raise ValueError("is nested too deeply") from None
    shares = []
    for part in filter(None, (one.strip() for one in value.split(","))):
        name, colon, weight = part.rpartition(":")
        shares.append({"name": name.strip(), "weight": weight.strip()} if colon else {"name": part})
    return shares


def written(shares: tuple[LoraShare, ...]) -> str:
    """The text that `_listed` reads: the short form, unless a name contains its separators."""
    if any(set(one.name) & set(",:[") for one in shares):
        return json.dumps([one.model_dump() for one in shares])
    return ", ".join(f"{one.name}:{one.weight!r}" for one in shares)


Loras = Annotated[
    tuple[LoraShare, ...],
    Field(max_length=20),
    BeforeValidator(_listed),
    PlainSerializer(written, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
CHECKPOINT = "checkpoint"


class Recipe(Options):
    """Everything that determines the merged weights."""

    a: Name = Field(
        "",
        description="checkpoint A, the one that is changed",
        json_schema_extra=hint(model=CHECKPOINT, control="model", label="A"),
    )
    b: Name = Field(
        "",
        description="checkpoint B",
        json_schema_extra=hint(model=CHECKPOINT, control="model", label="B", fits="a", when={"method": NEEDS_B}),
    )
    c: Name = Field(
        "",
        description="checkpoint C: what B was trained from; of ties and dare, what both were",
        json_schema_extra=hint(model=CHECKPOINT, control="model", label="C", fits="a", when={"method": NEEDS_C}),
    )
    method: Method = Field(
        "weighted_sum",
        description="copy changes nothing by itself: precision, VAE and LoRAs do",
        json_schema_extra=hint(control="cards", cards=CARDS),
    )
    alpha: Share = Field(
        0.3,
        description="share of B; of the difference; of ties and dare, the scale of the changes",
        json_schema_extra=hint(label="Alpha", span=(0, 1, 0.05), when={"method": ALPHA}, axis={"values": "0-1 [5]"}),
    )
    alpha_blocks: Annotated[str, StringConstraints(max_length=2000)] = Field(
        "",
        description="alpha by block: a preset (GRAD_V, OUT12 ..) or numbers IN00 .., M00, OUT00 ..",
        json_schema_extra=hint(
            control="bars", label="Alpha by block", columns=BLOCKS, heat=HEAT, when={"method": ALPHA}
        ),
    )
    alpha_base: Share | None = Field(
        None,
        description="alpha outside the UNet; empty: alpha",
        json_schema_extra=hint(label="Alpha outside the UNet", level="more", when={"method": ALPHA}),
    )
    beta: Share = Field(
        0.3,
        description="share of C (triple_sum, sum_twice); of tensor, where B's rows begin",
        json_schema_extra=hint(label="Beta", span=(0, 1, 0.05), when={"method": BETA}, axis={"values": "0-1 [5]"}),
    )
    beta_blocks: Annotated[str, StringConstraints(max_length=2000)] = Field(
        "",
        description="beta by block",
        json_schema_extra=hint(control="bars", label="Beta by block", columns=BLOCKS, when={"method": BETA}),
    )
    beta_base: Share | None = Field(
        None,
        description="beta outside the UNet; empty: beta",
        json_schema_extra=hint(label="Beta outside the UNet", level="more", when={"method": BETA}),
    )
    elements: Annotated[str, StringConstraints(max_length=5000)] = Field(
        "",
        description="alpha of parts of blocks: IN04-IN08:attn:0.9, OUT03:proj_in:0; later ones go over earlier ones",
        json_schema_extra=hint(label="Alpha of parts", control="lines", level="more", when={"method": ALPHA}),
    )
    include: Annotated[str, StringConstraints(max_length=2000)] = Field(
        "",
        description="merge only these blocks and parts: IN00-IN11, attn2; empty: all",
        json_schema_extra=hint(label="Merged alone", level="more", when={"method": ALPHA}),
    )
    exclude: Annotated[str, StringConstraints(max_length=2000)] = Field(
        "",
        description="leave these blocks and parts as they are in A: BASE, OUT03-OUT05, norm",
        json_schema_extra=hint(label="Left as in A", level="more", when={"method": ALPHA}),
    )
    rebasin: bool = Field(
        False,
        description="first bring the hidden units of B and C into A's order (Git Re-Basin); takes a while",
        json_schema_extra=hint(label="Units in A's order", level="more", when={"method": ALPHA}),
    )
    density: Annotated[FiniteFloat, Field(gt=0, le=1)] = Field(
        0.2,
        description="ties: share of the largest changes kept; dare: chance that a change is kept",
        json_schema_extra=hint(label="Share of changes kept", span=(0.05, 1, 0.05), when={"method": DENSITY}),
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="dare: which changes are dropped",
        json_schema_extra=hint(when={"method": SEED}),
    )
    loras: Loras = Field(
        "",
        validate_default=True,
        description="LoRAs merged in afterwards: name:0.8, other:0.5",
        json_schema_extra=hint(label="LoRAs merged in"),
    )
    vae: Name = Field(
        "",
        description="a file of models/VAE to take the VAE's weights from; empty: merged",
        json_schema_extra=hint(model="vae", label="VAE", labels={"": "Merged"}, pair="vae"),
    )
    arithmetic: Literal["float32", "stored", "as_a"] = Field(
        "float32",
        description="stored: in the files' own formats, rounding after every product, as A1111 does; "
        "as_a: in A's format, as SuperMerger does",
        json_schema_extra=hint(level="more", control="segments", labels={"as_a": "As A"}),
    )
    missing: Literal["refuse", "keep"] = Field(
        "refuse",
        description="tensors of A's UNet and text encoders that B or C lacks: refuse, or keep A's",
        json_schema_extra=hint(level="more", control="segments", label="Tensors that B or C lacks"),
    )
    only_in_b: Literal["leave_out", "take"] = Field(
        "leave_out",
        description="tensors that only B has",
        json_schema_extra=hint(level="more", control="segments", label="Tensors that only B has"),
    )

    @model_validator(mode="after")
    def _complete(self) -> "Recipe":
        if self.method == "copy":
            return self
        if not self.b:
            raise ValueError(f"b: {self.method} needs a checkpoint B")
        if self.method in NEEDS_C and not self.c:
            raise ValueError(f"c: {self.method} needs a checkpoint C")
        return self


class TryOptions(Recipe):
    """A recipe to generate from without a file. Without it nothing is merged."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="{method}: {a} {b} {c}"))

    method: Method = Field(
        "copy",
        description=Recipe.model_fields["method"].description,
        json_schema_extra=hint(control="cards", cards=CARDS),
    )
    formula: Annotated[str, StringConstraints(max_length=1000)] = Field(
        "",
        description="the merge in one line, over the fields above: 0.7(A) + 0.3(B), A + 0.5(B - C)",
        json_schema_extra=hint(label="Merge in one line", level="more", axis=True),
    )

    @model_validator(mode="after")
    def _formula_is_one(self) -> "TryOptions":
        self.resolved()
        return self

    def resolved(self) -> "TryOptions":
        """The recipe with what its line means in the fields. Raises ValueError where it means nothing."""
        if not self.formula.strip():
            return self
        try:
            fields = fields_of_line(self.formula)
        except ValueError as error:
            raise ValueError(f"formula: {error}") from None
        return TryOptions.model_validate({**self.model_dump(exclude={"formula"}), **fields})


class MergeOptions(Recipe):
    """The form of a merge that is saved."""

    model_config = ConfigDict(json_schema_extra=form_hint(tries=True))

    a: Name = Field(
        min_length=1,
        description="checkpoint A, the one that is changed",
        json_schema_extra=hint(model=CHECKPOINT, control="model", label="A"),
    )
    precision: Precision = Field(
        "keep",
        description="format of the numbers; keep: the finest of the merged files",
        json_schema_extra=hint(label="Numbers", pair="vae"),
    )
    discard: Annotated[str, StringConstraints(max_length=500)] = Field(
        "",
        description="names left out, with * for anything, separated by commas: first_stage_model.*",
        json_schema_extra=hint(level="more", label="Tensors left out"),
    )
    name: Name = Field(
        "",
        description="of the new file, without extension; empty: made from the recipe",
        json_schema_extra=hint(label="Name of the file"),
    )


class MergeLorasOptions(Options):
    """The form of merging LoRAs into one."""

    loras: Loras = Field(description="name:0.8, other:0.5", json_schema_extra=hint(label="LoRAs"))
    method: Literal["svd", "concat"] = Field(
        "svd",
        description="svd finds the nearest LoRA of the rank below; concat is exact and adds up the ranks",
        json_schema_extra=hint(control="segments", labels={"svd": "Nearest of a rank", "concat": "Exact"}),
    )
    rank: int = Field(
        64,
        ge=1,
        le=1024,
        description="of the new LoRA",
        json_schema_extra=hint(span=(1, 256, 1), when={"method": ["svd"]}),
    )
    clamp: Annotated[FiniteFloat, Field(gt=0, le=1)] = Field(
        1.0,
        description="quantile at which the factors are cut off (kohya's scripts: 0.99); 1: not at all",
        json_schema_extra=hint(level="more", label="Cut off at"),
    )
    precision: Literal["fp16", "bf16", "fp32"] = Field(
        "fp16", json_schema_extra=hint(label="Numbers", control="segments")
    )
    name: Name = Field(
        min_length=1,
        description="of the new file, without extension",
        json_schema_extra=hint(label="Name of the file"),
    )

    @model_validator(mode="after")
    def _names_some(self) -> "MergeLorasOptions":
        if not self.loras:
            raise ValueError("loras: name at least one")
        return self


class ExtractOptions(Options):
    """The form of making a LoRA from what two checkpoints differ in."""

    base: Name = Field(
        min_length=1,
        description="checkpoint before",
        json_schema_extra=hint(model=CHECKPOINT, control="model", label="Before"),
    )
    tuned: Name = Field(
        min_length=1,
        description="checkpoint after",
        json_schema_extra=hint(model=CHECKPOINT, control="model", label="After", fits="base"),
    )
    rank: int = Field(
        64,
        ge=1,
        le=1024,
        description="of linear layers and 1x1 convolutions",
        json_schema_extra=hint(span=(1, 256, 1)),
    )
    conv_rank: int = Field(
        0,
        ge=0,
        le=1024,
        description="of 3x3 convolutions; 0 leaves them out",
        json_schema_extra=hint(label="Rank of convolutions", span=(0, 128, 1)),
    )
    smallest: Annotated[FiniteFloat, Field(ge=0, le=1)] = Field(
        1e-4,
        description="layers in which no weight changed by more are left out",
        json_schema_extra=hint(level="more", control="number", label="Smallest change"),
    )
    clamp: Annotated[FiniteFloat, Field(gt=0, le=1)] = Field(
        1.0, description="as in merging LoRAs", json_schema_extra=hint(level="more", label="Cut off at")
    )
    text_encoder: bool = Field(True, description="the text encoders too")
    precision: Literal["fp16", "bf16", "fp32"] = Field(
        "fp16", json_schema_extra=hint(label="Numbers", control="segments")
    )
    name: Name = Field(
        min_length=1,
        description="of the new file, without extension",
        json_schema_extra=hint(label="Name of the file"),
    )


class CompareOptions(Options):
    """The form of the heat map."""

    # the tab Learn finds by this whom it asks how far the blocks of two checkpoints lie apart
    model_config = ConfigDict(json_schema_extra={"compares_checkpoints": True})

    a: Name = Field(min_length=1, json_schema_extra=hint(model=CHECKPOINT, control="model", label="A"))
    b: Name = Field(min_length=1, json_schema_extra=hint(model=CHECKPOINT, control="model", label="B", fits="a"))


class ReadOptions(Options):
    """The form of reading a recipe back."""

    file: Name = Field(min_length=1, description="a merged checkpoint", json_schema_extra=hint(model=CHECKPOINT))


class BlocksOptions(Options):
    """The checkpoint whose blocks are listed."""

    a: Name = Field("", description="a checkpoint", json_schema_extra=hint(model=CHECKPOINT))
