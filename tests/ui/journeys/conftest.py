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
ENDING = pytest.StashKey[tuple[pytest.Item | None, ...]]()  # the test that runs, and the one after it


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    item.session.stash[ENDING] = (item, nextitem)
    return (yield)


def has_the_lasting_page(item: pytest.Item | None) -> bool:
    """Whether a test has the page of `lasting_home`, and gives it back as it was when it was opened."""
    if not isinstance(item, pytest.Function) or "page_that_stays" not in item.fixturenames:
        return False
    return not {"home", "staying"} & vars(item.module).keys()


@pytest.fixture(scope="session")
def lasting_page() -> dict[str, Staying]:
    """The page that stays open from file to file, by its address; empty until a file has had it."""
    return {}


@pytest.fixture(scope="module")
def staying(
    shared_context: BrowserContext, home: House, lasting_page: dict[str, Staying], request: pytest.FixtureRequest
) -> Iterator[Staying]:
    """The page of the file. The next file finds it open, where it begins with a test of the same page."""
    made = lasting_page.pop(home.address, None) or Staying(shared_context, home)
    yield made
    if all(has_the_lasting_page(one) for one in request.session.stash[ENDING]):
        lasting_page[home.address] = made
    else:
        made.leave()


@pytest.fixture
def opened_anew(staying: Staying) -> None:
    """For a test that finds the page as no other test has had it."""
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

    is_left = "left_afterwards" in request.fixturenames
    is_told = chosen <= {*QUICK}  # what else a form starts with is told when a page is opened
    staying.give_back(is_of_use=request.node.stash.get(PASSED, False) and not is_left and is_told, before=bring_back)
