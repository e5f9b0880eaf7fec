"""What several tests of the journal are given."""

import pytest

from tests.journal.ran import Ran


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Ran:
    """Runs a subcommand of `relays journal`, and has what it said."""
    return Ran(capfd)
