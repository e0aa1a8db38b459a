"""One served page for the journeys; what a journey has done there is forgotten at its end."""

from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ports import open_port
from tests.ui.fakes import FakeEngine
from tests.ui.house import House, house
from tests.ui.staying import CHECKPOINT, MINI, READY, Staying
from tests.ui.staying import PASSED as PASSED
from webui.ui.quicksettings import QUICK

CHOSEN_AT_FIRST = """() => {
  const { state } = webui.form;
  const usual = (name) => state.usual[state.names.indexOf(name)];
  webui.form.take(Object.fromEntries([...state.remembered].map((name) => [name, usual(name)])));
}"""
LEFT = ("opened_anew", "left_afterwards")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="session")
def lasting_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole page, mounted once for all files of a process that ask for no other."""
    with house(tmp_path_factory.mktemp("home"), open_port()) as made:
        yield made


@pytest.fixture(scope="module")
def home(lasting_home: House) -> House:
    return lasting_home


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
def left_afterwards() -> None:
    """For a test after whose end nobody can use its page any more."""


@pytest.fixture
def brought_back() -> Callable[[Page], None]:
    """What a file does with a page that stays, beside what is always done, before the next test has it."""
    return lambda page: None


@pytest.fixture
def page_that_stays(
    staying: Staying, engine: FakeEngine, request: pytest.FixtureRequest, brought_back: Callable[[Page], None]
) -> Iterator[Page]:
    """The page of the file, as it is when it has just been opened."""
    page = staying.open()
    yield page
    chosen = {*engine.starting}

    def bring_back() -> None:
        engine.forget()
        page.wait_for_function(READY)
        if chosen or not MINI.search(page.locator(CHECKPOINT).input_value()):
            page.evaluate(CHOSEN_AT_FIRST)
            expect(page.locator(CHECKPOINT)).to_have_value(MINI)
        brought_back(page)

    is_left = not {*LEFT}.isdisjoint(request.fixturenames)
    is_told = chosen <= {*QUICK}  # what else a form starts with is told when a page is opened
    staying.give_back(is_of_use=request.node.stash.get(PASSED, False) and not is_left and is_told, before=bring_back)
