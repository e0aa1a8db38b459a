"""Pictures that a form names by their id: the very file, for whoever may see it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.page.browsers import Server, saved
from tests.engine_bench import Bench
from tests.executors.watching import wanted
from webui.api.page.page_routes import picture_files
from webui.api.page.picture_by_id import finder_of_pictures
from webui.domain.errors import BadRequestError
from webui.domain.images import safe_open

USERS = (("ann", "secret"), ("bob", "secret"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, max_queue=1000)
    yield bench
    for engine in bench.made:
        engine.close()


def test_a_saved_picture_is_its_file_and_another_is_its_bytes(bench: Bench) -> None:
    server = Server(bench)
    find = finder_of_pictures(server.parts, picture_files(server.parts))
    job = server.submit("page a")
    bench.hand.do(job)
    [file] = saved(bench.folder)
    assert find(f"{job.id}/0", "page b") == file
    unsaved = server.engine.submit(wanted("a cat"), save=False, owner="page a")
    bench.hand.do(unsaved)
    assert safe_open(find(f"{unsaved.id}/0", "page a")).size == unsaved.images[0].image.size


def test_where_several_log_in_nobody_sees_the_pictures_of_others(bench: Bench) -> None:
    server = Server(bench, users=USERS)
    find = finder_of_pictures(server.parts, picture_files(server.parts))
    job = server.submit("ann")
    bench.hand.do(job)
    assert find(f"{job.id}/0", "ann") == saved(bench.folder)[0]
    for owner in ("bob", ""):
        with pytest.raises(BadRequestError, match="no longer there"):
            find(f"{job.id}/0", owner)


@pytest.mark.parametrize("picture", ["", "x", "x/", "/0", "nobody/0", "library:3", "a/b/../1", "x/99999999999"])
def test_what_is_no_picture_is_told(bench: Bench, picture: str) -> None:
    server = Server(bench)
    with pytest.raises(BadRequestError) as caught:
        finder_of_pictures(server.parts, picture_files(server.parts))(picture, "page a")
    assert caught.value.field == "picture"


def test_a_picture_whose_file_is_gone_is_told(bench: Bench) -> None:
    server = Server(bench)
    job = server.submit("page a")
    bench.hand.do(job)
    saved(bench.folder)[0].unlink()
    with pytest.raises(BadRequestError, match="no longer there"):
        finder_of_pictures(server.parts, picture_files(server.parts))(f"{job.id}/0", "page a")
