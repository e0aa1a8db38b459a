"""One served page for each file of journeys; what a journey has done there is forgotten at its end."""

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.ui.fakes import FakeEngine
from tests.ui.house import House, house
from tests.ui.staying import Staying

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("home"), port) as made:
        yield made


@pytest.fixture
def engine(home: House) -> Iterator[FakeEngine]:
    with home.lent() as lent:
        yield lent


@pytest.fixture
def address(home: House, engine: FakeEngine) -> str:
    return home.address


@pytest.fixture(scope="module")
def staying(shared_context: BrowserContext, home: House) -> Iterator[Staying]:
    made = Staying(shared_context, home)
    yield made
    made.leave()


@pytest.fixture
def opened_anew(staying: Staying) -> None:
    """For a test whose page is no other test's."""
    staying.leave()


@pytest.fixture
def page_that_stays(staying: Staying, engine: FakeEngine, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page of the file, as it is when it has just been opened."""
    yield staying.open()
    is_of_use = request.node.stash.get(PASSED, False) and "opened_anew" not in request.fixturenames
    try:
        staying.check()
        if is_of_use and not engine.changed:  # what a form starts with is told when a page is opened
            engine.forget()
            staying.tidy()
        else:
            staying.leave()
    except BaseException:
        staying.leave()
        raise
