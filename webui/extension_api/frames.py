"""What an extension may bring to the page: a script and a style sheet, which run apart from it. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """A part of the page that an extension draws itself, in a frame that reaches nothing else.

    The browser gives it an origin of its own and no network, so it sees neither the page nor cookies nor any server. It
    speaks with the page by the few messages that `docs/extending.md` lists, as the object `webui` in its script.

    Attributes:
        name: of a-z, 0-9 and _, once in an extension.
        title: the text on its tab.
        script: a JavaScript file, relative to the extension's folder; at most 256 kB.
        style: a CSS file in the same way; "" for none.
        sees_prompts: whether it is told both prompts. What the user writes leaves the page by this alone.
    """

    name: str
    title: str
    script: str
    style: str = ""
    sees_prompts: bool = False
