"""The answer to a path of the API that was asked with another method: 405, also where a page catches every path."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send


class WrongMethod(BaseRoute):
    """Stands behind the routes of the API and before what is mounted for all other paths."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(route for route in routes if isinstance(route, Route))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL, {}) if scope["type"] == "http" and self._allowed(scope) else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: object) -> object:  # type: ignore[override]
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(self._allowed(scope)))})

    def _allowed(self, scope: Scope) -> set[str]:
        near = [route for route in self._routes if route.matches(scope)[0] is Match.PARTIAL]
        return {method for route in near for method in route.methods or ()}
