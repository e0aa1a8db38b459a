"""Rows of img2img, inpainting and outpainting, in the order in which A1111 writes their keys."""

from webui.domain.parameters.row import FLAG, NUMBER, WHOLE, Codec, Key, Place, Row, words
from webui.domain.parameters.subject import Subject

MORE = "img2img_more"  # the part of the page for what is set less often; its fields are drawn from their rows alone
_A_PICTURE = "a picture cannot be told in a text"
_BESIDE = "it asks for pictures beside the result and leaves that as it is"
_CONTENTS = ("fill", "original", "noise", "nothing")  # as A1111's API counts them
_RESIZE_MODES = ("resize", "crop", "fill", "latent")


def _nth(names: tuple[str, ...]) -> Codec:
    """Values that A1111's API gives by their number."""

    def decode(index: int) -> str:
        if not 0 <= index < len(names):
            raise ValueError(f"should be 0 to {len(names) - 1}")
        return names[index]

    return Codec(decode, names.index)


def _blurs_evenly(subject: Subject) -> bool:
    inpainting = subject.inpainting
    return inpainting is not None and inpainting.mask_blur_x == inpainting.mask_blur_y


def _blur(subject: Subject) -> int | None:
    """The blur of both axes. A1111 writes none where it is 0, and none where the axes differ."""
    if subject.inpainting is None or not _blurs_evenly(subject):
        return None
    return subject.inpainting.mask_blur_x or (None if subject.request.a1111_infotext else 0)


def _blurs_unevenly(subject: Subject) -> bool:
    return not _blurs_evenly(subject)


def _is_close(subject: Subject) -> bool:
    """Whether only the masked area is worked on, and there is one."""
    return subject.inpainting is not None and subject.inpainting.area == "masked" and not subject.facts.blank_mask


def _has_a_mask(subject: Subject) -> bool:
    return not subject.facts.blank_mask


def _is_hard(subject: Subject) -> bool:
    return subject.inpainting is not None and subject.inpainting.soft is None


def _changes_size(subject: Subject) -> bool:
    picture, request = subject.picture, subject.request
    return picture is not None and any(
        (one.width, one.height) != (request.width, request.height) for one in (picture.image, *picture.further_images)
    )


_CONTENT_WORDS = words({"fill": "fill", "original": "original", "noise": "latent noise", "nothing": "latent nothing"})
_SOFT = "task.inpainting.soft."

PICTURE: tuple[Row | Place, ...] = (
    Row("task.image", why_no_key=_A_PICTURE, body="init_images", body_codec=Codec(lambda images: images[0])),
    Row("task.further_images", why_no_key=_A_PICTURE),
    Row("task.first_pass", why_no_key=_A_PICTURE, body="firstpass_image"),
    Row("task.inpainting.mask", why_no_key=_A_PICTURE, body="mask"),
    Row("task.inpainting.soft", Key("Soft inpainting enabled", Codec(lambda text: {}, lambda soft: True))),
    Row(_SOFT + "schedule_bias", Key("Soft inpainting schedule bias", NUMBER, always=True)),
    Row(_SOFT + "preservation", Key("Soft inpainting preservation strength", NUMBER, always=True)),
    Row(_SOFT + "contrast_boost", Key("Soft inpainting transition contrast boost", NUMBER, always=True)),
    Row(_SOFT + "mask_influence", Key("Soft inpainting mask influence", NUMBER, always=True)),
    Row(_SOFT + "difference_threshold", Key("Soft inpainting difference threshold", NUMBER, always=True)),
    Row(_SOFT + "difference_contrast", Key("Soft inpainting difference contrast", NUMBER, always=True)),
    Row(
        "task.inpainting.invert",
        Key("Mask mode", words({False: "Inpaint masked", True: "Inpaint not masked"}), shown="Inpaint masked"),
        body="inpainting_mask_invert",
        body_codec=Codec(bool, int),
        label="Mask mode",
        choices=(("Inpaint masked", False), ("Inpaint not masked", True)),
    ),
    Place("Mask blur", _blur),
    Row(
        "task.inpainting.mask_blur_x",
        # the key of one axis is ours: A1111 drops blurs that differ
        Key("Mask blur x", WHOLE, always=True, silent=True, when=_blurs_unevenly, also=("Mask blur",)),
        body="mask_blur_x",
        label="Mask blur",
        span=(0, 64, 1),
    ),
    Row(
        "task.inpainting.mask_blur_y",
        Key("Mask blur y", WHOLE, always=True, silent=True, when=_blurs_unevenly, also=("Mask blur",)),
        body="mask_blur_y",
    ),
    Row(
        "task.inpainting.area",
        Key("Inpaint area", words({"whole": "Whole picture", "masked": "Only masked"}), when=_is_close,
            shown="Whole picture"),
        body="inpaint_full_res",
        body_codec=Codec(lambda close: "masked" if close else "whole", lambda area: area == "masked"),
        label="Inpaint area",
        choices=(("Whole picture", "whole"), ("Only masked", "masked")),
    ),
    Row(
        "task.inpainting.padding",
        Key("Masked area padding", WHOLE, always=True, when=_is_close, shown=32),
        body="inpaint_full_res_padding",
        label="Only masked padding, pixels",
        span=(0, 256, 4),
    ),
    Row(
        "task.inpainting.content",
        Key("Masked content", _CONTENT_WORDS, when=_has_a_mask, shown="original"),
        body="inpainting_fill",
        body_codec=_nth(_CONTENTS),
        label="Masked content",
        choices=(("fill", "fill"), ("original", "original"), ("latent noise", "noise"), ("latent nothing", "nothing")),
    ),
    Row(
        "task.inpainting.mask_round",
        Key("Mask round", FLAG, silent=True, when=_is_hard),  # named as in A1111's API
        body="mask_round",
    ),
    Row(
        "task.inpainting.overlay",
        Key("Overlay original", FLAG, silent=True),  # named as the setting of A1111
        option="overlay_inpaint",
    ),
    Row("task.inpainting.return_mask", why_no_key=_BESIDE, option="return_mask"),
    Row("task.inpainting.return_composite", why_no_key=_BESIDE, option="return_mask_composite"),
    Row(
        "task.noise_multiplier",
        Key("Noise multiplier", NUMBER),
        body="initial_noise_multiplier",
        option="initial_noise_multiplier",
        label="Initial noise multiplier",
        group=MORE,
    ),
    Row(
        "task.extra_noise",
        Key("Extra noise", NUMBER),
        option="img2img_extra_noise",
        label="Extra noise",
        group=MORE,
    ),
    Row(
        "task.resize_mode",
        Key(
            "Resize mode",  # the label of A1111's page
            words({
                "resize": "Just resize", "crop": "Crop and resize", "fill": "Resize and fill",
                "latent": "Just resize (latent upscale)",
            }),
            silent=True,
            when=_changes_size,
        ),
        body="resize_mode",
        body_codec=_nth(_RESIZE_MODES),
        label="Resize mode",
        choices=(
            ("Just resize", "resize"),
            ("Crop and resize", "crop"),
            ("Resize and fill", "fill"),
            ("Just resize (latent upscale)", "latent"),
        ),
    ),
    Row(
        "task.resize_upscaler",
        Key("Resize upscaler", silent=True, when=_changes_size),
        option="upscaler_for_img2img",
        option_codec=Codec(lambda name: "Lanczos" if name in (None, "", "None") else name),
        label="Enlarge by",
        choices=(("Lanczos", "Lanczos"), ("Nearest", "Nearest")),
        group=MORE,
    ),
    Row(
        "task.fix_steps",
        Key("Exact steps", FLAG, silent=True),
        option="img2img_fix_steps",
        label="Exactly these steps",
        group=MORE,
    ),
    Row(
        "task.color_correction",
        Key("Color correction", FLAG, silent=True),
        option="img2img_color_correction",
        label="Colour correction",
        group=MORE,
    ),
    # outpainting in one go is ours; what A1111 has are scripts, which write nothing
    Row("task.outpainting.left", Key("Outpaint left", WHOLE), label="Pixels to add: left", span=(0, 512, 8)),
    Row("task.outpainting.right", Key("Outpaint right", WHOLE), label="Pixels to add: right", span=(0, 512, 8)),
    Row("task.outpainting.top", Key("Outpaint top", WHOLE), label="Pixels to add: top", span=(0, 512, 8)),
    Row("task.outpainting.bottom", Key("Outpaint bottom", WHOLE), label="Pixels to add: bottom", span=(0, 512, 8)),
    Row("task.outpainting.mask_blur", Key("Outpaint blur", WHOLE), label="Seam blur"),
    Row(
        "task.outpainting.content",
        Key("Outpaint content", _CONTENT_WORDS),
        label="New parts start from",
        choices=(
            ("fill", "fill"), ("stretched border", "original"), ("latent noise", "noise"), ("latent nothing", "nothing")
        ),
    ),
)  # fmt: skip
