"""The `infotext` field of a body: generation parameters that fill in what the body does not name itself."""

from collections.abc import Collection, Mapping
from typing import Any

from webui.api.body import InvalidBodyError
from webui.api.sdapi.dialect.hires import hires_body
from webui.api.sdapi.dialect.options import HIRES_REFINER_PASS, OPTIONS, value_at
from webui.domain.request import GenerationRequest, Txt2Img
from webui.output.compat import with_defaults
from webui.output.hires import tells_of_hires
from webui.output.parse import parse, to_request

BODY_FIELDS = (  # key of the infotext, field of the body, path in a request
    ("Prompt", "prompt", "prompt"),
    ("Negative prompt", "negative_prompt", "negative_prompt"),
    ("Steps", "steps", "steps"),
    ("Sampler", "sampler_name", "sampler"),
    ("Schedule type", "scheduler", "scheduler"),
    ("CFG scale", "cfg_scale", "cfg_scale"),
    ("Seed", "seed", "seed"),
    ("Size-1", "width", "width"),
    ("Size-2", "height", "height"),
    ("Batch size", "batch_size", "batch_size"),
    ("Variation seed", "subseed", "subseed"),
    ("Variation seed strength", "subseed_strength", "subseed_strength"),
    ("Seed resize from-1", "seed_resize_from_w", "seed_resize_from_w"),
    ("Seed resize from-2", "seed_resize_from_h", "seed_resize_from_h"),
    ("Refiner", "refiner_checkpoint", "refiner.checkpoint"),
    ("Refiner switch at", "refiner_switch_at", "refiner.switch_at"),
)
TXT2IMG_FIELDS = frozenset({*(name for _, name, _ in BODY_FIELDS), "enable_hr"})
IMG2IMG_FIELDS = frozenset(
    {"steps", "sampler_name", "scheduler", "seed", "subseed", "subseed_strength", "seed_resize_from_w",
     "seed_resize_from_h", "refiner_checkpoint", "refiner_switch_at"}
)  # fmt: skip
SETTINGS = (  # key of the infotext, setting; the model is left alone, as A1111 does by default
    ("VAE", "sd_vae"),
    ("Clip skip", "CLIP_stop_at_last_layers"),
    ("Emphasis", "emphasis"),
    ("RNG", "randn_source"),
    ("Conditional mask weight", "inpainting_mask_weight"),
    ("Tiling", "tiling"),
    ("Schedule min sigma", "sigma_min"),
    ("Schedule max sigma", "sigma_max"),
    ("Schedule rho", "rho"),
    ("Beta schedule alpha", "beta_dist_alpha"),
    ("Beta schedule beta", "beta_dist_beta"),
    ("ENSD", "eta_noise_seed_delta"),
    ("Eta", "eta_ancestral"),
    ("Eta DDIM", "eta_ddim"),
    ("Sigma churn", "s_churn"),
    ("Sigma tmin", "s_tmin"),
    ("Sigma tmax", "s_tmax"),
    ("Sigma noise", "s_noise"),
    ("Discard penultimate sigma", "always_discard_next_to_last_sigma"),
    ("SGM noise multiplier", "sgm_noise_multiplier"),
    ("Noise Schedule", "sd_noise_schedule"),
    ("Skip Early CFG", "skip_early_cond"),
    ("NGMS", "s_min_uncond"),
    ("NGMS all steps", "s_min_uncond_all"),
    ("Old prompt editing timelines", "use_old_scheduling"),
    ("Token merging ratio", "token_merging_ratio"),
    ("Token merging ratio hr", "token_merging_ratio_hr"),
    ("Hires refiner", HIRES_REFINER_PASS),
    ("Downcast alphas_cumprod", "use_downcasted_alpha_bar"),
    ("Pad conds", "pad_cond_uncond"),
    ("Pad conds v0", "pad_cond_uncond_v0"),
    ("UniPC variant", "uni_pc_variant"),
    ("UniPC skip type", "uni_pc_skip_type"),
    ("UniPC order", "uni_pc_order"),
    ("UniPC lower order final", "uni_pc_lower_order_final"),
)


def filled_in(data: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The body with what its infotext says added; presence in the body decides, not value.

    Args:
        names: the fields that may be added; settings are, whatever it says.

    Raises:
        InvalidBodyError: the text names something that cannot be requested.
    """
    text = data.get("infotext")
    if not isinstance(text, str) or not text.strip():
        return dict(data)
    try:
        parsed = parse(text)
        request = to_request(parsed)
    except ValueError as error:  # pydantic's ValidationError is one
        raise InvalidBodyError.at(("infotext",), f"cannot be used: {error}") from None
    if tells_of_hires(parsed) and "enable_hr" in names:
        data = {**hires_body(request, parsed), **data}
    fields = with_defaults(parsed)  # a missing key says what was usual when the text was written: noise of the GPU
    added = {name: _at(request, path) for key, name, path in BODY_FIELDS if key in fields and name in names}
    settings = {name: _setting(request, name) for key, name in SETTINGS if key in fields}
    given = data.get("override_settings")
    merged = {**{name: value for name, value in added.items() if value is not None}, **data}
    if given is None or isinstance(given, dict):
        merged["override_settings"] = {**settings, **(given or {})}
    return merged


def _setting(request: GenerationRequest, key: str) -> Any:
    if key == HIRES_REFINER_PASS:
        return request.task.hires.refiner_pass if isinstance(request.task, Txt2Img) else "second pass"
    option = OPTIONS[key]
    return option.encode(value_at(request, option.path))


def _at(request: GenerationRequest, path: str) -> Any:
    return None if path.startswith("refiner.") and request.refiner is None else value_at(request, path)
