"""Describes pictures: the actions. The work is in `captioning.py`, which loads torch and OpenCV."""

from pydantic import JsonValue

from webui.extension_api import Action, ActionContext, ActionResult, UnknownModelError, hookimpl

from .caption_files import captioners, chosen
from .options import CaptionSettings, DescribeOptions, NoOptions, TaggerOptions


@hookimpl
def settings_options() -> type[CaptionSettings]:
    """What holds for clients that send a picture alone, as A1111's do."""
    return CaptionSettings


@hookimpl
def actions() -> list[Action]:
    """Describing, and the two routes of A1111's extension for WD14 taggers."""
    return [
        Action("interrogate", "Describe a picture", DescribeOptions, interrogate),
        Action("tagger", "Tags of a picture", TaggerOptions, tagger, ("POST /tagger/v1/interrogate",), light=True),
        Action("taggers", "List the taggers", NoOptions, taggers, ("GET /tagger/v1/interrogators",), light=True),
    ]


def interrogate(options: DescribeOptions, context: ActionContext) -> ActionResult:
    """The picture in words, as text and as `caption`."""
    if isinstance(context.settings, CaptionSettings):
        options = options.completed(context.settings)
    captioner = chosen(context.models, options.model)
    context.progress(0, 1, captioner.title)
    from .captioning import described

    text = described(context.models, captioner, options)
    return ActionResult(text, data={"caption": text, "model": captioner.title})


def tagger(options: TaggerOptions, context: ActionContext) -> ActionResult:
    """How sure a tagger is of each tag, as clients of A1111's extension are answered."""
    there = [one for one in captioners(context.models) if one.family == "tagger"]
    captioner = chosen(context.models, options.model or (there[0].name if there else "a tagger"))
    if captioner.family != "tagger":
        raise UnknownModelError(f"{options.model} is no tagger; there are: {', '.join(one.title for one in there)}")
    from .captioning import scores_of

    found = scores_of(context.models, captioner, options.image.open())
    tags: dict[str, JsonValue] = {tag: score for tag, score in found.tags.items() if score >= options.threshold}
    return ActionResult(data={"caption": {"tag": tags, "rating": {**found.ratings}}})


def taggers(options: NoOptions, context: ActionContext) -> ActionResult:
    """The names of the taggers that are there."""
    found = [one.title for one in captioners(context.models) if one.family == "tagger"]
    return ActionResult(", ".join(found) or "none", data={"models": [*found]})
