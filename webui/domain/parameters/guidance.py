"""Rows of the refiner, of guidance, and of approximations, in the order in which A1111 writes their keys."""

from webui.domain.parameters.row import FLAG, NUMBER, Key, OldRule, Row
from webui.domain.parameters.subject import Subject


def _pads(subject: Subject) -> bool:
    """Whether padding changed any conditioning; that of before A1111 1.6 takes precedence."""
    return subject.facts.padded and not subject.request.guidance.pad_conds_v0


def _refiner_title(subject: Subject) -> str | None:
    refiner = subject.request.refiner
    return subject.facts.refiner or refiner.checkpoint if refiner else None


GUIDANCE: tuple[Row, ...] = (
    Row(
        "refiner.by_steps",
        Key(
            "Refiner switch by sampling steps", FLAG, shown=False,
            old_rule=OldRule((1, 8, 0, 0), lambda fields: "Refiner" in fields),
        ),
        option="refiner_switch_by_sample_steps",
    ),
    Row(
        "task.hires.refiner_pass",
        Key("Hires refiner", when=lambda subject: subject.request.refiner is not None),
        option="hires_fix_refiner_pass", label="Refiner in",
    ),
    Row("guidance.skip_early_cond", Key("Skip Early CFG", NUMBER), option="skip_early_cond"),
    Row(
        "refiner.checkpoint", Key("Refiner", always=True, value=_refiner_title),
        body="refiner_checkpoint", label="Refiner checkpoint",
    ),
    Row(
        "refiner.switch_at", Key("Refiner switch at", NUMBER, always=True),
        body="refiner_switch_at",
    ),
    Row(
        "guidance.s_min_uncond", Key("NGMS", NUMBER),
        body="s_min_uncond", option="s_min_uncond", label="Negative guidance minimum sigma",
    ),
    Row(
        "guidance.s_min_uncond_all",
        Key("NGMS all steps", FLAG, when=lambda subject: subject.request.guidance.s_min_uncond > 0),
        option="s_min_uncond_all", label="NGMS on all steps",
    ),
    Row("guidance.pad_conds", Key("Pad conds", FLAG, when=_pads), option="pad_cond_uncond", label="Pad conditionings"),
    Row(
        "guidance.pad_conds_v0",
        Key(
            "Pad conds v0", FLAG, when=lambda subject: subject.facts.padded,
            old_rule=OldRule((1, 6, 0, 0), lambda fields: fields.get("Sampler") in ("DDIM", "PLMS")),
        ),
        option="pad_cond_uncond_v0", label="Pad conditionings (v0)",
    ),
    Row("guidance.rescale", Key("CFG rescale", NUMBER), label="CFG rescale"),  # a key of SD.Next
    # these have no key in A1111
    Row("speed.block_cache", Key("First block cache", NUMBER), label="First-block cache", span=(0, 0.5, 0.01)),
    Row("speed.text_gate", Key("T-GATE", NUMBER), label="Text gate"),
    Row("speed.fp16_accumulation", Key("FP16 accumulation", FLAG), label="fp16 accumulation"),
    Row("speed.eight_bits", Key("Eight bits"), label="Linear layers in 8 bits"),
)  # fmt: skip
