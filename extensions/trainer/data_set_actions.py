"""Light actions with which the tab Train shows and edits data sets, which are named as they are listed."""

import base64
import io

from PIL import Image
from pydantic import Field, JsonValue

from webui.extension_api import (
    Action,
    ActionContext,
    ActionResult,
    BadRequestError,
    ImageField,
    Options,
    Picture,
    WebuiError,
)

from . import data_set_captions, data_set_example, data_set_faults, data_set_files
from .buckets import bucket_of, fit_of, square
from .folders import ROOT, Item, data_sets, pictures

THUMB, SHOWN = 224, 1024  # pixels of the longer side
MOST_THUMBS = 48
MOST_IDS = 20_000
MOST_CAPTION = 20_000  # characters


class NoOptions(Options):
    """Nothing is asked."""


class DataSetOptions(Options):
    """A data set, and the buckets that its pictures would go to."""

    data_set: str = Field(max_length=200)
    resolution: int = Field(512, ge=64, le=4096)
    buckets: bool = True
    bucket_step: int = Field(64, ge=8, le=512)
    min_bucket: int = Field(256, ge=8, le=4096)
    max_bucket: int = Field(1024, ge=64, le=8192)


class SomeOptions(Options):
    """Pictures of a data set."""

    data_set: str = Field(max_length=200)
    ids: tuple[str, ...] = Field((), max_length=MOST_IDS)


class OneOptions(Options):
    """A picture of a data set."""

    data_set: str = Field(max_length=200)
    id: str = Field(max_length=600)


class WriteOptions(Options):
    """Captions by the ids of their pictures; None: the file is removed, so that the folder's name counts."""

    data_set: str = Field(max_length=200)
    captions: dict[str, str | None] = Field(max_length=MOST_IDS)


class ChangeOptions(SomeOptions):
    """What is done to the captions of these pictures, in this order; no ids: of all."""

    find: str = Field("", max_length=1000)
    replace: str = Field("", max_length=1000)
    whole_words: bool = False
    remove: str = Field("", max_length=1000, description="tags with commas between them")
    add: str = Field("", max_length=1000, description="tags with commas between them")
    first: bool = Field(False, description="added tags come before the others")


class AddOptions(Options):
    """A picture for a data set, which is made where there is none of that name."""

    data_set: str = Field(max_length=60)
    picture: ImageField
    name: str = Field("", max_length=300, description="of the file, for its name here")
    caption: str = Field("", max_length=MOST_CAPTION)


def data_set_actions() -> list[Action]:
    """The actions, for the extension's list."""
    return [
        Action("data_set_list", "List the data sets", NoOptions, _data_sets, light=True),
        Action("data_set", "List a data set", DataSetOptions, _data_set, light=True),
        Action("data_set_thumbs", "Small pictures of a data set", SomeOptions, _thumbs, light=True),
        Action("data_set_picture", "A picture of a data set", OneOptions, _picture, light=True),
        Action("data_set_write", "Write captions", WriteOptions, _write, light=True),
        Action("data_set_change", "Change captions", ChangeOptions, _change, light=True),
        Action("data_set_faults", "Look for faults", SomeOptions, _faults, light=True),
        Action("data_set_trash", "Move pictures to the trash", SomeOptions, _trash, light=True),
        Action("data_set_add", "Add a picture", AddOptions, _add, light=True),
        Action("data_set_example", "Draw the example", NoOptions, _example, light=True),
    ]


def _data_sets(options: NoOptions, context: ActionContext) -> ActionResult:
    rows: list[JsonValue] = []
    for name, path in data_sets(context).items():
        context.progress(len(rows), 0, name)
        rows.append({"name": name, "pictures": len(pictures(path))})
    return ActionResult(data={"data_sets": rows, "folder": ROOT})


def _data_set(options: DataSetOptions, context: ActionContext) -> ActionResult:
    rows: list[JsonValue] = []
    counts: dict[tuple[int, int], int] = {}
    for name, item in data_set_files.items_of(context, options.data_set).items():
        context.progress(len(rows), 0, name)
        try:
            rows.append(_row(name, item, options, counts))
        except ValueError as error:  # of the buckets: their bounds leave none
            raise BadRequestError("bucket_step", str(error)) from None
    buckets: list[JsonValue] = [[*size, count] for size, count in sorted(counts.items())]
    return ActionResult(data={"name": options.data_set, "items": rows, "buckets": buckets})


def _row(name: str, item: Item, options: DataSetOptions, counts: dict[tuple[int, int], int]) -> JsonValue:
    caption = item.caption if data_set_files.has_caption(item.path) else ""
    row: dict[str, JsonValue] = {"id": name, "caption": caption, "usual": item.caption, "repeats": item.repeats}
    try:
        facts = item.path.stat()
        with data_set_files.opened(item.path) as image:
            width, height = data_set_files.upright_size(image)
    except (WebuiError, OSError) as error:
        return {**row, "broken": str(error)}
    if options.buckets:
        bucket = bucket_of(
            width, height, options.resolution, options.bucket_step, options.min_bucket, options.max_bucket
        )
    else:
        bucket = square(options.resolution, options.bucket_step)
    counts[bucket.width, bucket.height] = counts.get((bucket.width, bucket.height), 0) + item.repeats
    fit = fit_of(width, height, bucket)
    left, top, right, bottom = fit.box
    crop = [left / fit.width, top / fit.height, (right - left) / fit.width, (bottom - top) / fit.height]
    return {
        **row, "width": width, "height": height, "mark": f"{facts.st_mtime_ns:x}-{facts.st_size:x}",
        "bucket": [bucket.width, bucket.height], "crop": [*crop],
    }  # fmt: skip


def _thumbs(options: SomeOptions, context: ActionContext) -> ActionResult:
    asked = options.ids[:MOST_THUMBS]
    made: dict[str, JsonValue] = {}
    for name, item in data_set_files.chosen(data_set_files.items_of(context, options.data_set), asked).items():
        context.progress(len(made), len(asked), name)
        try:
            made[name] = _jpeg(data_set_files.pixels(item.path, THUMB))
        except WebuiError:
            made[name] = ""  # the listing and the search for faults say why
    return ActionResult(data=made)


def _picture(options: OneOptions, context: ActionContext) -> ActionResult:
    items = data_set_files.chosen(data_set_files.items_of(context, options.data_set), (options.id,))
    return ActionResult(data={"picture": _jpeg(data_set_files.pixels(items[options.id].path, SHOWN), 92)})


def _jpeg(image: Image.Image, quality: int = 80) -> str:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return base64.b64encode(out.getvalue()).decode("ascii")


def _write(options: WriteOptions, context: ActionContext) -> ActionResult:
    items = data_set_files.items_of(context, options.data_set)
    for name, item in data_set_files.chosen(items, tuple(options.captions)).items():
        text = options.captions[name]
        data_set_files.write_caption(item.path, None if text is None else text[:MOST_CAPTION])
    return ActionResult(data={"written": len(options.captions)})


def _change(options: ChangeOptions, context: ActionContext) -> ActionResult:
    items = data_set_files.items_of(context, options.data_set)
    changed: dict[str, JsonValue] = {}
    before: dict[str, JsonValue] = {}
    for name, item in (data_set_files.chosen(items, options.ids) if options.ids else items).items():
        text = data_set_captions.replaced(item.caption, options.find, options.replace, whole_words=options.whole_words)
        text = data_set_captions.without_tags(text, (options.remove,))
        text = data_set_captions.with_tags(text, (options.add,), first=options.first)
        if text != item.caption:
            had = data_set_files.has_caption(item.path)
            data_set_files.write_caption(item.path, text)
            changed[name] = text
            before[name] = item.caption if had else None
    return ActionResult(data={"changed": changed, "before": before})


def _faults(options: SomeOptions, context: ActionContext) -> ActionResult:
    items = data_set_files.items_of(context, options.data_set)
    broken, alike, silent = data_set_faults.faults(items, context.progress, context.stopped)
    listed: list[JsonValue] = [{"id": name, "reason": reason} for name, reason in broken.items()]
    return ActionResult(data={"broken": listed, "alike": [[*group] for group in alike], "silent": [*silent]})


def _trash(options: SomeOptions, context: ActionContext) -> ActionResult:
    items = data_set_files.items_of(context, options.data_set)
    moved = data_set_files.move_to_trash(context, options.data_set, data_set_files.chosen(items, options.ids))
    place = f"{ROOT}/{options.data_set}/{data_set_files.TRASH}"
    return ActionResult(data={"moved": moved, "folder": place})


def _add(options: AddOptions, context: ActionContext) -> ActionResult:
    folder = data_set_files.new_folder(context, options.data_set)
    path = data_set_files.add_picture(folder, options.picture, options.name, options.caption)
    return ActionResult(data={"id": path.relative_to(folder).as_posix()})


def _example(options: NoOptions, context: ActionContext) -> ActionResult:
    folder = data_set_files.new_folder(context, data_set_example.NAME)
    if not pictures(folder):
        for number, (image, caption) in enumerate(data_set_example.drawn(), 1):
            data_set_files.add_picture(folder, Picture.of(image), f"{number:02}.png", caption)
    there = context.models.names("checkpoint")
    suggested = data_set_example.suggested(there)
    return ActionResult(data={"data_set": data_set_example.NAME, "suggested": suggested})
