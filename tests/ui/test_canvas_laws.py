"""Laws of the canvas's pixels, in a real browser: what tools paint, what undo brings back, what is exported."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page

from tests.ui.canvas_page import Site, visiting
from webui.imaging.outpaint import Margins, rounded
from webui.imaging.sketch import painted_over

# what the scripts below begin with: the modules, and a random number generator with a seed
WITH = """
  const at = (name) => import(new URL(`canvas_${name}.js`, document.baseURI));
  const [{ Tiles, TILE }, { Stroke, rectangle, lasso, radiusOf }, { History }, { png }, frames] =
    await Promise.all(["tiles", "brush", "history", "png", "frame"].map(at));
  const chance = (seed) => () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32);
  const bytes = (layer) => [...layer.rows(0, layer.height)];
  const layers = (width, height) => ({ mask: new Tiles(width, height, 1), paint: new Tiles(width, height, 4) });
  const blank = (width, height) => Object.freeze({ source: null, ...layers(width, height), frame: frames.NONE });
  const stroke = (layer, ink, ...points) => {
    const made = new Stroke(layer, { erases: false, hardness: 1, colour: [200, 30, 60], ...ink });
    for (const [x, y, radius] of points) made.to(x, y, radius);
    return made.finish();
  };
  const text = async (blob) => [...new Uint8Array(await blob.arrayBuffer())];
"""


@pytest.fixture(scope="module")
def page(shared_context: BrowserContext) -> Iterator[Page]:
    with Site() as site, visiting(shared_context, site) as bare:
        yield bare


def run(page: Page, script: str, given: Any = None) -> Any:
    """What the script returns; told as JSON, since the browser's driver takes long lists apart one number at a time."""
    made = f"(async () => {{ {script} }})()"
    return json.loads(page.evaluate(f"async (given) => {{ {WITH} return JSON.stringify(await {made}); }}", given))


def test_a_pen_paints_as_wide_as_it_is_pressed(page: Page) -> None:
    sizes = run(
        page,
        """return [["pen", 0.1], ["pen", 0.5], ["pen", 1], ["mouse", 0.5], ["touch", 0]].map(([kind, force]) => {
          const radius = radiusOf(140, kind, force);
          return [radius, bytes(stroke(new Tiles(300, 300, 1), {}, [150, 150, radius])).filter((one) => one).length];
        });""",
    )
    for radius, area in sizes:
        assert abs(area - np.pi * radius**2) < 0.01 * area
    radii = [radius for radius, _ in sizes]
    assert radii[0] < radii[1] < radii[2] == radii[3] == radii[4] == 70
    assert 0.33 * 70 < radii[0] < 0.45 * 70


def test_a_hard_mask_is_all_or_nothing_and_a_soft_one_has_grey_rims(page: Page) -> None:
    hard, soft = run(
        page,
        """const points = [[30.3, 40.7, 17.4], [90, 61.2, 9.9], [20, 100, 13]];
        const empty = new Tiles(130, 140, 1);
        return [stroke(empty, {}, ...points), stroke(empty, { hardness: 0.4 }, ...points)].map(bytes);""",
    )
    assert set(hard) == {0, 255}
    assert len(set(soft)) > 50
    assert all(one == 255 or other < 255 for one, other in zip(hard, soft, strict=True))


@pytest.mark.parametrize("hardness", [1, 0.6, 0])
def test_strokes_of_a_mask_that_cross_do_not_add_up(page: Page, hardness: float) -> None:
    once, twice, crossed, either = run(
        page,
        """const ink = { hardness: given }, empty = new Tiles(200, 200, 1);
        const [one, other] = [[[20, 20, 15], [180, 150, 15]], [[180, 20, 15], [20, 150, 15]]];
        const first = stroke(empty, ink, ...one);
        const alone = bytes(stroke(empty, ink, ...other));
        return [bytes(first), bytes(stroke(first, ink, ...one)), bytes(stroke(first, ink, ...other)),
          bytes(first).map((value, at) => Math.max(value, alone[at]))];""",
        hardness,
    )
    assert once == twice
    assert crossed == either


def test_a_stroke_of_paint_that_crosses_itself_is_as_opaque_as_one_line(page: Page) -> None:
    there, and_back = run(
        page,
        """const ink = { hardness: 0.5 }, empty = new Tiles(150, 60, 4), line = [[20, 30, 12], [130, 30, 12]];
        return [stroke(empty, ink, ...line), stroke(empty, ink, ...line, line[0], line[1])].map(bytes);""",
    )
    assert there == and_back


def test_the_smallest_brush_paints_a_pixel(page: Page) -> None:
    assert run(page, "return bytes(stroke(new Tiles(9, 9, 1), {}, [4.5, 4.5, 0.3])).filter((one) => one).length") == 1


@pytest.mark.parametrize("channels", [1, 4])
def test_the_eraser_takes_away_what_the_brush_painted(page: Page, channels: int) -> None:
    left = run(
        page,
        """const painted = stroke(new Tiles(200, 200, given), { hardness: 0.7 }, [60, 60, 30], [150, 110, 30]);
        const erased = stroke(painted, { erases: true }, [60, 60, 31.5], [150, 110, 31.5]);
        return [painted.isEmpty, erased.isEmpty, erased.tiles.size, bytes(erased).every((one) => one === 0)];""",
        channels,
    )
    assert left == [False, True, 0, True]


def test_areas_are_painted_to_the_pixel(page: Page) -> None:
    box, hole, shape = run(
        page,
        """const ink = { erases: false, colour: [0, 0, 0] }, empty = new Tiles(300, 200, 1);
        const corner = ([x, y]) => ({ x, y });
        const box = rectangle(empty, corner([250, 180]), corner([20, 10]), ink);
        const hole = rectangle(box, corner([100, 100]), corner([120, 130]), { ...ink, erases: true });
        const diamond = [[150, 20], [230, 100], [150, 180], [70, 100]].map(corner);
        return [bytes(box), bytes(hole), bytes(lasso(empty, diamond, ink))];""",
    )
    expected = np.zeros((200, 300), np.uint8)
    expected[10:180, 20:250] = 255
    assert box == expected.ravel().tolist()
    expected[100:130, 100:120] = 0
    assert hole == expected.ravel().tolist()
    rows, columns = np.mgrid[:200, :300] + 0.5
    inside = np.abs(columns - 150) + np.abs(rows - 100) < 80
    wrong = (np.asarray(shape).reshape(200, 300) > 0) != inside
    assert wrong.sum() <= 320  # pixels whose centre is on the outline may go either way


def test_an_area_may_reach_beyond_the_picture(page: Page) -> None:
    filled = run(
        page,
        """const ink = { erases: false, colour: [0, 0, 0] }, empty = new Tiles(130, 129, 1);
        const points = [[-50, -60], [500, -60], [500, 400], [-50, 400]].map(([x, y]) => ({ x, y }));
        return [lasso(empty, points, ink), rectangle(empty, points[0], points[2], ink)].map(bytes);""",
    )
    assert all(set(layer) == {255} for layer in filled)


RANDOM = """
  const random = chance(given);
  const between = (low, high) => low + random() * (high - low);
  const [width, height] = [Math.floor(between(1, 400)), Math.floor(between(1, 300))];
  const point = () => ({ x: between(-20, width + 20), y: between(-20, height + 20) });
  const some = (list) => list[Math.floor(random() * list.length)];
  const history = new History(blank(width, height));
  const change = () => {
    const name = some(["mask", "paint"]), layer = history.now[name];
    const colour = [0, 0, 0].map(() => Math.floor(between(0, 256)));
    const ink = { erases: random() < 0.4, hardness: some([1, 0.5, 0]), colour };
    const radius = () => between(0.5, 60);
    const kind = some(["stroke", "stroke", "stroke", "rectangle", "lasso", "fill", "clear", "invert", "frame"]);
    const dragged = () => frames.moved(history.now.frame, { [some(frames.SIDES)]: between(0, 300) }, { width, height });
    if (kind === "frame") return { frame: dragged() };
    if (kind === "invert") return { mask: history.now.mask.inverted() };
    if (kind === "fill") return { [name]: layer.filled(ink.colour) };
    if (kind === "clear") return { [name]: layer.cleared() };
    if (kind === "rectangle") return { [name]: rectangle(layer, point(), point(), ink) };
    if (kind === "lasso") return { [name]: lasso(layer, [point(), point(), point(), point(), point()], ink) };
    return { [name]: stroke(layer, ink, ...[point(), point(), point()].map(({ x, y }) => [x, y, radius()])) };
  };
  const look = () => {
    const { mask, paint, frame } = history.now;
    return [mask.rows(0, height), paint.rows(0, height), new TextEncoder().encode(JSON.stringify(frame))];
  };
  const same = (one, other) => one.every((part, at) => indexedDB.cmp(part, other[at]) === 0);  // byte for byte
"""


@pytest.mark.parametrize("seed", range(8))
def test_undo_and_redo_bring_back_the_very_same_bytes(page: Page, seed: int) -> None:
    backward, forward, ends = run(
        page,
        RANDOM
        + """const seen = [look()];
        for (let step = 0; step < 25; step++) {
          const before = history.now;
          history.step(change());
          if (history.now !== before) seen.push(look());
        }
        const differs = { backward: 0, forward: 0 };
        const isAt = (at) => same(look(), seen[at]);
        for (let at = seen.length - 2; at >= 0; at--) if (!history.undo() || !isAt(at)) differs.backward++;
        const first = history.canUndo;
        for (let at = 1; at < seen.length; at++) if (!history.redo() || !isAt(at)) differs.forward++;
        return [differs.backward, differs.forward, [first, history.canRedo, seen.length > 5]];""",
        seed,
    )
    assert (backward, forward, ends) == (0, 0, [False, False, True])


@pytest.mark.parametrize("seed", range(4))
def test_inverting_twice_changes_nothing_and_once_everything(page: Page, seed: int) -> None:
    same, opposite, empty, full = run(
        page,
        RANDOM
        + """for (let step = 0; step < 6; step++) history.step(change());
        const { mask } = history.now, once = mask.inverted();
        const [was, is] = [bytes(mask), bytes(once)];
        const isSame = bytes(once.inverted()).every((value, at) => value === was[at]);
        return [isSame, was.every((value, at) => value + is[at] === 255), mask.filled().inverted().tiles.size,
          mask.cleared().inverted().changedFrom(mask.filled()).length];""",
        seed,
    )
    assert (same, opposite, empty, full) == (True, True, 0, 0)


def test_sixty_steps_are_kept_and_no_more_bytes_than_allowed(page: Page) -> None:
    steps, bounded, floor = run(
        page,
        """const paint = (history, count) => {
          for (let step = 0; step < count; step++) {
            const colour = [step, 0, 0];
            history.step({ paint: stroke(history.now.paint, { colour }, [200 + step, 200, 60]) });
          }
          return history;
        };
        const first = blank(2048, 2048), small = paint(new History(first, { bytes: 3_000_000 }), 40);
        const isBounded = [small.past.length < 40, small.bytes <= 3_000_000];
        return [paint(new History(first), 90).past.length, isBounded, small.past.length > 2];""",
    )
    assert steps == 60
    assert bounded == [True, True]
    assert floor


def test_a_fill_of_a_large_mask_costs_no_memory(page: Page) -> None:
    held = run(
        page,
        """const history = new History(blank(8192, 4800));
        for (let time = 0; time < 20; time++) {
          history.step({ mask: history.now.mask.filled() });
          history.step({ mask: history.now.mask.inverted() });
        }
        return history.bytes;""",
    )
    assert held <= 128 * 128


def decoded(sent: list[int]) -> Image.Image:
    image = Image.open(io.BytesIO(bytes(sent)))
    image.load()
    return image


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (4, "RGBA")])
@pytest.mark.parametrize("size", [(1, 1), (127, 65), (150, 140)])
def test_an_exported_layer_has_the_very_bytes(page: Page, channels: int, mode: str, size: tuple[int, int]) -> None:
    file, expected = run(
        page,
        """const [width, height, channels] = given, random = chance(width);
        const pixels = Uint8Array.from({ length: width * height * channels }, () => Math.floor(random() * 256));
        return [await text(await png(Tiles.from(width, height, channels, pixels))), [...pixels]];""",
        [*size, channels],
    )
    image = decoded(file)
    assert (image.mode, image.size) == (mode, size)
    assert image.tobytes() == bytes(expected)


def test_a_sketch_looks_in_the_browser_as_the_server_composes_it(page: Page) -> None:
    ground, paint, shown = run(
        page,
        """const { Surface } = await at("surface");
        const [width, height] = [140, 110], random = chance(5);
        const opaque = (_, at) => (at % 4 === 3 ? 255 : Math.floor(random() * 256));
        const ground = Uint8ClampedArray.from({ length: width * height * 4 }, opaque);
        let layer = new Tiles(width, height, 4);
        for (let line = 0; line < 12; line++) {
          layer = stroke(layer, { hardness: line % 3 / 2, colour: [0, 0, 0].map(() => Math.floor(random() * 256)) },
            [random() * width, random() * height, 25], [random() * width, random() * height, 15]);
        }
        const surface = new Surface("x");
        surface.show(layer);
        const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
        context.putImageData(new ImageData(ground, width, height), 0, 0);
        context.drawImage(surface.element, 0, 0);
        return [[...ground], bytes(layer), [...context.getImageData(0, 0, width, height).data]];""",
    )
    size = (140, 110)
    picture = Image.frombytes("RGBA", size, bytes(ground)).convert("RGB")
    layer = Image.frombytes("RGBA", size, bytes(paint))
    made = np.asarray(painted_over(picture, [layer]), np.int16)
    seen = np.asarray(Image.frombytes("RGBA", size, bytes(shown)).convert("RGB"), np.int16)
    opacity = np.asarray(layer.getchannel("A"))
    assert {0, 255} < set(opacity.ravel().tolist())
    assert np.array_equal(made[(opacity == 255) | (opacity == 0)], seen[(opacity == 255) | (opacity == 0)])
    assert np.abs(made - seen).max() <= 2  # a canvas keeps its colours multiplied by their opacity


@pytest.mark.parametrize("seed", range(6))
def test_a_frame_is_what_the_server_makes_of_it(page: Page, seed: int) -> None:
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(1, 3000, 2))
    wanted = {
        side: int(by)
        for side, by in zip(("left", "top", "right", "bottom"), random.integers(-99, 2300, 4), strict=True)
    }
    for side in random.choice(["left", "top", "right", "bottom"], seed % 4, replace=False):
        wanted[str(side)] = 0
    frame = run(
        page,
        "return frames.moved(frames.NONE, given[0], { width: given[1], height: given[2] })",
        [wanted, width, height],
    )
    assert all(0 <= by <= 2048 for by in frame.values())
    assert not any(frame.values()) or rounded(Margins(**frame), width, height) == Margins(**frame)
    for side, by in wanted.items():
        assert abs(frame[side] - min(max(by, 0), 2048)) <= 12


def test_a_plane_maps_points_there_and_back(page: Page) -> None:
    worst = run(
        page,
        """const { Plane } = await at("plane"), random = chance(9);
        let worst = 0;
        for (let time = 0; time < 500; time++) {
          const plane = new Plane();
          plane.view = { width: 200 + 900 * random(), height: 200 + 700 * random() };
          const [width, height] = [100 + 4000 * random(), 100 + 3000 * random()];
          plane.content = { left: -99 * random(), top: -50 * random(), width, height };
          plane.reserved = { left: 70 * random(), top: 70 * random(), right: 40 * random(), bottom: 70 * random() };
          const point = { x: 500 * random(), y: 400 * random() };
          plane.zoomBy(0.2 + 3 * random(), 300 * random(), 100 * random());
          plane.pan(200 * random() - 100, 100 * random());
          const seen = plane.toView(point.x, point.y);
          plane.zoomBy(0.5 + 2 * random(), seen.x, seen.y);
          const again = plane.toPicture(seen.x, seen.y);
          worst = Math.max(worst, Math.hypot(again.x - point.x, again.y - point.y));
        }
        return worst;""",
    )
    assert worst < 1e-6


def test_a_page_that_opens_slowly_does_not_forget_what_was_kept(page: Page) -> None:
    """The blank document of the start is there before the kept one is read, and a slow page shows it for a while."""
    sides: list[int] = run(
        page,
        """const { Keeper, keep, kept } = await at("kept");
        await keep({ ...blank(40, 40), source: { picture: {} } });
        const keeper = new Keeper(() => {});
        keeper.later(blank(8, 8));
        await keeper.flush();
        const before = (await kept()).mask.width;
        keeper.begin();
        await keeper.flush();
        return [before, (await kept()).mask.width];""",
    )
    assert sides == [40, 8]
