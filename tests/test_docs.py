"""Pages that are generated are current."""

from __future__ import annotations

import runpy
from pathlib import Path

from glaciolake.catalog.variables import VARIABLES, Flag, Surface

DOCS = Path(__file__).parents[1] / "docs"


def test_page_of_variables_is_what_the_table_says() -> None:
    page = (DOCS / "variables.md").read_text()
    assert page == runpy.run_path(str(DOCS / "write_variables.py"))["markdown"](), "run 'make docs'"


def test_page_of_variables_names_everything_that_is_stored() -> None:
    page = (DOCS / "variables.md").read_text()
    for name in [one.name for one in VARIABLES] + [str(one.name).lower() for one in (*Flag, *Surface)]:
        assert f"`{name}`" in page
