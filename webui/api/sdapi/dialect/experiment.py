"""`script_name` and `script_args` of a body as an experiment, and what an experiment came to in A1111's words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from webui.api.sdapi.dialect.answers import generation, info
from webui.api.sdapi.dialect.file_options import GridRules
from webui.api.sdapi.dialect.models import GenerationBody
from webui.domain.extensions import ExtensionInfo
from webui.domain.parameters.table import ROWS
from webui.domain.request import GenerationRequest
from webui.engine.script_surroundings import surroundings_of
from webui.experiments.course import Experiment, Shown
from webui.experiments.script import Script, Surroundings
from webui.experiments.script_list import SCRIPTS, script_named
from webui.library.library import ModelLibrary

# keys whose values A1111 reads from its settings when it writes a text, and so not from what a request had set
FROM_SETTINGS = frozenset({"Clip skip", "ENSD", "RNG", "Token merging ratio", "Token merging ratio hr"})


def experiment_of(
    body: GenerationBody, request: GenerationRequest, around: Surroundings, scripts: Sequence[Script] = SCRIPTS
) -> Experiment | None:
    """The experiment that a body asks for; None where it names no script.

    Raises:
        BadRequestError: the script cannot be used so; names a field of the body.
    """
    script = script_named(body.script_name, scripts) if body.script_name else None
    return None if script is None else script.start(request, body.script_args, around)


def surroundings(
    body: GenerationBody,
    library: ModelLibrary,
    styles: Sequence[str],
    rules: GridRules,
    extensions: Sequence[ExtensionInfo] = (),
) -> Surroundings:
    """What scripts have to know beside the request; `extensions` are those that have axes."""
    overrides = body.override_settings or {}
    keys = {row.key.name for row in ROWS if row.key is not None and row.option in overrides}
    return replace(
        surroundings_of(library, styles, extensions),
        own_keys=frozenset(keys & FROM_SETTINGS),
        returns_grid=rules.returned,
        grid_of_one=not rules.only_of_several,
        background=rules.background,
    )


def answer(body: GenerationBody, shown: Shown, extensions: Sequence[ExtensionInfo]) -> dict[str, Any]:
    """The answer without its pictures."""
    result = replace(shown.result, notices=shown.notices)
    told = {
        **info(result, extensions),
        "prompt": shown.prompts[0] if shown.prompts else "",
        "all_prompts": list(shown.prompts),
        "negative_prompt": shown.negative_prompts[0] if shown.negative_prompts else "",
        "all_negative_prompts": list(shown.negative_prompts),
        "seed": shown.seeds[0] if shown.seeds else -1,
        "all_seeds": list(shown.seeds),
        "subseed": shown.subseeds[0] if shown.subseeds else -1,
        "all_subseeds": list(shown.subseeds),
        "index_of_first_image": shown.first_image,
        "infotexts": list(shown.infotexts),
    }
    return {**generation(body, result, extensions), "info": json.dumps(told, ensure_ascii=False)}
