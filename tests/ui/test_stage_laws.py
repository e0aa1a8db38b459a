"""The laws of the functions behind stage, strip and queue, on a bare page."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.bare import bare_page, call, job_picture, job_progress, job_row, whole_state

Event = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """For functions that keep nothing."""
    with bare_page(browser) as page:
        yield page


def traces(seed: int) -> tuple[list[Event], dict[str, Any]]:
    """Events in some order that can happen, from the first state on, and the state that the server then has."""
    chance = random.Random(seed)
    jobs: list[dict[str, Any]] = [job_row("0")]
    history = [job_picture("old")]
    paused, reason, forever = False, "", False
    events: list[Event] = [("state", whole_state(list(jobs), list(history)))]
    for number in range(1, 40):
        does = chance.choice(("new", "change", "order", "gone", "paused", "picture", "picture", "forever"))
        if does == "new":
            jobs = [*jobs, job_row(str(number))]
            events.append(("job", jobs[-1]))
        elif does == "change" and jobs:
            at = chance.randrange(len(jobs))
            row = {**jobs[at], "state": chance.choice(("waiting", "running", "held", "done")), "pictures": number}
            jobs = [*jobs[:at], row, *jobs[at + 1 :]]
            events.append(("job", row))
        elif does == "order":
            chance.shuffle(jobs)
            jobs = list(jobs)
            events.append(("order", {"ids": [job["id"] for job in jobs]}))
        elif does == "gone" and jobs:
            gone = chance.choice(jobs)
            jobs = [job for job in jobs if job is not gone]
            events.append(("gone", {"id": gone["id"]}))
        elif does == "paused":
            paused, reason = not paused, "" if paused else "lunch"
            events.append(("paused", {"paused": paused, "reason": reason}))
        elif does == "forever":
            forever = not forever
            events.append(("forever", {"on": forever}))
        elif does == "picture":
            made = job_picture(str(number), chance.randrange(3))
            history = [made, *history]
            events.append(("picture", made))
    return events, whole_state(jobs, history, paused=paused, reason=reason, forever=forever)


FOLLOWED = """
const through = (events, from) => events.reduce((state, [name, data]) => module.apply(state, name, data), from);
"""


@pytest.mark.parametrize("seed", range(12))
def test_events_lead_to_the_state_that_the_server_would_send(bare: Page, seed: int) -> None:
    events, state = traces(seed)
    followed, read = call(
        bare,
        "store.js",
        f"{FOLLOWED} return [through(argument[0], module.EMPTY), module.apply(module.EMPTY, 'state', argument[1])];",
        [events, state],
    )
    assert followed == read


@pytest.mark.parametrize("seed", range(6))
def test_an_event_that_comes_twice_changes_nothing_more(bare: Page, seed: int) -> None:
    events, _ = traces(seed)
    once, twice = call(
        bare,
        "store.js",
        f"{FOLLOWED} return [through(argument, module.EMPTY),"
        " through(argument.flatMap((event) => [event, event]), module.EMPTY)];",
        events,
    )
    assert once == twice


def test_older_pictures_stay_when_the_state_is_read_again(bare: Page) -> None:
    newest, older = [job_picture("3"), job_picture("2")], [job_picture("1"), job_picture("0")]
    again = whole_state([], [job_picture("4"), *newest], more=True)
    ids = call(
        bare,
        "store.js",
        """
        let state = module.apply(module.EMPTY, "state", argument[0]);
        state = module.apply(state, "older", { pictures: argument[1], more: false });
        state = module.apply(state, "state", argument[2]);
        return [state.history.map((one) => one.job), state.more];
        """,
        [whole_state([], newest, more=True), older, again],
    )
    assert ids == [["4", "3", "2", "1", "0"], False]


def test_a_job_that_is_gone_leaves_no_progress_behind(bare: Page) -> None:
    events = [
        ("state", whole_state([job_row("1", "running")])),
        ("progress", job_progress("1", 0.5)),
        ("gone", {"id": "1"}),
        ("progress", job_progress("1", 0.9)),
    ]
    left = call(bare, "store.js", f"{FOLLOWED} return through(argument, module.EMPTY).progress;", events)
    assert left == {}


def test_a_picture_waits_for_a_tab_that_is_not_drawn_yet(bare: Page) -> None:
    script = """
        const bus = await import("./static/bus.js");
        const opened = [], given = [];
        bus.hear("tab:open", ({ tab }) => opened.push(tab));
        bus.say("picture:send", { picture: { id: "a/0" }, to: "pnginfo" });
        bus.say("picture:send", { picture: { id: "b/0" }, to: "img2img" });
        bus.say("library:show", { picture: { id: "c/0" } });
        module.whenSent("pnginfo", (all) => given.push(...all.map((one) => one.id)));
        bus.say("picture:send", { picture: { id: "d/0" }, to: "pnginfo" });
        return [opened, given];
    """
    assert call(bare, "sent_pictures.js", script) == [["pnginfo", "image_browser", "pnginfo"], ["a/0", "d/0"]]


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a cat\nNegative prompt: dog\nSteps: 20", "a cat"),
        ("a cat,\non a mat\nSteps: 20, Seed: 1", "a cat,\non a mat"),
        ("Steps: 20, Seed: 1", ""),
        ("Negative prompt: dog\nSteps: 20", ""),
        ("a cat", "a cat"),
    ],
)
def test_the_prompt_is_what_stands_before_the_settings(bare: Page, text: str, prompt: str) -> None:
    assert call(bare, "store.js", "return module.promptOf(argument);", text) == prompt


VIEW, SIZE = {"width": 924, "height": 697}, {"width": 512, "height": 512}


def test_a_square_picture_fills_the_stage_but_for_its_margin(bare: Page) -> None:
    box = call(bare, "plane.js", "return module.boxOf(module.FITTED, ...argument);", [VIEW, SIZE])
    assert (box["width"], box["height"], box["top"]) == (673, 673, 12)
    assert box["left"] == pytest.approx((924 - 673) / 2)


@pytest.mark.parametrize("seed", range(8))
def test_the_point_under_the_pointer_stays_under_it(bare: Page, seed: int) -> None:
    chance = random.Random(seed)
    place = {"zoom": chance.uniform(0.8, 3), "x": chance.uniform(-80, 80), "y": chance.uniform(-80, 80)}
    at = {"x": chance.uniform(-120, 120), "y": chance.uniform(-120, 120)}
    before, after = call(
        bare,
        "plane.js",
        """
        const [place, at, view, size, zoom] = argument;
        const under = (one) => {
          const box = module.boxOf(one, view, size);
          return [(at.x + view.width / 2 - box.left) / box.zoom, (at.y + view.height / 2 - box.top) / box.zoom];
        };
        return [under(place), under(module.zoomedTo(place, zoom, at, view, size))];
        """,
        [place, at, VIEW, SIZE, chance.uniform(0.8, 4)],
    )
    assert after == pytest.approx(before)


def test_a_picture_cannot_be_dragged_out_of_the_view(bare: Page) -> None:
    box = call(
        bare,
        "plane.js",
        "return module.boxOf(module.held({zoom: 2, x: 1e6, y: -1e6}, ...argument), ...argument);",
        [VIEW, SIZE],
    )
    assert box["left"] == VIEW["width"] - 48
    assert box["top"] + box["height"] == 48


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (6, 3), (9, 3)])
def test_a_batch_is_laid_out_so_that_its_pictures_are_large(bare: Page, count: int, columns: int) -> None:
    found = call(bare, "batch_grid.js", "return module.arranged(argument[0], argument[1], 1);", [count, VIEW])
    assert found["columns"] == columns
    assert found["columns"] * found["width"] <= VIEW["width"]
    assert found["rows"] * found["height"] <= VIEW["height"]


def test_ten_thousand_thumbnails_are_a_few_buttons(bare: Page) -> None:
    view = {"columns": 2, "isFilm": False, "across": 170, "along": 560, "offset": 200_000}
    laid = call(
        bare,
        "history.js",
        "const {placeOf, ...rest} = module.laidOut(...argument); return {...rest, place: placeOf(rest.first)};",
        [10_000, view],
    )
    assert laid["end"] - laid["first"] < 60
    assert laid["place"][1] <= 200_000 - 560 + laid["size"] + 6


@pytest.mark.parametrize(
    ("jobs", "progress", "link", "words"),
    [
        ([], None, "open", ""),
        ([job_row("1")], None, "open", "Waiting, it is next"),
        ([job_row("1", position=2)], None, "open", "Waiting, 2 before it"),
        ([job_row("1", "running", mine=False)], None, "open", ""),
        ([job_row("1", "running")], None, "open", "Starting"),
        ([job_row("1", "running")], job_progress("1", 0.6), "open", "Sampling 12/20 · 3 s"),
        (
            [job_row("1", "running"), job_row("2", "running")],
            job_progress("1", 0.6),
            "open",
            "Sampling 12/20 · 3 s · 1 more in work",
        ),
        ([job_row("1", "running")], job_progress("1", 0.6), "lost", "Server does not answer; trying again"),
    ],
)
def test_the_pill_says_how_things_stand(
    bare: Page, jobs: list[dict[str, Any]], progress: dict[str, Any] | None, link: str, words: str
) -> None:
    said = call(
        bare,
        "progress_words.js",
        """
        const store = await import(address.replace("progress_words", "store"));
        let state = store.apply(store.EMPTY, "state", argument[0]);
        if (argument[1]) state = store.apply(state, "progress", argument[1]);
        return module.pillWords(state, argument[2]);
        """,
        [whole_state(jobs), progress, link],
    )
    assert said == words


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("CUDA out of memory", "smaller"),
        ("no space left on the disk", "Free space"),
        ("checkpoint: there is no 'gone'", "choose another"),
        ("it ended in the extension ink", "Switch the extension off"),
        ("held by hand", "when it shall have its turn"),
        ("anything else", "make it smaller"),
    ],
)
def test_what_may_help_follows_from_the_reason(bare: Page, reason: str, remedy: str) -> None:
    told = call(bare, "job_remedies.js", "return module.remedyOf(argument);", {"state": "held", "reason": reason})
    assert remedy in told
    assert call(bare, "job_remedies.js", "return module.remedyOf(argument);", {"state": "done", "reason": reason}) == ""


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Dream_Shaper-v8.safetensors", "DS"), ("mini", "M"), ("sdXL", "SX"), ("3d", "3"), ("", "?"), ("画 风", "画风")],
)
def test_a_file_without_a_picture_has_initials(bare: Page, name: str, letters: str) -> None:
    assert call(bare, "blank_picture.js", "return module.initials(argument);", name) == letters
