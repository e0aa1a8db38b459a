"""A1111's words for the parts: arguments of the extensions that people have, settings, and keys of infotexts.

The keys of dynamic thresholding are those of mcmonkey's extension, those of FreeU those of ljleb's, those of HyperTile
A1111's own, and those of perturbed attention, self-attention and deep shrink those of Forge.
"""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from webui.extension_api import Behind, Dialect, Entries, NamedScript, Word

from .levers import FreeU, HyperTile, Thresholding, Tiled, TiledVae
from .options import GuidanceOptions

Codec = Literal["text", "boolean", "integer", "number"]

PLAIN: Mapping[str, str] = MappingProxyType(
    {"Guidance rescale": "rescale", "Guidance start": "start", "Guidance end": "end"}
)
# For each part the key that stands wherever it is on, and the keys of its numbers.
SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        "Dynamic thresholding enabled": "thresholding", "APG": "apg", "pagi_enabled": "pag", "sag_enabled": "sag",
        "kohya_hrfix_enabled": "deep_shrink",
    }
)  # fmt: skip
_OF_THRESHOLDING: Mapping[str, str] = MappingProxyType(
    {
        "Mimic scale": "mimic_scale", "Separate Feature Channels": "separate", "Scaling Startpoint": "startpoint",
        "Variability Measure": "measure", "Interpolate Phi": "phi", "Threshold percentile": "percentile",
        "Mimic mode": "mimic_mode", "Mimic scale minimum": "mimic_scale_min", "CFG mode": "cfg_mode",
        "CFG scale minimum": "cfg_scale_min", "Scheduler value": "sched_val",
    }
)  # fmt: skip
_OF_FORGE: Mapping[str, str] = MappingProxyType(
    {
        "dynthres_mimic_scale": "mimic_scale", "dynthres_threshold_percentile": "percentile",
        "dynthres_mimic_mode": "mimic_mode", "dynthres_mimic_scale_min": "mimic_scale_min",
        "dynthres_cfg_mode": "cfg_mode", "dynthres_cfg_scale_min": "cfg_scale_min", "dynthres_sched_val": "sched_val",
        "dynthres_separate_feature_channels": "separate", "dynthres_scaling_startpoint": "startpoint",
        "dynthres_variability_measure": "measure", "dynthres_interpolate_phi": "phi",
    }
)  # fmt: skip
NUMBERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "apg": {"APG eta": "eta", "APG norm": "norm", "APG momentum": "momentum"},
        "pag": {
            "pagi_scale": "scale", "pagi_attenuation": "attenuation", "pagi_start_step": "start",
            "pagi_end_step": "end",
        },
        "sag": {"sag_scale": "scale", "sag_blur_sigma": "blur_sigma", "sag_threshold": "threshold"},
        "deep_shrink": {
            "kohya_hrfix_block_number": "block", "kohya_hrfix_downscale_factor": "factor",
            "kohya_hrfix_start_percent": "start", "kohya_hrfix_end_percent": "end",
            "kohya_hrfix_downscale_after_skip": "after_skip", "kohya_hrfix_downscale_method": "downscaling",
            "kohya_hrfix_upscale_method": "upscaling",
        },
    }
)  # fmt: skip
_TILED: Mapping[str, str] = MappingProxyType(
    {"max depth": "max_depth", "max tile size": "max_tile", "swap size": "swap_size"}
)
_FREEU_STAGE = (
    "backbone_factor", "skip_factor", "backbone_offset", "backbone_width", "skip_cutoff", "skip_high_end_factor",
)  # fmt: skip
_DYNTHRES = (
    "enabled", "mimic_scale", "percentile", "mimic_mode", "mimic_scale_min", "cfg_mode", "cfg_scale_min", "sched_val",
    "separate", "startpoint", "measure", "phi",
)  # fmt: skip
_TEXTS = ("startpoint", "measure", "mimic_mode", "cfg_mode", "downscaling", "upscaling")
_FLAGS = ("enabled", "separate", "after_skip")


def dialect_of_parts() -> Dialect:
    """What A1111's words mean as options."""
    return Dialect(generation=tuple(_settings()), infotext=tuple(_keys()), scripts=tuple(_scripts()))


def _scripts() -> Iterator[NamedScript]:
    names = "Dynamic Thresholding (CFG Scale Fix)", "DynamicThresholding (CFG-Fix) Integrated"
    yield NamedScript(names=names, option="thresholding", args=_DYNTHRES)
    yield NamedScript(
        names=("FreeU",), option="freeu", args=("enabled", "start", "stop", "smoothness", "version"),
        entries=Entries(option="stages", args=_FREEU_STAGE),
        keys={
            "enable": "enabled", "start_ratio": "start", "stop_ratio": "stop", "transition_smoothness": "smoothness",
            "stage_infos": "stages",
        },
    )  # fmt: skip
    yield NamedScript(
        names=("FreeU Integrated (SD 1.x, SD 2.x, SDXL)", "FreeU Integrated"), option="freeu",
        args=(
            "enabled", "stages.0.backbone_factor", "stages.1.backbone_factor", "stages.0.skip_factor",
            "stages.1.skip_factor", "start", "stop",
        ),
    )  # fmt: skip
    yield NamedScript(
        names=("PerturbedAttentionGuidance Integrated", "PerturbedAttentionGuidance Integrated (SD1.x, SD2.x, SDXL)"),
        option="pag", args=("enabled", "scale", "attenuation", "start", "end"),
    )  # fmt: skip
    yield NamedScript(
        names=("SelfAttentionGuidance Integrated (SD 1.x, SD 2.x, SDXL)", "SelfAttentionGuidance Integrated"),
        option="sag", args=("enabled", "scale", "blur_sigma", "threshold"),
    )  # fmt: skip
    yield NamedScript(
        names=("Kohya HRFix Integrated",), option="deep_shrink",
        args=("enabled", "block", "factor", "start", "end", "after_skip", "downscaling", "upscaling"),
    )  # fmt: skip


def _settings() -> Iterator[Word]:
    """A1111's own settings of HyperTile."""
    for name, option in (
        ("hypertile_enable_unet", "unet"), ("hypertile_enable_unet_secondpass", "second_pass"),
        ("hypertile_enable_vae", "vae"),
    ):  # fmt: skip
        yield Word(name=name, setting=True, asks=True, alone=True, option=f"hypertile.{option}", default=False)
    for network, usual in (("unet", Tiled()), ("vae", TiledVae())):
        for option, name in (
            ("max_depth", "hypertile_max_depth"), ("max_tile", "hypertile_max_tile"),
            ("swap_size", "hypertile_swap_size"),
        ):  # fmt: skip
            path = f"hypertile.of_{network}.{option}"
            yield Word(name=f"{name}_{network}", setting=True, option=path, default=getattr(usual, option))


def _keys() -> Iterator[Word]:
    for key, option in PLAIN.items():
        yield Word(name=key, asks=True, option=option, codec="number")
    for key, part in (*SWITCHES.items(), ("dynthres_enabled", "thresholding"), ("freeu_enabled", "freeu")):
        yield Word(name=key, asks=True, option=f"{part}.enabled", codec="boolean")
    for part, keys in (("thresholding", _OF_THRESHOLDING), ("thresholding", _OF_FORGE), *NUMBERS.items()):
        for key, option in keys.items():
            yield Word(name=key, option=f"{part}.{option}", codec=_codec(option))
    for number, key in enumerate(("b1", "b2")):
        yield Word(name=f"freeu_{key}", option=f"freeu.stages.{number}.backbone_factor", codec="number")
        yield Word(name=f"freeu_s{number + 1}", option=f"freeu.stages.{number}.skip_factor", codec="number")
    yield Word(name="freeu_start", option="freeu.start", codec="number")
    yield Word(name="freeu_end", option="freeu.stop", codec="number")
    yield Word(name="FreeU Stages", asks=True, option="freeu.stages", codec="objects")
    yield Word(name="FreeU Stages", meanings={}, otherwise={"freeu.enabled": True})
    yield Word(name="FreeU Schedule", parts=("freeu.start", "freeu.stop", "freeu.smoothness"))
    yield Word(name="FreeU Version", option="freeu.version")
    yield Word(name="Hypertile U-Net", asks=True, option="hypertile.unet", codec="boolean")
    yield Word(name="Hypertile U-Net second pass", asks=True, option="hypertile.second_pass", codec="boolean")
    yield Word(name="Hypertile VAE", asks=True, option="hypertile.vae", codec="boolean")
    for title, network in (("U-Net", "unet"), ("VAE", "vae")):
        for key, option in _TILED.items():
            yield Word(name=f"Hypertile {title} {key}", option=f"hypertile.of_{network}.{option}", codec="integer")


def _codec(option: str) -> Codec:
    if option in _TEXTS:
        return "text"
    if option in _FLAGS:
        return "boolean"
    return "integer" if option == "block" else "number"


def fields_of(options: GuidanceOptions) -> dict[str, str]:
    """The keys of what is not as usual."""
    usual = GuidanceOptions()
    fields = {
        key: str(getattr(options, option))
        for key, option in PLAIN.items()
        if getattr(options, option) != getattr(usual, option)
    }
    fields |= _of_hypertile(options.hypertile)
    if options.freeu.enabled:
        fields |= _of_freeu(options.freeu)
    if options.thresholding.enabled:
        fields |= {key: Behind(value) for key, value in _of_thresholding(options.thresholding).items()}
    for key, part in SWITCHES.items():
        chosen = getattr(options, part)
        if chosen.enabled and part in NUMBERS:
            fields |= {key: "True"} | {name: str(getattr(chosen, option)) for name, option in NUMBERS[part].items()}
    return fields


def _of_freeu(freeu: FreeU) -> dict[str, str]:
    return {
        "FreeU Stages": json.dumps([stage.told for stage in freeu.acting]),
        "FreeU Schedule": f"{_moment(freeu.start)}, {_moment(freeu.stop)}, {freeu.smoothness}",
        "FreeU Version": freeu.version,
    }


def _moment(value: float) -> str:
    """A share with its point, a number of steps without."""
    return str(int(value)) if value > 1 and value == int(value) else str(value)


def _of_thresholding(chosen: Thresholding) -> dict[str, str]:
    said = {key: str(getattr(chosen, option)) for key, option in _OF_THRESHOLDING.items()}
    if chosen.mimic_mode == "Constant":
        del said["Mimic mode"], said["Mimic scale minimum"]
    if chosen.cfg_mode == "Constant":
        del said["CFG mode"], said["CFG scale minimum"]
    if not chosen.is_shaped:
        del said["Scheduler value"]
    return {"Dynamic thresholding enabled": "True", **said}


def _of_hypertile(chosen: HyperTile) -> dict[str, str]:
    """As A1111: numbers that are not the usual ones, where their network is tiled."""
    fields: dict[str, str] = {}
    if chosen.unet:
        fields["Hypertile U-Net"] = "True"
    elif chosen.second_pass:
        fields["Hypertile U-Net second pass"] = "True"
    if chosen.unet or chosen.second_pass:
        fields |= _numbers("U-Net", chosen.of_unet, Tiled())
    if chosen.vae:
        fields |= {"Hypertile VAE": "True"} | _numbers("VAE", chosen.of_vae, TiledVae())
    return fields


def _numbers(title: str, chosen: Tiled, usual: Tiled) -> dict[str, str]:
    return {
        f"Hypertile {title} {key}": str(getattr(chosen, option))
        for key, option in _TILED.items()
        if getattr(chosen, option) != getattr(usual, option)
    }
