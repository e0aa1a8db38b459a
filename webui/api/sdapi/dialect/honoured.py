"""A1111's words that extensions honour: from fields and settings of a body to options by extension, and back.

What each word means is declared by the extensions (`domain.dialect.Dialect`). Here stands which words of A1111 only
extensions carry out, so that they are refused where there is none.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from webui.api.body import InvalidBodyError, Loc
from webui.api.sdapi.dialect.options import is_known
from webui.domain.dialect import NEEDS_EXTENSION, Word, placed
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest

Options = dict[str, dict[str, Any]]
OF_GENERATION = (Word(name="restore_faces"), Word(name="face_restoration", setting=True))
OF_EXTRAS = (Word(name="gfpgan_visibility"), Word(name="codeformer_visibility"))
INFO: Mapping[str, Any] = MappingProxyType({"restore_faces": False, "face_restoration_model": None})  # without any


def options_of_generation(
    fields: Mapping[str, Any], settings: Mapping[str, Any], extensions: Sequence[ExtensionInfo]
) -> Options:
    """Options of the extensions that a body of txt2img or img2img asks for in A1111's words.

    Args:
        fields: of the body; null counts as missing.
        settings: of this request (`override_settings`).
        extensions: those whose words are read.

    Raises:
        InvalidBodyError: a value means nothing, or nobody honours a word of A1111.
    """
    given = _Given(fields, settings)
    options: Options = {}
    for info in _in_use(extensions):
        words = info.dialect.generation
        given.check_bounds(words)
        deciding = given.first([word for word in words if word.asks and not word.alone])
        by_itself = any(given.of(word) for word in words if word.asks and word.alone)
        if by_itself or (deciding is not None and given.of(deciding)):
            options[info.name] = given.read(words)
    deciding = given.first(OF_GENERATION)
    if deciding is not None:
        _refuse_unheard(given, [deciding], [info.dialect.generation for info in _in_use(extensions)])
    return options


def beside_scripts(
    named: Mapping[str, Mapping[str, Any]],
    texts: Sequence[str],
    settings: Mapping[str, Any],
    extensions: Sequence[ExtensionInfo],
) -> Options:
    """Options of the extensions that `alwayson_scripts` names, with what their dialects add to them; and of those that
    a prompt asks for, because A1111's are switched on as they come.

    Args:
        named: options by extension, as `alwayson_scripts` has them.
        texts: the prompts.
        settings: of this request (`override_settings`).
    """
    options: Options = {name: dict(values) for name, values in named.items()}
    for info in _in_use(extensions):
        pattern = info.dialect.unasked
        if pattern and info.name not in options and any(re.search(pattern, text) for text in texts):
            options[info.name] = {}
    by_settings = options_of_settings(settings, extensions, options)
    for info in _in_use(extensions):
        if info.name in options:
            added: dict[str, Any] = {}
            for path, value in info.dialect.script_always.items():
                placed(added, path, value)
            options[info.name] = {**added, **by_settings.get(info.name, {}), **options[info.name]}
    return options


def options_of_settings(
    settings: Mapping[str, Any], extensions: Sequence[ExtensionInfo], named: Collection[str]
) -> Options:
    """What settings of this request say to the extensions that it names in another way; those without any are left out.

    Args:
        named: the extensions.
    """
    given = _Given({}, settings)
    options: Options = {}
    for info in _in_use(extensions):
        words = [word for word in info.dialect.generation if word.setting and not word.asks]
        if info.name in named and (said := [word for word in words if given.of(word) is not None]):
            options[info.name] = given.read(said)
    return options


def options_of_extras(fields: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> Options:
    """Options of the extensions that a body of Extras asks for. Arguments and errors as `options_of_generation`."""
    given = _Given(fields, {})
    options: Options = {}
    for info in _in_use(extensions):
        words = info.dialect.extras
        given.check_bounds(words)
        if any(given.of(word) for word in words if word.asks):
            options[info.name] = given.read(words)
    _refuse_unheard(given, OF_EXTRAS, [info.dialect.extras for info in _in_use(extensions)])
    return options


def place_of_word(
    path: Loc, fields: Mapping[str, Any], settings: Mapping[str, Any], extensions: Sequence[ExtensionInfo]
) -> Loc | None:
    """Where in a body the word stands that an option was made of, or that asked for the extension; None: nowhere.

    Args:
        path: of the option in a request, `("extensions", "face_restore", "codeformer_weight")`.
        fields, settings: see `options_of_generation`.
    """
    given = _Given(fields, settings)
    option = ".".join(map(str, path[2:]))
    for info in _in_use(extensions):
        if info.name != path[1]:
            continue
        words = (*info.dialect.generation, *info.dialect.extras)
        made = [word for word in words if option and word.option == option]
        found = given.first(made) or given.first([word for word in words if word.asks and given.of(word)])
        return _place(found) if found is not None else None
    return None


def told(request: GenerationRequest, extensions: Sequence[ExtensionInfo]) -> dict[str, Any]:
    """The keys of A1111's `info` that extensions fill in."""
    keys = dict(INFO)
    for info in _in_use(extensions):
        options = request.extensions.get(info.name)
        if options is not None:
            keys |= {
                one.key: next((word for path, word in one.words.items() if _option(info, options, path)), one.value)
                for one in info.dialect.info
            }
    return keys


def own_settings(settings: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> dict[str, Any]:
    """The settings of a request without those that only an extension knows."""
    theirs = extension_settings(extensions)
    return {key: value for key, value in settings.items() if is_known(key) or key not in theirs}


def extension_settings(extensions: Sequence[ExtensionInfo]) -> dict[str, Any]:
    """The settings that extensions declare, with their defaults."""
    return {key: value for info in _in_use(extensions) for key, value in info.dialect.settings.items()}


class _Given:
    """What a body says."""

    def __init__(self, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self._fields = fields
        self._settings = settings

    def of(self, word: Word) -> Any:
        return (self._settings if word.setting else self._fields).get(word.name)

    def first(self, words: Sequence[Word]) -> Word | None:
        """The first of these words that has a value."""
        return next((word for word in words if self.of(word) is not None), None)

    def read(self, words: Sequence[Word]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for word in words:
            value = word.default if self.of(word) is None else self.of(word)
            if word.meanings:
                for path, meant in self._meaning(word).items():
                    placed(options, path, meant)
            if word.option and value is not None:
                placed(options, word.option, value)
        return options

    def check_bounds(self, words: Sequence[Word]) -> None:
        for word in words:
            value = self.of(word)
            if value is None or (word.low is None and word.high is None):
                continue
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InvalidBodyError.at(_place(word), "should be a number")
            low = -math.inf if word.low is None else word.low
            high = math.inf if word.high is None else word.high
            if not low <= value <= high:  # NaN lies nowhere
                raise InvalidBodyError.at(_place(word), f"should be from {low:g} to {high:g}")

    def _meaning(self, word: Word) -> Mapping[str, Any]:
        value = self.of(word) or word.default  # an empty text says nothing
        found = word.meanings.get(value, word.otherwise) if isinstance(value, str) else word.otherwise
        if found is None and value:
            raise InvalidBodyError.at(_place(word), f"should be {' or '.join(word.meanings)}")
        return found or {}


def _in_use(extensions: Sequence[ExtensionInfo]) -> list[ExtensionInfo]:
    return [info for info in extensions if info.state == "ok"]


def _refuse_unheard(given: _Given, asking: Sequence[Word], heard: Sequence[Sequence[Word]]) -> None:
    """Refuse what A1111 would do and no extension here does."""
    known = {(word.name, word.setting) for words in heard for word in words}
    for word in asking:
        if given.of(word) and (word.name, word.setting) not in known:
            raise InvalidBodyError.at(_place(word), NEEDS_EXTENSION)


def _place(word: Word) -> Loc:
    return ("override_settings", word.name) if word.setting else (word.name,)


def _option(info: ExtensionInfo, options: Mapping[str, Any], path: str) -> Any:
    """An option of a request; the declared default of one that it does not name."""
    found: Any = options
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return _default(info, path)
        found = found[name]
    return found


def _default(info: ExtensionInfo, path: str) -> Any:
    properties = (info.options or {}).get("properties", {})
    return properties.get(path, {}).get("default")  # a nested option that is not named counts as empty
