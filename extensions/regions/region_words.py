"""How A1111's clients and infotexts speak of regions: as Regional Prompter and as Forge Couple."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from webui.extension_api import Dialect, NamedScript, Word

from .options import RegionsOptions

REGIONAL_PROMPTER, FORGE_COUPLE = "Regional Prompter", "Forge Couple"
ARGUMENTS = (
    "enabled", "", "mode", "direction", "", "prompt_mode", "ratios", "base_ratios", "use_base", "use_common",
    "use_common_negative", "calculation", "options", "lora_negative_te", "lora_negative_unet", "threshold", "mask",
    "lora_stop", "lora_hires_stop", "flip",
)  # fmt: skip
OF_COUPLE = (
    "enabled", "first_pass_only", "lines_mode", "separator", "direction", "background", "background_weight", "mapping",
    "brackets", "", "keeps_definitions",
)  # fmt: skip
_TO_COUPLE: Mapping[str, str] = MappingProxyType({"Columns": "Horizontal", "Rows": "Vertical"})
NO_OPTIONS = "No Options"


def dialect_of_regions() -> Dialect:
    return Dialect(
        infotext=(*_regional_words(), *_couple_words()),
        script_names=(REGIONAL_PROMPTER,),
        script_args=ARGUMENTS,
        scripts=(NamedScript(names=(FORGE_COUPLE,), args=OF_COUPLE, always={"mode": "Lines"}),),
    )


def _regional_words() -> tuple[Word, ...]:
    return (
        Word(name="RP Active", asks=True, option="enabled", codec="boolean"),
        Word(name="RP Divide mode", option="mode"),
        Word(name="RP Matrix submode", option="direction"),
        Word(name="RP Mask submode"),
        Word(name="RP Prompt submode", option="prompt_mode"),
        Word(name="RP Calc Mode", option="calculation"),
        Word(name="RP Ratios", option="ratios"),
        Word(name="RP Base Ratios", option="base_ratios"),
        Word(name="RP Use Base", option="use_base", codec="boolean"),
        Word(name="RP Use Common", option="use_common", codec="boolean"),
        Word(name="RP Use Ncommon", option="use_common_negative", codec="boolean"),
        Word(name="RP Options", option="options", none=NO_OPTIONS),
        Word(name="RP LoRA Neg Te Ratios", option="lora_negative_te"),
        Word(name="RP LoRA Neg U Ratios", option="lora_negative_unet"),
        Word(name="RP threshold", option="threshold"),
        Word(name="RP LoRA Stop Step", option="lora_stop", codec="integer"),
        Word(name="RP LoRA Hires Stop Step", option="lora_hires_stop", codec="integer"),
        Word(name="RP Flip", option="flip", codec="boolean"),
    )


def _couple_words() -> tuple[Word, ...]:
    return (
        Word(name="forge_couple", asks=True, otherwise={"mode": "Lines"}),
        Word(name="forge_couple_compatibility", option="first_pass_only", codec="boolean"),
        Word(name="forge_couple_mode", option="lines_mode"),
        Word(name="forge_couple_separator", option="separator"),
        Word(name="forge_couple_direction", option="direction"),
        Word(name="forge_couple_mapping", option="mapping"),
        Word(name="forge_couple_background", option="background"),
        Word(name="forge_couple_background_weight", option="background_weight", codec="number"),
        Word(name="forge_couple_common_parser", option="brackets"),
        Word(name="forge_couple_def_in_prompt", option="keeps_definitions", codec="boolean"),
    )


def fields_of(options: RegionsOptions) -> Mapping[str, Any]:
    """What infotexts tell of regions that act."""
    return _couple_fields(options) if options.mode == "Lines" else _regional_fields(options)


def _regional_fields(options: RegionsOptions) -> Mapping[str, Any]:
    return {
        "RP Active": True,
        "RP Divide mode": options.mode,
        "RP Matrix submode": options.direction,
        "RP Mask submode": "Mask",
        "RP Prompt submode": options.prompt_mode,
        "RP Calc Mode": options.calculation,
        "RP Ratios": options.ratios,
        "RP Base Ratios": options.base_ratios,
        "RP Use Base": options.use_base,
        "RP Use Common": options.use_common,
        "RP Use Ncommon": options.use_common_negative,
        "RP Options": ",".join(options.options) or NO_OPTIONS,
        "RP LoRA Neg Te Ratios": options.lora_negative_te,
        "RP LoRA Neg U Ratios": options.lora_negative_unet,
        "RP threshold": options.threshold,
        "RP LoRA Stop Step": options.lora_stop,
        "RP LoRA Hires Stop Step": options.lora_hires_stop,
        "RP Flip": options.flip,
    }


def _couple_fields(options: RegionsOptions) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "forge_couple": True,
        "forge_couple_compatibility": options.first_pass_only,
        "forge_couple_mode": options.lines_mode,
        "forge_couple_separator": options.separator.replace("\n", "\\n") or "\\n",
    }
    if options.lines_mode == "Basic":
        told["forge_couple_direction"] = _TO_COUPLE[options.direction]
    if options.lines_mode == "Advanced":
        told["forge_couple_mapping"] = options.mapping
    else:
        told["forge_couple_background"] = options.background
        told["forge_couple_background_weight"] = options.background_weight
    return told | {
        "forge_couple_common_parser": options.brackets,
        "forge_couple_def_in_prompt": options.keeps_definitions,
    }
