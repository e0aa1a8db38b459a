"""Routes that are analysed when they are first asked for.

FastAPI looks at the function of each route, and builds validators for its arguments and its answer, when the route is
declared, and once more for each router that includes it. Most of a program's routes are never asked, so these put it
off: a start of the program and its first answer do not wait for it.
"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import compile_path


class LateRoute(APIRoute):
    """A route that matches from the beginning, and becomes whole with the first look at anything else of it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """`options` are those of `APIRoute`, which checks them later."""
        self.path, self.endpoint, self.options = path, endpoint, options
        self.methods = {method.upper() for method in options.get("methods") or ["GET"]}
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)

    def __getattr__(self, name: str) -> Any:
        """Whatever is not there yet. Two threads may both make it: what they make is alike."""
        if name.startswith("__") or "options" not in self.__dict__:  # a copy that is being made
            raise AttributeError(name)
        whole = APIRoute(self.path, self.endpoint, **self.options).__dict__
        if name not in whole:
            raise AttributeError(f"{self.path}: a route has no {name}")
        self.__dict__.update(whole)
        return whole[name]

    def below(self, prefix: str, *, in_schema: bool) -> "LateRoute":
        """The same route at a longer path; hidden from the description unless both want it there."""
        shown = in_schema and self.options.get("include_in_schema", True)
        return LateRoute(prefix + self.path, self.endpoint, **{**self.options, "include_in_schema": shown})


class Router(APIRouter):
    """A router of late routes."""

    def __init__(self, *, prefix: str = "", include_in_schema: bool = True) -> None:
        super().__init__(prefix=prefix, include_in_schema=include_in_schema, route_class=LateRoute)

    @property
    def late(self) -> list[LateRoute]:
        """Its routes, in the order in which they were added."""
        return [route for route in self.routes if isinstance(route, LateRoute)]

    def take(self, other: "Router", prefix: str = "") -> None:
        """Add the routes of another below this one's prefix."""
        self.routes += [route.below(self.prefix + prefix, in_schema=self.include_in_schema) for route in other.late]
