"""Routes that are analysed late: they match at once, and the analysis finds nothing wrong with any of the program's."""

import copy

import pytest
from fastapi import FastAPI

from tests.api.fakes import Api, call
from webui.api.late_routes import LateRoute, Router


def an_application() -> tuple[FastAPI, Router]:
    inner, outer, app = Router(prefix="/rooms"), Router(prefix="/house"), FastAPI()

    @inner.get("/{number}")
    def room(number: int, wide: bool = False) -> dict[str, int]:
        """A room."""
        return {"number": number, "width": 2 if wide else 1}

    outer.take(inner, prefix="/old")
    app.router.routes += outer.routes
    return app, outer


def test_every_route_of_the_program_becomes_whole() -> None:
    routes = [route for route in Api().app.router.routes if isinstance(route, LateRoute)]
    assert len(routes) > 130
    assert [route.path for route in routes if route.dependant.call is not route.endpoint] == []


def test_nothing_is_analysed_before_it_is_asked_for() -> None:
    app, outer = an_application()
    assert [vars(route).keys() & {"app", "dependant"} for route in outer.late] == [set()]
    assert call(app, "GET", "/house/old/rooms/7?wide=1").json() == {"number": 7, "width": 2}
    assert [vars(route).keys() >= {"app", "dependant"} for route in outer.late] == [True]


def test_a_taken_route_is_below_both_prefixes_and_described_there() -> None:
    app, _ = an_application()
    assert call(app, "GET", "/rooms/7").status_code == 404
    assert call(app, "GET", "/house/old/rooms/seven").status_code == 422
    assert call(app, "POST", "/house/old/rooms/7").status_code == 405
    assert list(app.openapi()["paths"]) == ["/house/old/rooms/{number}"]


@pytest.mark.parametrize(("outer", "inner"), [(False, True), (True, False)])
def test_a_hidden_router_hides_what_it_takes_and_shows_nothing_hidden(outer: bool, inner: bool) -> None:
    taking, taken = Router(include_in_schema=outer), Router(include_in_schema=inner)
    taken.get("/here")(lambda: None)
    taking.take(taken)
    assert [route.include_in_schema for route in taking.late] == [False]


def test_what_no_route_has_is_named() -> None:
    (route,) = an_application()[1].late
    with pytest.raises(AttributeError, match=r"/house/old/rooms/\{number\}: a route has no colour"):
        _ = route.colour
    assert copy.copy(route).path == route.path
