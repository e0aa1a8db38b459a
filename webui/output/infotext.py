"""Writes the generation parameters of one image as the text that A1111 and other tools read.

Reading it back is in `parse.py`; where in a file it is stored is in `metadata.py`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from webui.domain.catalog import SAMPLERS, SCHEDULES, SamplerInfo, shown_schedule
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import ModelFacts
from webui.output.grammar import body, safe_key, split_text
from webui.output.hires import hires_details, merging_details
from webui.output.inpainting import inpainting_keys

_NEEDS_QUOTES = re.compile(r'[,:\r\n]|^["\s]|\s$')
_NO_EXTRA: Mapping[str, str] = MappingProxyType({})
_DDIM_ETA = ("DDIM", "DDIM CFG++")

Details = dict[str, object]  # key -> value as Python prints it; None: not written


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoFacts:
    """What the text says beside the request.

    Attributes:
        model: names and hashes of the checkpoint and the VAE.
        subseed: the variation seed of this image.
        refiner: title of the second checkpoint, `tiny-sd1-b [fc376701cf]`; "" writes the name in the request.
        hires_checkpoint: title of the second pass's checkpoint; "" writes the name in the request.
        lora_hashes: `name: 12 hex, name2: 12 hex`; "" where no network was used. `ti_hashes`: the same for embeddings.
        extra: keys of extensions, in order; a key that is also one of the core's replaces its value in place.
            Characters that keys cannot have become `_`.
        version: version of this program; "" writes no version.
        padded: whether padding changed any conditioning; only then the request's padding is written.
        complete: also write keys that A1111 understands but does not write where an API client chose them
            (`Sigma churn`, `UniPC order`, ENSD for further samplers).
        blank_mask: only the masked area was to be worked on, and there was none.
    """

    model: ModelFacts
    subseed: int = 0
    refiner: str = ""
    hires_checkpoint: str = ""
    lora_hashes: str = ""
    ti_hashes: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: _NO_EXTRA)
    version: str = ""
    padded: bool = True
    complete: bool = False
    blank_mask: bool = False


def write(request: GenerationRequest, facts: InfoFacts) -> str:
    """The infotext of one image.

    Layout: prompt, `Negative prompt: ` line where there is one, one line of `Key: value` items. Numbers are printed as
    Python does (`CFG scale: 7.0`). A prompt that no reader could take apart again (it has a line that starts with
    `Negative prompt:`) is repeated in quotes under the key `Exact prompt`, which other tools pass over.

    Args:
        request: what makes this one image: its own seed, the prompt after styles and wildcards.
        facts: what else is known of it.
    """
    details = _core(request, facts)
    details |= {safe_key(key): value for key, value in facts.extra.items()}  # before what the passes add, as in A1111
    details |= _picture(request, facts) | hires_details(request, facts.hires_checkpoint)
    details |= _conditioning(request, facts) | _sampling(request, facts) | _guidance(request, facts)
    if _normal(split_text(_text(request, details))) != _normal((request.prompt, request.negative_prompt)):
        details |= {"Exact prompt": request.prompt, "Exact negative prompt": request.negative_prompt}
    if facts.version:
        details["Version"] = version_text(facts.version)
    return _text(request, details)


def version_text(version: str) -> str:
    """What stands after `Version: `, never readable as a version number.

    A1111 compares the value with its own releases and switches on options of the past where it is lower (0.1.0 would
    count as older than 1.6). `webui-0.1.0` is no version by PEP 440, so that A1111 applies none of these rules; Forge's
    texts (`f2.0.1v1.10.1-...`) are none either, and other tools pass the key on as it is.
    """
    return f"webui-{version}"


def quote(value: object) -> str:
    """A value as it stands in the details line: bare, or a JSON string where it would be misread bare."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text


def _text(request: GenerationRequest, details: Mapping[str, object]) -> str:
    items = (key if key == value else f"{key}: {quote(value)}" for key, value in details.items() if value is not None)
    return f"{body(request.prompt, request.negative_prompt)}\n{', '.join(items)}".strip()


def _normal(prompts: tuple[str, str]) -> tuple[list[str], ...]:
    """Prompts without the white space at the ends of lines, which no reader keeps and no tokenizer sees."""
    return tuple([line.strip() for line in text.strip().split("\n")] for text in prompts)


def _core(request: GenerationRequest, facts: InfoFacts) -> Details:
    model, noise, task = facts.model, request.noise, request.task
    varied = request.subseed_strength != 0
    resized = request.seed_resize_from_w > 0 and request.seed_resize_from_h > 0
    return {
        "Steps": request.steps,
        "Sampler": request.sampler,
        "Schedule type": shown_schedule(request.sampler, request.scheduler),
        "CFG scale": request.cfg_scale,
        "Image CFG scale": task.image_cfg_scale if isinstance(task, Img2Img) else None,
        "Seed": request.seed,
        "Face restoration": None,  # from `extra`
        "Size": f"{request.width}x{request.height}",
        "Model hash": model.checkpoint_hash or None,
        "Model": model.checkpoint or None,
        "VAE hash": model.vae_hash or None,
        "VAE": model.vae or None,
        "Variation seed": facts.subseed if varied else None,
        "Variation seed strength": request.subseed_strength if varied else None,
        "Seed resize from": f"{request.seed_resize_from_w}x{request.seed_resize_from_h}" if resized else None,
        "Denoising strength": _strength(request),  # or from `extra`
        "Conditional mask weight": request.inpainting_mask_weight if model.inpainting else None,
        "Clip skip": request.clip_skip if request.clip_skip > 1 else None,
        "ENSD": noise.ensd if noise.ensd and _uses_ensd(request, facts) else None,
        **merging_details(request),
        "RNG": noise.source if noise.source != "GPU" else None,
        "Tiling": True if request.tiling else None,
    }


def _strength(request: GenerationRequest) -> float | None:
    task = request.task
    if isinstance(task, Img2Img):
        return task.denoising_strength
    return task.hires.denoising_strength if isinstance(task, Txt2Img) and task.hires.enabled else None


def _picture(request: GenerationRequest, facts: InfoFacts) -> Details:
    """What img2img did with its mask and added to the noise; the pictures themselves cannot be told in a text."""
    task = request.task
    if not isinstance(task, Img2Img):
        return {}
    return {
        **inpainting_keys(task.inpainting, blank=facts.blank_mask),
        "Noise multiplier": task.noise_multiplier if task.noise_multiplier != 1 else None,
        "Extra noise": task.extra_noise if task.extra_noise > 0 else None,
    }


def _conditioning(request: GenerationRequest, facts: InfoFacts) -> Details:
    rules, prompts = request.prompting, request.prompt + request.negative_prompt
    return {
        "Lora hashes": facts.lora_hashes or facts.extra.get("Lora hashes"),
        "Old prompt editing timelines": True if rules.old_scheduling and "[" in prompts else None,
        "TI hashes": facts.ti_hashes or None,
        "Emphasis": rules.emphasis if rules.emphasis != "Original" and re.search(r"[(\[]", prompts) else None,
    }


def _sampling(request: GenerationRequest, facts: InfoFacts) -> Details:
    """Keys of the schedule and the sampler, only where they change what this sampler does."""
    info, noise, options = SAMPLERS[request.sampler], request.noise, request.schedule
    details: Details = {
        "Downcast alphas_cumprod": True if options.downcast_alphas else None,
        "Noise Schedule": "Zero Terminal SNR" if options.zero_terminal_snr else None,
        "Discard penultimate sigma": True if options.discard_penultimate and not info.discards_penultimate else None,
    }
    schedule = shown_schedule(request.sampler, request.scheduler)
    if info.space == "sigma":
        default_rho = SCHEDULES[schedule].default_rho
        bounded = schedule != "Automatic"
        details |= {
            "Schedule min sigma": options.sigma_min if bounded and options.sigma_min else None,
            "Schedule max sigma": options.sigma_max if bounded and options.sigma_max else None,
            "Schedule rho": options.rho if default_rho >= 0 and options.rho not in (0, default_rho) else None,
            "Beta schedule alpha": options.beta_alpha if schedule == "Beta" else None,
            "Beta schedule beta": options.beta_beta if schedule == "Beta" else None,
            "SGM noise multiplier": True if noise.sgm_multiplier else None,
        }
    if eta_key(info):
        default = 0.0 if info.label in _DDIM_ETA else 1.0
        details[eta_key(info)] = _eta(request, info) if _eta(request, info) != default else None
    if facts.complete:
        details |= _sampler_options(request, info)
    return details


def _sampler_options(request: GenerationRequest, info: SamplerInfo) -> Details:
    noise, unipc = request.noise, request.unipc
    details: Details = {}
    if info.churns:
        details = {
            "Sigma churn": noise.s_churn or None,
            "Sigma tmin": noise.s_tmin or None,
            "Sigma tmax": noise.s_tmax or None,
        }
    if info.churns or info.takes_s_noise:
        details["Sigma noise"] = noise.s_noise if noise.s_noise != 1 else None
    if info.label == "UniPC":
        details = {
            "UniPC variant": unipc.variant,
            "UniPC skip type": unipc.skip_type,
            "UniPC order": unipc.order,
            "UniPC lower order final": unipc.lower_order_final,
        }
    return details


def _guidance(request: GenerationRequest, facts: InfoFacts) -> Details:
    guidance, refiner = request.guidance, request.refiner
    padded = facts.padded
    return {
        "Refiner switch by sampling steps": True if refiner and refiner.by_steps else None,
        "Hires refiner": _hires_refiner(request),
        "Skip Early CFG": guidance.skip_early_cond or None,
        "Refiner": facts.refiner or refiner.checkpoint if refiner else None,
        "Refiner switch at": refiner.switch_at if refiner else None,
        "NGMS": guidance.s_min_uncond or None,
        "NGMS all steps": True if guidance.s_min_uncond and guidance.s_min_uncond_all else None,
        "Pad conds": True if guidance.pad_conds and padded and not guidance.pad_conds_v0 else None,
        "Pad conds v0": True if guidance.pad_conds_v0 and padded else None,
    }


def _hires_refiner(request: GenerationRequest) -> str | None:
    task = request.task
    if request.refiner is None or not isinstance(task, Txt2Img) or not task.hires.enabled:
        return None
    return task.hires.refiner_pass if task.hires.refiner_pass != "second pass" else None


def eta_key(info: SamplerInfo) -> str:
    """`Eta` for ancestral and SDE samplers, `Eta DDIM` for DDIM, "" for samplers without eta."""
    if info.label in _DDIM_ETA:
        return "Eta DDIM"
    return "Eta" if info.uses_ensd or info.brownian else ""


def _eta(request: GenerationRequest, info: SamplerInfo) -> float:
    noise = request.noise
    if noise.eta is not None:
        return noise.eta
    return noise.eta_ddim if info.label in _DDIM_ETA else noise.eta_ancestral


def _uses_ensd(request: GenerationRequest, facts: InfoFacts) -> bool:
    info = SAMPLERS[request.sampler]
    return facts.complete or (info.uses_ensd and _eta(request, info) != 0)
