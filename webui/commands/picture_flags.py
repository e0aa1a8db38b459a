"""The flags of `generate` that name pictures: what to start from, and what of it may change."""

import argparse
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from webui.domain.batch import TAKEN
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.fields import rounded_side
from webui.domain.images import safe_open
from webui.domain.inpainting import Inpainting, Outpainting
from webui.domain.request import Img2Img

FILES = ("init", "mask")
SIDES = ("left", "right", "top", "bottom")


def add_picture_flags(target: argparse.ArgumentParser) -> None:
    """Flags default to "not given"."""
    add = target.add_argument_group("picture to start from").add_argument
    add(
        "--init", type=Path, metavar="FILE or FOLDER",
        help="start from this picture, or from each of a folder; its size is kept where none is given",
    )  # fmt: skip
    add("--mask", type=Path, metavar="FILE", help="of --init only change what is white, or opaque, here")
    add("--strength", type=float, dest="denoising_strength", help="how much may change, 0 to 1 (default: 0.75)")
    add("--resize-mode", choices=("resize", "crop", "fill", "latent"), help="how --init is brought to another size")
    add("--mask-blur", type=int, metavar="PIXELS", help="default: 4")
    add("--masked-content", choices=("fill", "original", "noise", "nothing"), help="default: original")
    add("--only-masked", action="store_true", help="work on the mask's surroundings alone, at full size")
    add("--invert-mask", action="store_true", help="change what is not masked")
    for side in SIDES:
        add(f"--outpaint-{side}", type=int, metavar="PIXELS", help=f"grow --init to the {side}")


def add_batch_flags(target: argparse.ArgumentParser, *, of_generate: bool) -> None:
    """Flags that count where a folder is named. They default to "not given"."""
    add = target.add_argument_group("folder of pictures").add_argument
    add("--skip-existing", action="store_true", help="leave out pictures whose result is there already")
    add("--no-keep-names", dest="keep_names", action="store_false", help="name results as usual, not as their pictures")
    if of_generate:
        add("--info", type=Path, metavar="FOLDER", help="pictures of the same names, for --take; default: --init")
        add("--take", nargs="+", choices=TAKEN, metavar="FIELD", help=f"what is taken of them: {', '.join(TAKEN)}")


def names_a_folder(given: argparse.Namespace) -> bool:
    """Whether the command is about a folder of pictures."""
    return any(path.is_dir() for path in named(given))


def named(given: argparse.Namespace) -> list[Path]:
    """The pictures, or the folder of them, that a command is about."""
    shown = vars(given)
    return [shown["init"]] if shown.get("init") else list(shown.get("pictures", ()))


def picture_fields(given: argparse.Namespace) -> dict[str, Any]:
    """Fields of the request that these flags set; none where no picture is named.

    Raises:
        WebuiError: naming the flag.
    """
    shown = vars(given)
    if not shown.get("init"):
        needless = [name for name in ("mask", "denoising_strength", "only_masked", "mask_blur") if shown.get(name)]
        if needless:
            flag = "strength" if needless[0] == "denoising_strength" else needless[0].replace("_", "-")
            raise WebuiError(f"--{flag} needs a picture to start from: give --init FILE")
        return {}
    opened = {name: _opened(name, shown[name]) for name in FILES if shown.get(name)}
    task = _options(shown)
    picture = opened["init"]
    try:
        if "mask" in opened:
            task["inpainting"] = Inpainting(mask=opened["mask"], **_mask_options(shown))
        fields: dict[str, Any] = {"task": Img2Img(image=picture, **task)}
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise WebuiError(f"{'.'.join(map(str, first['loc'])) or 'picture'}: {first['msg']}") from None
    if "width" not in shown and "height" not in shown:
        fields["width"], fields["height"] = (rounded_side(side) for side in picture.size)
    return fields


def folder_fields(given: argparse.Namespace) -> dict[str, Any]:
    """The same for a folder in `--init`, without the pictures themselves."""
    shown = vars(given)
    task = {**_options(shown), "kind": "img2img"}
    if shown.get("mask"):
        task["inpainting"] = _mask_options(shown)
    return {"task": task}


def _options(shown: dict[str, Any]) -> dict[str, Any]:
    """What the flags say of the way from a picture, masks apart."""
    task: dict[str, Any] = {name: shown[name] for name in ("denoising_strength", "resize_mode") if name in shown}
    sides = {side: shown[f"outpaint_{side}"] for side in SIDES if f"outpaint_{side}" in shown}
    return {**task, "outpainting": Outpainting(**sides)} if sides else task


def _mask_options(shown: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "mask_blur" in shown:
        options |= {"mask_blur_x": shown["mask_blur"], "mask_blur_y": shown["mask_blur"]}
    if "masked_content" in shown:
        options["content"] = shown["masked_content"]
    if shown.get("only_masked"):
        options["area"] = "masked"
    if shown.get("invert_mask"):
        options["invert"] = True
    return options


def _opened(flag: str, path: Path) -> Any:
    try:
        return safe_open(path)
    except BadRequestError as error:
        raise WebuiError(f"--{flag} {path}: {error.message}") from None
