"""The base class of the options that an extension declares, for requests and for its actions."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of an extension's options: frozen, and a name that does not exist is refused. Every field has a default
    unless a request that names the extension must give it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
