"""What the front knows of extensions: plain data, made by the process that ran their code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import Image
from pydantic import JsonValue

from webui.domain.dialect import Dialect
from webui.domain.recording import RecordedPart
from webui.domain.result import Notice

State = Literal["ok", "failed", "aside", "disabled"]
SAMPLER = "sampler"  # the kind of samplers among `ExtensionInfo.tools`


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """An action: its name, its title, the JSON schema of its options, its further routes, whether it is light, and
    whether it gives way to others that wait.
    """

    name: str
    title: str
    schema: Mapping[str, Any]
    routes: tuple[str, ...] = ()
    light: bool = False
    gives_way: bool = False


@dataclass(frozen=True, slots=True)
class ScriptInfo:
    """A script: its name, the title that it is chosen by, the JSON schema of its options, the kinds of request."""

    name: str
    title: str
    options: Mapping[str, Any]
    tasks: tuple[str, ...] = ("txt2img", "img2img")

    @staticmethod
    def action_named(script: str) -> str:
        """The action that answers for a script of that name."""
        return f"script {script}"  # no action that an extension declares can be called so


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """A frame that an extension draws on the page: its name and title, the texts of its script and style sheet."""

    name: str
    title: str
    script: str
    style: str = ""
    sees_prompts: bool = False


@dataclass(frozen=True, slots=True)
class ExtensionInfo:
    """One folder below `extensions/`.

    Attributes:
        folder: its name; `name` is the one in its manifest, under which requests carry its options.
        heading: what people read instead of the name; see `title`.
        state: "ok", "failed" (`error` says why in a sentence, `traceback` where), "aside" where the program has set it
            aside since it ended or held up the worker (`error` says why and how it is used again), or "disabled" by
            the user.
        options: JSON schema of what a request may carry; None where it takes nothing.
        dialect: what A1111's words mean to it.
        notice: what the user should know although it works; "" for nothing.
        scripts: those that it declares.
        settings: JSON schema of its settings that last; None where it has none.
        frames: what it draws on the page itself.
        tools: what it adds to lists of others, samplers among them, by kind and name.
    """

    folder: str
    name: str
    version: str = ""
    description: str = ""
    needs: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    state: State = "ok"
    error: str = ""
    traceback: str = ""
    options: Mapping[str, Any] | None = None
    actions: tuple[ActionInfo, ...] = field(default=())
    heading: str = ""
    dialect: Dialect = field(default_factory=Dialect)
    notice: str = ""
    scripts: tuple[ScriptInfo, ...] = ()
    settings: Mapping[str, Any] | None = None
    frames: tuple[FrameInfo, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """How it is called where people read it: the manifest's title, else its name in plain writing."""
        return self.heading or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class ActionProgress:
    """How far an action is: `done` of `total` (0 where nobody knows), what it does, and a JPEG where there is one."""

    done: int = 0
    total: int = 0
    text: str = ""
    preview: bytes | None = None

    @property
    def fraction(self) -> float:
        """0..1."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What an action made, as plain data; the meanings are those of `extension_api.action.ActionResult`."""

    text: str = ""
    images: tuple[Image.Image, ...] = ()
    files: tuple[str, ...] = ()
    data: JsonValue = None
    notices: tuple[Notice, ...] = ()
    again: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class ActionCall:
    """Do this action. Crosses to the worker; the options are checked again there.

    Attributes:
        place: how far it was when it said that with these options it goes on from there; None: it has not said so.
    """

    extension: str
    action: str
    options: Mapping[str, Any]
    light: bool = False
    gives_way: bool = False
    place: int | None = None


@dataclass(frozen=True, slots=True)
class ActionTalk:
    """What a running action says beside its progress, and what it is asked.

    Attributes:
        recorded: is given what it records.
        others_wait: whether others wait for the models, so that it should end early where it can go on later.
        can_go_on: is told options with which it goes on from where it is, should what does it end; and how far it is.
    """

    recorded: Callable[[RecordedPart], None] = lambda part: None
    others_wait: Callable[[], bool] = lambda: False
    can_go_on: Callable[[Mapping[str, JsonValue], int], None] = lambda options, place: None
