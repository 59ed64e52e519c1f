"""Helm has to be there: these tests are about what it does, and say so loudly where it is not."""

from __future__ import annotations

import pytest

from tests.helm.chart import BINARIES, HELM3, HELM4


@pytest.fixture(scope="session", autouse=True)
def helm_is_there() -> None:
    missing = [path.name for path in (HELM3, HELM4) if not path.is_file()]
    if missing:
        pytest.fail(f"{' and '.join(missing)} missing in {BINARIES}; 'make test-helm' fetches them")
