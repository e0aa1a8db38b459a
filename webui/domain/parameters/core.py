"""Rows of the keys that begin every details line, in A1111's fixed order; and of what stands in no line at all."""

from webui.domain.parameters.row import FLAG, NUMBER, WHOLE, Codec, Key, Place, Row
from webui.domain.parameters.subject import Subject


def _in_the_prompt(_: Subject) -> bool:
    """Prompts stand above the details line, so that it has no item for them."""
    return False


def _varied(subject: Subject) -> bool:
    return subject.request.subseed_strength != 0


def _seed_resized(subject: Subject) -> bool:
    return subject.request.seed_resize_from_w > 0 and subject.request.seed_resize_from_h > 0


def _tells_of_ensd(subject: Subject) -> bool:
    """A1111 writes it for some samplers only, though all that draw noise count it in."""
    everywhere = not subject.request.a1111_infotext
    return everywhere or (subject.sampler.uses_ensd and subject.eta != 0)


def _vae(subject: Subject) -> str | None:
    """The VAE's file. That the one baked into the checkpoint was asked for is told by None, which A1111 leaves out."""
    asked_for_none = subject.request.vae == "None" and not subject.request.a1111_infotext
    return subject.facts.model.vae or ("None" if asked_for_none else None)


CORE: tuple[Row | Place, ...] = (
    Row("steps", Key("Steps", WHOLE, always=True), body="steps", label="Sampling steps"),
    Row("sampler", Key("Sampler", always=True), body="sampler_name", label="Sampling method"),
    Row(
        "scheduler",
        # Automatic is written as the schedule that it stands for
        Key("Schedule type", always=True, value=lambda subject: subject.schedule, shown="Automatic"),
        body="scheduler",
        label="Schedule type",
    ),
    Row("cfg_scale", Key("CFG scale", NUMBER, always=True), body="cfg_scale", label="CFG scale", span=(1, 30, 0.5)),
    Row(
        "task.image_cfg_scale",
        Key("Image CFG scale", NUMBER),
        body="image_cfg_scale",
        label="Image CFG scale",
        span=(0, 3, 0.05),
    ),
    Row("seed", Key("Seed", WHOLE, always=True), body="seed"),
    Place("Face restoration", lambda subject: None),
    Row("width", Key("Size-1", WHOLE, always=True), body="width", span=(64, 2048, 8)),
    Row("height", Key("Size-2", WHOLE, always=True), body="height", span=(64, 2048, 8)),
    Place("Model hash", lambda subject: subject.facts.model.checkpoint_hash or None),
    Row(
        "checkpoint",
        Key("Model", always=True, value=lambda subject: subject.facts.model.checkpoint or None),
        option="sd_model_checkpoint",
        label="Checkpoint",
    ),
    Place("VAE hash", lambda subject: subject.facts.model.vae_hash or None),
    Row(
        "vae",
        Key("VAE", always=True, value=_vae),
        option="sd_vae",
        label="VAE",
    ),
    Row(
        "subseed",
        Key("Variation seed", WHOLE, always=True, when=_varied, value=lambda subject: subject.facts.subseed),
        body="subseed",
        label="Variation seed",
    ),
    Row(
        "subseed_strength",
        Key("Variation seed strength", NUMBER),
        body="subseed_strength",
        label="Variation strength",
    ),
    Row(
        "seed_resize_from_w",
        Key("Seed resize from-1", WHOLE, when=_seed_resized),
        body="seed_resize_from_w",
        body_codec=Codec(lambda pixels: max(0, pixels)),  # A1111 says -1 for none
        label="Resize seed from width",
        span=(0, 2048, 8),
    ),
    Row(
        "seed_resize_from_h",
        Key("Seed resize from-2", WHOLE, when=_seed_resized),
        body="seed_resize_from_h",
        body_codec=Codec(lambda pixels: max(0, pixels)),
        label="Resize seed from height",
        span=(0, 2048, 8),
    ),
    Row(
        "task.denoising_strength",
        Key("Denoising strength", NUMBER, always=True),
        body="denoising_strength",
        label="Denoising strength",
    ),
    Row(
        "task.hires.denoising_strength",
        Key("Denoising strength", NUMBER, always=True),
        body="denoising_strength",
    ),
    Row(
        "inpainting_mask_weight",
        Key("Conditional mask weight", NUMBER, always=True, when=lambda subject: subject.facts.model.inpainting),
        option="inpainting_mask_weight",
        label="Inpainting conditioning mask strength",
        group="guidance",
    ),
    Row("clip_skip", Key("Clip skip", WHOLE, shown="1"), option="CLIP_stop_at_last_layers", label="Clip skip"),
    Row("noise.ensd", Key("ENSD", WHOLE, when=_tells_of_ensd), option="eta_noise_seed_delta", label="ENSD"),
    Row(
        "token_merging.ratio",
        Key("Token merging ratio", NUMBER, value=lambda subject: subject.request.merging_ratio),
        option="token_merging_ratio",
    ),
    Row(
        "token_merging.picture_ratio",
        why_no_key="runs that start from a picture write it as Token merging ratio",
        option="token_merging_ratio_img2img",
    ),
    Row(
        "token_merging.hires_ratio",
        Key(
            "Token merging ratio hr",
            NUMBER,
            when=lambda subject: subject.hires is not None,
            value=lambda subject: subject.request.hires_merging_ratio,
        ),
        option="token_merging_ratio_hr",
    ),
    Row(
        "noise.source",
        Key(
            "RNG",
            always=True,
            when=lambda subject: subject.request.noise.source != "GPU",
            shown="GPU",
            missing="GPU",
        ),
        option="randn_source",
        label="Random numbers",
    ),
    Row("tiling", Key("Tiling", FLAG), body="tiling", option="tiling"),
    Row(
        "vae_decoder",
        Key("VAE Decoder"),
        option="sd_vae_decode_method",
        label="VAE decodes by",
    ),
    Row(
        "vae_encoder",
        Key("VAE Encoder"),
        option="sd_vae_encode_method",
        label="VAE encodes by",
    ),
    Row("prompt", Key("Prompt", when=_in_the_prompt), body="prompt"),
    Row("negative_prompt", Key("Negative prompt", when=_in_the_prompt), body="negative_prompt"),
    Row("styles", why_no_key="styles are part of the prompts by the time that a text is written", body="styles"),
    Row("batch_size", why_no_key="a text tells of one image", body="batch_size", label="Batch size", span=(1, 8, 1)),
    Row("n_iter", why_no_key="a text tells of one image", body="n_iter", label="Batch count", span=(1, 100, 1)),
    Row("task.kind", why_no_key="the keys of the task's other fields tell which it is"),
    Row("extensions", why_no_key="each extension writes keys of its own", label="Extension options"),
    Row(
        "a1111_infotext",
        why_no_key="it says how the text is written, and the text shows it",
        label="No keys in the text that A1111 leaves out",
        group="prompting",
    ),
)
