"""From a body in A1111's terms to the one request that everything else speaks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from webui.api.body import InvalidBodyError, Loc
from webui.api.sdapi.dialect.alwayson import options_of, place_of
from webui.api.sdapi.dialect.hires_body import HIRES_PATH, hires_values
from webui.api.sdapi.dialect.honoured import (
    beside_scripts,
    extension_settings,
    options_of_generation,
    options_of_settings,
    own_settings,
    place_of_word,
)
from webui.api.sdapi.dialect.models import GenerationBody, Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.options import (
    CHECKPOINT,
    OF_ONE_TASK,
    OPTIONS,
    REFINER_BY_STEPS,
    is_known,
    with_a1111_defaults,
)
from webui.api.sdapi.dialect.picture import BACKGROUND, SOFT_INPAINTING, picture_task
from webui.domain.catalog import split_combined
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.parameters.leaves import replaced
from webui.domain.parameters.table import ROWS
from webui.domain.request import GenerationRequest
from webui.experiments.script_list import script_named

SETTING_PARTS = frozenset(option.path.partition(".")[0] for option in OPTIONS.values())
OF_BODY = tuple(row for row in ROWS if row.body and not row.path.startswith(("task.", "refiner.")))
OVERRIDE_WINS = ("s_churn", "s_tmin", "s_tmax", "s_noise")
NO_MODEL = ("", "None", "none")
KINDS = ("txt2img", "img2img", "upscale")  # of tasks, as pydantic names the parts of a union

Body = TypeVar("Body", bound=GenerationBody)


@dataclass(slots=True)
class _Draft:
    """Values by request path, each with the place in the body that it came from."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Loc] = field(default_factory=dict)
    place_of_extension: Callable[[Loc], Loc | None] = field(default=lambda path: None)

    def put(self, path: str, value: Any, *place: str | int) -> None:
        self.values[path] = value
        self.places[path] = place

    def place(self, loc: Loc) -> Loc:
        """The place in the body of an error in the request."""
        if loc[:1] == ("extensions",) and (found := self.place_of_extension(loc)) is not None:
            return found
        if loc[:1] == ("task",) and loc[1:2] and loc[1] in KINDS:
            loc = ("task", *loc[2:])  # without the kind of task
        for length in range(len(loc), 0, -1):
            found = self.places.get(".".join(str(part) for part in loc[:length]))
            if found is not None:
                return (*found, *loc[length:])
        return loc


def read_body(data: Mapping[str, Any], kind: type[Body]) -> Body:
    """Check types; values are checked where they become a request.

    Raises:
        InvalidBodyError: naming each wrong field.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


@dataclass(frozen=True, slots=True)
class Translation:
    """A request, and where in the body its parts came from."""

    request: GenerationRequest
    place: Callable[[Loc], Loc]

    def refusal(self, error: BadRequestError) -> InvalidBodyError:
        """What is wrong with the request, told of the body."""
        path = tuple(int(part) if part.isdecimal() else part for part in error.field.split("."))
        return InvalidBodyError.at(self.place(path), error.message)


def to_request(
    body: GenerationBody,
    starting: GenerationRequest,
    extensions: Sequence[ExtensionInfo] = (),
    sent: Mapping[str, Any] = MappingProxyType({}),
    posted: Mapping[str, Any] = MappingProxyType({}),
) -> GenerationRequest:
    """The request of `translated`."""
    return translated(body, starting, extensions, sent, posted).request


def translated(
    body: GenerationBody,
    starting: GenerationRequest,
    extensions: Sequence[ExtensionInfo] = (),
    sent: Mapping[str, Any] = MappingProxyType({}),
    posted: Mapping[str, Any] = MappingProxyType({}),
) -> Translation:
    """The request that a body means.

    Args:
        starting: where the values come from that A1111 keeps as settings.
        extensions: those that `alwayson_scripts` may name, and that may honour words of A1111.
        sent: the body as it came; extensions may honour fields that `body` does not have.
        posted: settings that were posted before; those of `override_settings` stand over them.

    Raises:
        InvalidBodyError: naming the field of the body.
        HTTPException: 404, img2img without a picture.
    """
    _refuse_what_is_missing(body, extensions)
    body = _with_posted(body, posted, extension_settings(extensions))
    starting = with_a1111_defaults(starting)
    draft = _Draft()
    for row in OF_BODY:
        value = getattr(body, row.body)
        if value is not None:  # null leaves the setting's value
            draft.put(row.path, row.body_codec.decode(value), row.body)
    draft.put("a1111_infotext", True)  # clients of this API get the texts that they know
    overrides = body.override_settings or {}
    _put_extensions(draft, body, extensions, sent)
    _put_sampler(draft, body)
    by_steps = _put_overrides(draft, own_settings(overrides, extensions))
    if body.refiner_checkpoint not in (None, *NO_MODEL) and body.refiner_switch_at:
        draft.put("refiner.checkpoint", body.refiner_checkpoint, "refiner_checkpoint")
        draft.put("refiner.switch_at", body.refiner_switch_at, "refiner_switch_at")
        draft.put("refiner.by_steps", by_steps, "override_settings", REFINER_BY_STEPS)
    if isinstance(body, Img2ImgBody):
        _put_picture(draft, body)
    if isinstance(body, Txt2ImgBody) and body.enable_hr:
        _put_hires(draft, body)
    base = GenerationRequest(**{part: dict(starting)[part] for part in SETTING_PARTS})
    try:
        return Translation(replaced(base, draft.values), draft.place)
    except ValidationError as error:
        raise InvalidBodyError.of(error, draft.place) from None


def _put_extensions(
    draft: _Draft, body: GenerationBody, extensions: Sequence[ExtensionInfo], sent: Mapping[str, Any]
) -> None:
    scripts = {title: script for title, script in body.alwayson_scripts.items() if not _is_the_tasks_own(title, body)}
    fields, overrides = {**sent, **dict(body)}, body.override_settings or {}
    honoured = options_of_generation(fields, overrides, extensions)
    named = options_of(scripts, extensions)
    by_settings = options_of_settings(overrides, extensions, named)
    both = beside_scripts(named, (body.prompt, body.negative_prompt), overrides, extensions)
    draft.put("extensions", {**honoured, **both}, "alwayson_scripts")

    def place(path: Loc) -> Loc | None:
        name, option = (*map(str, path[1:3]), "", "")[:2]
        of_a_setting = option in by_settings.get(name, {}) and option not in named.get(name, {})
        in_script = place_of(path, scripts, extensions) if len(path) > 1 and not of_a_setting else None
        return in_script or place_of_word(path, fields, overrides, extensions)

    draft.place_of_extension = place


def _with_posted(body: Body, posted: Mapping[str, Any], of_extensions: Mapping[str, Any]) -> Body:
    """The body with the posted settings that a request of its own may have, too."""
    counting = {
        key: value for key, value in posted.items() if key in OF_ONE_TASK or key in of_extensions or key == BACKGROUND
    }
    return body.model_copy(update={"override_settings": {**counting, **(body.override_settings or {})}})


def setting_changes(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Override settings as changes of the starting values (`override_settings_restore_afterwards: false`)."""
    draft = _Draft()
    _put_overrides(draft, overrides)
    return draft.values


def _is_the_tasks_own(title: str, body: GenerationBody) -> bool:
    """Soft inpainting is a script of A1111's; here it is part of the mask."""
    return isinstance(body, Img2ImgBody) and title.lower() == SOFT_INPAINTING


def _put_hires(draft: _Draft, body: Txt2ImgBody) -> None:
    """The second pass of txt2img."""
    for name, (path, value) in hires_values(body).items():
        draft.put(path, value, name)
    draft.values = {
        **{path: value for path, value in draft.values.items() if not path.startswith(HIRES_PATH)},
        "task.hires": {
            path.removeprefix(HIRES_PATH): value for path, value in draft.values.items() if path.startswith(HIRES_PATH)
        },
    }


def _put_picture(draft: _Draft, body: Img2ImgBody) -> None:
    """The task of img2img. Settings of the request are taken from `override_settings`, the body's own field first."""
    for path, value, place in picture_task(body):
        draft.put(path, value, *place)
    for index in range(1, len(body.init_images or ())):
        draft.places[f"task.further_images.{index - 1}"] = ("init_images", index)


def _put_sampler(draft: _Draft, body: GenerationBody) -> None:
    sampler, schedule = split_combined(body.sampler)
    draft.put("sampler", sampler, "sampler_name" if body.sampler_name else "sampler_index")
    draft.put("scheduler", body.scheduler or schedule, "scheduler")


def _put_overrides(draft: _Draft, overrides: Mapping[str, Any]) -> Any:
    """Add override settings; returns the refiner's `by_steps`.

    They win over the body for the sampler's noise only: clients always send those four, with their defaults.
    """
    unknown = [key for key in overrides if not is_known(key)]
    if unknown:
        places: list[Loc] = [("body", "override_settings", key) for key in unknown]
        raise InvalidBodyError((place, "there is no such setting", "unknown") for place in places)
    for key, value in overrides.items():
        option = OPTIONS.get(key)
        if option is None or value is None or (option.path in draft.values and key not in OVERRIDE_WINS):
            continue
        if key == CHECKPOINT and value in NO_MODEL:
            continue
        draft.put(option.path, option.decode(value), "override_settings", key)
    return overrides.get(REFINER_BY_STEPS) or False


def _refuse_what_is_missing(body: GenerationBody, extensions: Sequence[ExtensionInfo]) -> None:
    """Scripts that nothing here carries out, and those that stand in the wrong field."""
    declared = {script.title.lower() for info in extensions if info.state == "ok" for script in info.scripts}
    name = (body.script_name or "").strip()
    if name and name.lower() not in declared and script_named(name) is None:
        raise InvalidBodyError.at(("script_name",), f"Script '{name[:100]}' not found", "not_found")
    for title in body.alwayson_scripts:
        if script_named(title) is not None:
            message = "Cannot have a selectable script in the always on scripts params"
            raise InvalidBodyError.at(("alwayson_scripts", title), message)
