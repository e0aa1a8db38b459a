"""The base of what an extension declares: a request's options, and the form of an action."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of an extension's options: frozen, and a name that does not exist is refused. Every field has a default
    unless a request that names the extension must give it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
