"""The recipe in a file's metadata: written beside the weights, and read back as options. It also makes the new file's
name.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from webui.extension_api import Models, UnusableFileError

from .options import MergeOptions, Recipe

RECIPE, LINEAGE = "sd_merge_recipe", "sd_merge_models"  # the entries that A1111 writes
TYPE = "checkpoint_merge"
MERGE = "Merge recipe"  # the key of infotexts
HASH_DIGITS = 10
_INHERITED = frozenset(
    {"modelspec.prediction_type", "prediction_type", "ss_v_parameterization", "ss_zero_terminal_snr"}
)  # what says of which kind the model is


def metadata(
    options: MergeOptions, hashes: Mapping[str, str], parents: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """The metadata of a merged file.

    Args:
        hashes: SHA-256 of each file by its name in the options.
        parents: metadata of the checkpoints by the same names.
    """
    inherited = {key: value for one in parents.values() for key, value in one.items() if key in _INHERITED}
    models: dict[str, Any] = {}
    for name, digest in hashes.items():
        known = parents.get(name, {})
        models[digest] = {"name": name, "sd_merge_recipe": _parsed(known.get(RECIPE))}
        nested = _parsed(known.get(LINEAGE))
        models.update(nested if isinstance(nested, dict) else {})
    recipe = {"type": TYPE, "hashes": dict(hashes), **options.model_dump(mode="json", exclude_defaults=True)}
    return {**inherited, "format": "pt", RECIPE: json.dumps(recipe), LINEAGE: json.dumps(models)}


def read_recipe(name: str, stored: Mapping[str, str]) -> MergeOptions:
    """The options with which a file was made.

    Raises:
        UnusableFileError: it was not merged here.
    """
    table = _parsed(stored.get(RECIPE))
    if not isinstance(table, dict) or table.get("type") != TYPE:
        made_by = f"one of {table.get('type')!r}" if isinstance(table, dict) else "none"
        raise UnusableFileError(
            f"{name}: has no recipe of this merger in its metadata ({made_by}); it was made elsewhere"
        )
    values = {key: value for key, value in table.items() if key not in ("type", "hashes")}
    try:
        return MergeOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise UnusableFileError(f"{name}: its recipe cannot be used, {field}: {first['msg']}") from None


def file_name(options: MergeOptions, stems: Mapping[str, str], *, is_inpainting: bool, is_editing: bool) -> str:
    """The new file's name: the user's, or A1111's form of the recipe (`0.7(A) + 0.3(B)`).

    Args:
        stems: file names of the checkpoints by role, without extension.
    """
    ending = ".inpainting" if is_inpainting else ".instruct-pix2pix" if is_editing else ""
    if options.name:
        return f"{options.name.removesuffix('.safetensors')}.safetensors"
    made = formula(options, stems)
    blocks = " MBW" if options.alpha_blocks or options.alpha_base is not None else ""
    return f"{made[:180]}{blocks}{ending}.safetensors"


def formula(options: Recipe, stems: Mapping[str, str]) -> str:
    """What is merged, in A1111's form: `0.7(A) + 0.3(B)`. Stems as `file_name` takes them."""
    a, b, c = (stems.get(role, "").rpartition("/")[2] for role in "abc")
    share = f"{options.alpha:.2f}".rstrip("0").rstrip(".")
    rest = f"{1 - options.alpha:.2f}".rstrip("0").rstrip(".")
    if options.method == "copy":
        return f"{a} copy"
    if options.method == "weighted_sum":
        return f"{rest}({a}) + {share}({b})"
    if options.method == "add_difference":
        return f"{a} + {share}({b} - {c})"
    return f"{options.method} {share}({', '.join(filter(None, (a, b, c)))})"


def fields_of(options: Recipe, models: Models) -> dict[str, str]:
    """Keys of the infotext of a picture made from a recipe: what was merged in place of a model's name and hash."""
    stems = {
        role: models.find("checkpoint", name).stem
        for role, name in (("a", options.a), ("b", options.b), ("c", options.c))
        if name
    }
    added = [*(one.name for one in options.loras), *([options.vae] if options.vae else [])]
    blocks = " MBW" if options.alpha_blocks or options.alpha_base is not None else ""
    recipe = options.model_dump(mode="json", exclude_defaults=True)
    hashes = {name: digest[:HASH_DIGITS] for name, digest in hashes_of(models, options).items()}
    return {
        "Model": " + ".join([formula(options, stems) + blocks, *added]),
        "Model hash": "",
        MERGE: json.dumps(recipe, ensure_ascii=False),
        "Merge hashes": json.dumps(hashes, ensure_ascii=False),
    }


def hashes_of(models: Models, options: Recipe) -> dict[str, str]:
    """SHA-256 of every file of the recipe, by the name the recipe gives it."""
    named = [("checkpoint", name) for name in (options.a, options.b, options.c) if name]
    named += [("lora", one.name) for one in options.loras]
    named += [("vae", options.vae)] if options.vae else []
    return {name: models.sha256(kind, name) for kind, name in named}


def _parsed(text: str | None) -> Any:
    """JSON in the metadata of a file; None where it is not valid."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
