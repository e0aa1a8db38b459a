"""Rows of how prompts are read, of the noise schedule and of the sampler, in the order in which A1111 writes them."""

from types import MappingProxyType

from webui.domain.parameters.row import FLAG, NUMBER, WHOLE, Codec, Key, OldRule, Place, Row, words
from webui.domain.parameters.subject import Subject

_ZERO_SNR = MappingProxyType({False: "Default", True: "Zero Terminal SNR"})


def _decode_zero_snr(name: object) -> object:
    """A1111's names of the two noise schedules; anything else is left for the request to judge."""
    return {word: value for value, word in _ZERO_SNR.items()}.get(name, name) if isinstance(name, str) else name


def _edits_prompts(subject: Subject) -> bool:
    return "[" in subject.prompts


def _emphasises(subject: Subject) -> bool:
    return subject.emphasises


def _has_commas(subject: Subject) -> bool:
    return "," in subject.every_prompt


def _has_comments(subject: Subject) -> bool:
    return "#" in subject.every_prompt


def _emphasises_anywhere(subject: Subject) -> bool:
    return any(bracket in subject.every_prompt for bracket in "()[]{}")


def _bounds_count(subject: Subject) -> bool:
    """Automatic without a schedule of the sampler's own takes the model's bounds."""
    return subject.chooses_sigmas and subject.schedule != "Automatic"


def _rho_counts(subject: Subject) -> bool:
    has_rho = subject.chooses_sigmas and subject.default_rho >= 0
    return has_rho and subject.request.schedule.rho != subject.default_rho


def _is_beta(subject: Subject) -> bool:
    return subject.chooses_sigmas and subject.schedule == "Beta"


def _chooses_sigmas(subject: Subject) -> bool:
    return subject.chooses_sigmas


def _decode_levels(text: str) -> tuple[float, ...]:
    """Numbers with spaces or commas between them, as a person types them."""
    return tuple(float(word) for word in text.replace(",", " ").split())


_LEVELS = Codec(_decode_levels, lambda levels: " ".join(f"{level:.9g}" for level in levels))


def _churns(subject: Subject) -> bool:
    return subject.sampler.churns


def _scales_noise(subject: Subject) -> bool:
    return subject.sampler.churns or subject.sampler.takes_s_noise


def _draws_a_tree(subject: Subject) -> bool:
    return subject.sampler.brownian


def _is_unipc(subject: Subject) -> bool:
    return subject.request.sampler == "UniPC"


CONDITIONING: tuple[Row | Place, ...] = (
    Place("Lora hashes", lambda subject: subject.facts.lora_hashes or None),
    Row(
        "prompting.old_scheduling",
        Key(
            "Old prompt editing timelines", FLAG, when=_edits_prompts,
            old_rule=OldRule((1, 6, 0, 0), lambda fields: "[" in fields.get("Prompt", "")),
        ),
        option="use_old_scheduling",
    ),
    Place("TI hashes", lambda subject: subject.facts.ti_hashes or None),
    Row("prompting.emphasis", Key("Emphasis", when=_emphasises), option="emphasis"),
    # the next three are named as the settings of A1111
    Row(
        "prompting.comma_padding_backtrack", Key("Comma padding backtrack", WHOLE, silent=True, when=_has_commas),
        option="comma_padding_backtrack",
    ),
    Row(
        "prompting.comments", Key("Prompt comments", FLAG, silent=True, when=_has_comments),
        option="enable_prompt_comments",
    ),
    Row(
        "prompting.old_emphasis", Key("Old emphasis implementation", FLAG, silent=True, when=_emphasises_anywhere),
        option="use_old_emphasis_implementation",
    ),
    Row(
        "disable_extra_networks",
        # named as the field of A1111's API; without a tag there is nothing to disable
        Key("Disable extra networks", FLAG, silent=True, when=lambda subject: "<" in subject.every_prompt),
        body="disable_extra_networks", label="No extra networks",
    ),
    # the keys of SDXL are named as A1111's settings; whether a checkpoint is of SDXL is not known here
    Row("sdxl.crop_top", Key("SDXL crop top", WHOLE, silent=True), option="sdxl_crop_top", span=(0, 2048, 8)),
    Row("sdxl.crop_left", Key("SDXL crop left", WHOLE, silent=True), option="sdxl_crop_left", span=(0, 2048, 8)),
    Row(
        "sdxl.aesthetic_score", Key("SDXL high aesthetic score", NUMBER, silent=True),
        option="sdxl_refiner_high_aesthetic_score",
    ),
    Row(
        "sdxl.negative_aesthetic_score", Key("SDXL low aesthetic score", NUMBER, silent=True),
        option="sdxl_refiner_low_aesthetic_score",
    ),
    Row(
        "sdxl.clip_l_skip",
        Key("SDXL CLIP L skip", FLAG, silent=True, when=lambda subject: subject.request.clip_skip > 1),
        option="sdxl_clip_l_skip", label="Clip skip on CLIP L",
    ),
)  # fmt: skip

SAMPLING: tuple[Row, ...] = (
    Row(
        "schedule.downcast_alphas", Key("Downcast alphas_cumprod", FLAG, old_rule=OldRule((1, 7, 0, 225))),
        option="use_downcasted_alpha_bar",
    ),
    Row(
        "schedule.zero_terminal_snr",
        Key("Noise Schedule", Codec(lambda text: text == _ZERO_SNR[True], words(_ZERO_SNR).encode)),
        option="sd_noise_schedule", option_codec=Codec(_decode_zero_snr, words(_ZERO_SNR).encode),
        label="Zero terminal SNR",
    ),
    Row(
        "schedule.discard_penultimate",
        Key("Discard penultimate sigma", FLAG, when=lambda subject: not subject.sampler.discards_penultimate),
        option="always_discard_next_to_last_sigma",
    ),
    Row(
        "schedule.sigma_min", Key("Schedule min sigma", NUMBER, when=_bounds_count, shown=0), option="sigma_min"
    ),
    Row(
        "schedule.sigma_max", Key("Schedule max sigma", NUMBER, when=_bounds_count, shown=0), option="sigma_max"
    ),
    Row("schedule.rho", Key("Schedule rho", NUMBER, when=_rho_counts, shown=0), option="rho"),
    Row(
        "schedule.beta_alpha",
        # A1111 writes one spelling and reads another
        Key("Beta schedule alpha", NUMBER, always=True, when=_is_beta, also=("Beta scheduler alpha",)),
        option="beta_dist_alpha",
    ),
    Row(
        "schedule.beta_beta",
        Key("Beta schedule beta", NUMBER, always=True, when=_is_beta, also=("Beta scheduler beta",)),
        option="beta_dist_beta",
    ),
    # named as the settings of A1111
    Row(
        "schedule.old_karras_sigmas", Key("Old Karras sigmas", FLAG, silent=True, when=_chooses_sigmas),
        option="use_old_karras_scheduler_sigmas",
    ),
    Row(
        "schedule.quantize", Key("Quantization", FLAG, silent=True, when=_chooses_sigmas), option="enable_quantization"
    ),
    Row(
        # A1111 has no list of one's own
        "schedule.sigmas", Key("Schedule sigmas", _LEVELS, silent=True, when=_chooses_sigmas), label="Your list",
    ),
    Row(
        "noise.sgm_multiplier", Key("SGM noise multiplier", FLAG, when=_chooses_sigmas),
        option="sgm_noise_multiplier", label="SGM noise multiplier",
    ),
    Row("noise.eta", why_no_key="it is written as the Eta or Eta DDIM that it overrides", body="eta", label="Eta"),
    Row(
        "noise.eta_ancestral",
        Key(
            "Eta", NUMBER, when=lambda subject: subject.eta_key == "Eta", value=lambda subject: subject.eta
        ),
        option="eta_ancestral", label="Eta, ancestral samplers",
    ),
    Row(
        "noise.eta_ddim",
        Key(
            "Eta DDIM", NUMBER, when=lambda subject: subject.eta_key == "Eta DDIM", value=lambda subject: subject.eta
        ),
        option="eta_ddim", label="Eta, DDIM",
    ),
    # A1111 writes these four where a setting chose them and not where a client of its API did
    Row(
        "noise.s_churn", Key("Sigma churn", NUMBER, silent=True, when=_churns),
        body="s_churn", option="s_churn", label="Sigma churn",
    ),
    Row(
        "noise.s_tmin", Key("Sigma tmin", NUMBER, silent=True, when=_churns),
        body="s_tmin", option="s_tmin", label="Sigma tmin",
    ),
    Row(
        "noise.s_tmax", Key("Sigma tmax", NUMBER, silent=True, when=_churns),
        body="s_tmax", option="s_tmax", label="Sigma tmax",
    ),
    Row(
        "noise.s_noise", Key("Sigma noise", NUMBER, silent=True, when=_scales_noise),
        body="s_noise", option="s_noise", label="Sigma noise",
    ),
    Row(
        "noise.batch_sde", Key("SDE noise of the whole batch", FLAG, silent=True, when=_draws_a_tree),
        option="no_dpmpp_sde_batch_determinism", label="One SDE tree for the batch",
    ),
    # A1111 reads these keys and writes none of them
    Row("unipc.variant", Key("UniPC variant", silent=True, when=_is_unipc), option="uni_pc_variant"),
    Row("unipc.skip_type", Key("UniPC skip type", silent=True, when=_is_unipc), option="uni_pc_skip_type"),
    Row("unipc.order", Key("UniPC order", WHOLE, silent=True, when=_is_unipc), option="uni_pc_order"),
    Row(
        "unipc.lower_order_final", Key("UniPC lower order final", FLAG, silent=True, when=_is_unipc),
        option="uni_pc_lower_order_final",
    ),
)  # fmt: skip
