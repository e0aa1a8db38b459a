"""A1111's setting keys and what they are here, as data: which field of a request each one becomes.

`GET/POST /sdapi/v1/options` and `override_settings` both read this table; the routes stand in `settings.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from webui.domain.request import GenerationRequest

CHECKPOINT, VAE = "sd_model_checkpoint", "sd_vae"
REFINER_BY_STEPS = "refiner_switch_by_sample_steps"
HIRES_REFINER_PASS = "hires_fix_refiner_pass"


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of A1111.

    Attributes:
        key: A1111's name of it.
        path: dotted path of the request field.
        decode: from A1111's value to the field's; `encode` is the way back.
    """

    key: str
    path: str
    decode: Callable[[Any], Any] = _same
    encode: Callable[[Any], Any] = _same


def _is_zero_snr(value: Any) -> Any:
    names = {"Default": False, "Zero Terminal SNR": True}
    return names.get(value, value) if isinstance(value, str) else value


def _snr_name(value: Any) -> str:
    return "Zero Terminal SNR" if value else "Default"


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        option.key: option
        for option in (
            Option(CHECKPOINT, "checkpoint"),
            Option(VAE, "vae"),
            Option("CLIP_stop_at_last_layers", "clip_skip"),
            Option("tiling", "tiling"),
            Option("randn_source", "noise.source"),
            Option("eta_ancestral", "noise.eta_ancestral"),
            Option("eta_ddim", "noise.eta_ddim"),
            Option("eta_noise_seed_delta", "noise.ensd"),
            Option("s_churn", "noise.s_churn"),
            Option("s_tmin", "noise.s_tmin"),
            Option("s_tmax", "noise.s_tmax"),
            Option("s_noise", "noise.s_noise"),
            Option("sgm_noise_multiplier", "noise.sgm_multiplier"),
            Option("no_dpmpp_sde_batch_determinism", "noise.batch_sde"),
            Option("sigma_min", "schedule.sigma_min"),
            Option("sigma_max", "schedule.sigma_max"),
            Option("rho", "schedule.rho"),
            Option("beta_dist_alpha", "schedule.beta_alpha"),
            Option("beta_dist_beta", "schedule.beta_beta"),
            Option("always_discard_next_to_last_sigma", "schedule.discard_penultimate"),
            Option("use_old_karras_scheduler_sigmas", "schedule.old_karras_sigmas"),
            Option("enable_quantization", "schedule.quantize"),
            Option("sd_noise_schedule", "schedule.zero_terminal_snr", _is_zero_snr, _snr_name),
            Option("use_downcasted_alpha_bar", "schedule.downcast_alphas"),
            Option("uni_pc_variant", "unipc.variant"),
            Option("uni_pc_skip_type", "unipc.skip_type"),
            Option("uni_pc_order", "unipc.order"),
            Option("uni_pc_lower_order_final", "unipc.lower_order_final"),
            Option("s_min_uncond", "guidance.s_min_uncond"),
            Option("s_min_uncond_all", "guidance.s_min_uncond_all"),
            Option("skip_early_cond", "guidance.skip_early_cond"),
            Option("pad_cond_uncond", "guidance.pad_conds"),
            Option("pad_cond_uncond_v0", "guidance.pad_conds_v0"),
            Option("emphasis", "prompting.emphasis"),
            Option("comma_padding_backtrack", "prompting.comma_padding_backtrack"),
            Option("enable_prompt_comments", "prompting.comments"),
            Option("use_old_scheduling", "prompting.old_scheduling"),
            Option("use_old_emphasis_implementation", "prompting.old_emphasis"),
            Option("token_merging_ratio", "token_merging.ratio"),
            Option("token_merging_ratio_img2img", "token_merging.picture_ratio"),
            Option("token_merging_ratio_hr", "token_merging.hires_ratio"),
            Option("sdxl_crop_top", "sdxl.crop_top"),
            Option("sdxl_crop_left", "sdxl.crop_left"),
            Option("sdxl_refiner_high_aesthetic_score", "sdxl.aesthetic_score"),
            Option("sdxl_refiner_low_aesthetic_score", "sdxl.negative_aesthetic_score"),
            Option("sdxl_clip_l_skip", "sdxl.clip_l_skip"),
            Option("inpainting_mask_weight", "inpainting_mask_weight"),
        )
    }
)

# Known to clients, accepted in every spelling, and without effect on the images that these routes make.
NEUTRAL: Mapping[str, Any] = MappingProxyType(
    {
        REFINER_BY_STEPS: False,  # becomes part of a request's refiner
        "batch_cond_uncond": True,
        "persistent_cond_cache": True,
        HIRES_REFINER_PASS: "second pass",  # becomes part of a request's hires
        "lora_functional": False,
        "img2img_fix_steps": False,
        "img2img_extra_noise": 0.0,
        "img2img_color_correction": False,
        "initial_noise_multiplier": 1.0,
        "overlay_inpaint": True,
        "return_mask": False,
        "return_mask_composite": False,
        "return_grid": False,
        "grid_save": False,
        "face_restoration": False,  # this and the next two: words that extensions honour (honoured.py)
        "face_restoration_model": "CodeFormer",
        "code_former_weight": 0.5,
        "auto_backcompat": True,
        "disable_weights_auto_swap": True,
        "add_model_name_to_info": True,
        "add_model_hash_to_info": True,
    }
)


@dataclass(frozen=True, slots=True)
class FixedOptions:
    """Settings that clients may read; they are changed with the program's flags, not over the network."""

    samples_format: str = "png"
    jpeg_quality: int = 80
    webp_lossless: bool = False
    samples_save: bool = True
    enable_pnginfo: bool = True
    save_txt: bool = False
    show_progress_every_n_steps: int = 5

    def values(self) -> dict[str, Any]:
        """A1111's keys and values."""
        return {
            "samples_format": self.samples_format,
            "jpeg_quality": self.jpeg_quality,
            "webp_lossless": self.webp_lossless,
            "samples_save": self.samples_save,
            "enable_pnginfo": self.enable_pnginfo,
            "save_txt": self.save_txt,
            "live_previews_enable": self.show_progress_every_n_steps > 0,
            "show_progress_every_n_steps": self.show_progress_every_n_steps,
        }


def with_a1111_defaults(starting: GenerationRequest) -> GenerationRequest:
    """The starting values with A1111's default where the user chose nothing and ours is another.

    Clients of this API expect the noise source that A1111 has (`GPU`; the same numbers as CPU where there is no GPU).
    """
    if "source" in starting.noise.model_fields_set:
        return starting
    return starting.model_copy(update={"noise": starting.noise.model_copy(update={"source": "GPU"})})


def value_at(request: GenerationRequest, path: str) -> Any:
    """The field at a dotted path of at most two names."""
    outer, _, inner = path.partition(".")
    found = dict(request)[outer]
    return dict(found)[inner] if inner else found


def replaced(request: GenerationRequest, changes: Mapping[str, Any]) -> GenerationRequest:
    """A validated copy with the fields at these dotted paths, of any depth, changed.

    Raises:
        pydantic.ValidationError: located by the same names as the paths.
    """
    whole: dict[str, Any] = dict(request)
    if "task.kind" in changes:
        whole["task"] = {}  # one kind has no fields of another
    for path, value in changes.items():
        *parents, last = path.split(".")
        part = whole
        for name in parents:
            part[name] = dict(part.get(name) or ())  # None or nothing for a part not yet asked for
            part = part[name]
        part[last] = value
    return GenerationRequest.model_validate(whole)
