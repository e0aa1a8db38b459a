"""One served page for each file of journeys; what a journey has done there is forgotten at its end."""

from collections.abc import Iterator

import pytest

from tests.ui.fakes import FakeEngine
from tests.ui.house import House, house


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
