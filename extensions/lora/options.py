"""What a request may say beside its tags: presets of block weights, as LoRA Block Weight sends them."""

from pydantic import ConfigDict, Field

from webui.extension_api import Dialect, Options, form_hint, hint

BLOCK_PRESETS = """\
NONE:0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0
ALL:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1
INS:1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0
IND:1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0
INALL:1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0
MIDD:1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0
OUTD:1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0
OUTS:1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1
OUTALL:1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1
ALL0.5:0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5
"""
ELEMENT_PRESETS = """\
ATTNDEEPON:IN05-OUT05:attn:1

ATTNDEEPOFF:IN05-OUT05:attn:0

PROJDEEPOFF:IN05-OUT05:proj:0
"""
_MOST = 100_000  # characters
_ELEMENTS_AT = 15  # its place among LoRA Block Weight's arguments


class LoraOptions(Options):
    """Block weights that tags name by `lbw=` and `lbwe=`. Without this the presets below hold."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="block weights"))

    active: bool = Field(
        True,
        description="heed lbw=, lbwe=, start=, stop= and step= in tags",
        json_schema_extra=hint(label="Block weights in tags count"),
    )
    presets: str = Field(
        BLOCK_PRESETS,
        max_length=_MOST,
        description="block weights: NAME:12, 17, 20 or 26 numbers",
        json_schema_extra=hint(control="lines", label="Presets of block weights"),
    )
    elements: str = Field(
        ELEMENT_PRESETS,
        max_length=_MOST,
        description="elements: NAME:blocks:words:factor, an empty line between",
        json_schema_extra=hint(control="lines", label="Presets of elements"),
    )


def dialect_of_block_weights() -> Dialect:
    """Its title and its arguments in A1111's API; those of its own plot, from the third on, go nowhere."""
    positions = ["presets", "active", *[""] * (_ELEMENTS_AT - 2), "elements"]
    return Dialect(script_names=("lora block weight",), script_args=tuple(positions))
