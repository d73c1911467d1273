"""What system tests share: the fixture `site`, and the logs of its servers when a test failed."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import harness  # noqa: E402  (the way to it was only just added)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    servers = item.funcargs.get("site")
    if servers is not None and report.failed and report.when in ("setup", "call"):
        report.sections.append(("servers", servers.report()))


@pytest.fixture
def site():
    servers = harness.Site()
    yield servers
    servers.close()
