"""Rows of hires fix, in the order in which A1111 v1.10.1 writes their keys."""

from webui.domain.parameters.row import NUMBER, WHOLE, Codec, Key, Row
from webui.domain.parameters.subject import Subject

SAME = ("Use same sampler", "Use same scheduler", "Use same checkpoint")  # A1111's words for "as in the first pass"
_NAME = Codec(lambda text: "" if text in SAME else text)
_HIRES = "task.hires."
_SIDE = (0, 2048, 8)


def _has_own_size(subject: Subject) -> bool:
    return subject.hires is not None and bool(subject.hires.resize_width or subject.hires.resize_height)


def _has_own_schedule(subject: Subject) -> bool:
    """A1111 does not write an Automatic that stands for no schedule of its own, whatever the first pass had."""
    unsaid = ("Automatic", subject.schedule) if subject.request.a1111_infotext else (subject.schedule,)
    return subject.hires_schedule not in unsaid


def _has_own_prompt(subject: Subject) -> bool:
    return subject.hires is not None and subject.hires.prompt != subject.request.prompt


def _has_own_negative_prompt(subject: Subject) -> bool:
    return subject.hires is not None and subject.hires.negative_prompt != subject.request.negative_prompt


SECOND_PASS: tuple[Row, ...] = (
    Row(_HIRES + "enabled", why_no_key="the keys of the second pass tell that there is one", body="enable_hr",
        label="Hires. fix"),
    Row(
        _HIRES + "checkpoint",
        Key(
            "Hires checkpoint", _NAME, shown=SAME[2],
            value=lambda subject: subject.facts.hires_checkpoint or (subject.hires.checkpoint if subject.hires else ""),
        ),
        body="hr_checkpoint_name", label="Hires checkpoint",
    ),
    Row(
        _HIRES + "sampler",
        Key(
            "Hires sampler", _NAME, shown=SAME[0],
            when=lambda subject: subject.hires_sampler != subject.request.sampler,
        ),
        body="hr_sampler_name", label="Hires sampling method",
    ),
    Row(
        _HIRES + "prompt", Key("Hires prompt", when=_has_own_prompt, shown=""), body="hr_prompt", label="Hires prompt"
    ),
    Row(
        _HIRES + "negative_prompt", Key("Hires negative prompt", when=_has_own_negative_prompt, shown=""),
        body="hr_negative_prompt", label="Hires negative prompt",
    ),
    Row(
        _HIRES + "scheduler",
        Key(
            "Hires schedule type", _NAME, shown=SAME[1],
            when=_has_own_schedule, value=lambda subject: subject.hires_schedule,
        ),
        body="hr_scheduler", label="Hires schedule type",
    ),
    Row(
        _HIRES + "scale",
        Key("Hires upscale", NUMBER, always=True, when=lambda subject: not _has_own_size(subject)),
        body="hr_scale", label="Upscale by", span=(1, 4, 0.05),
    ),
    Row(
        _HIRES + "resize_width", Key("Hires resize-1", WHOLE, always=True, when=_has_own_size, shown=0),
        body="hr_resize_x", label="Resize width to", span=_SIDE,
    ),
    Row(
        _HIRES + "resize_height", Key("Hires resize-2", WHOLE, always=True, when=_has_own_size, shown=0),
        body="hr_resize_y", label="Resize height to", span=_SIDE,
    ),
    Row(_HIRES + "steps", Key("Hires steps", WHOLE), body="hr_second_pass_steps", label="Hires steps"),
    Row(_HIRES + "upscaler", Key("Hires upscaler", always=True), body="hr_upscaler", label="Upscaler"),
    Row(
        _HIRES + "cfg_scale", Key("Hires CFG Scale", NUMBER),  # a key of A1111's fork Forge
        body="hr_cfg", label="Hires CFG scale",
    ),
    Row(_HIRES + "extra_noise", Key("Extra noise", NUMBER), option="img2img_extra_noise"),
)  # fmt: skip
