"""One source describes every value; what is written from it is current, closed and complete."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from glaciolake.pipeline.config import RunConfig
from tests.helm.chart import CHART, FULL, IMAGE, PROFILES, ROOT, merged

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
DRAFT = jsonschema.Draft7Validator
OPEN = {"$.global"}
"""What a parent chart hands down is not ours to describe."""


def nodes(node: Any, at: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the schema, with its place."""
    yield at, node
    for key, child in node.get("properties", {}).items():
        yield from nodes(child, f"{at}.{key}")
    for word in ("additionalProperties", "items"):
        if isinstance(node.get(word), dict):
            yield from nodes(node[word], f"{at}.*")
    for key, child in node.get("patternProperties", {}).items():
        yield from nodes(child, f"{at}.{key}")
    for word in ("anyOf", "oneOf", "allOf"):
        for child in node.get(word, []):
            yield from nodes(child, at)


def test_what_is_written_from_the_source_is_current() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "write_chart.py"))["pages"]()
    assert len(pages) == 3
    for path, text in pages.items():
        assert path.read_text() == text, f"{path.name} is out of date; run 'make docs'"


def test_schema_is_a_schema_and_needs_nothing_else() -> None:
    DRAFT.check_schema(SCHEMA)
    assert "$ref" not in json.dumps(SCHEMA)


def test_every_object_of_the_schema_is_closed() -> None:
    for at, node in nodes(SCHEMA):
        if node.get("type") == "object" and at not in OPEN:
            closed = node.get("additionalProperties")
            assert closed is False or isinstance(closed, dict), at


def test_every_key_is_described() -> None:
    for at, node in nodes(SCHEMA):
        for key, child in node.get("properties", {}).items():
            assert len(child.get("description", "")) > 3, f"{at}.{key}"
            assert child["description"].strip()[-1] in ".)", f"{at}.{key}: {child['description']!r}"


def test_no_description_was_cut_at_a_comma() -> None:
    """In YAML, a comma inside braces ends an unquoted text and begins a key without a value."""
    source = (CHART / "values.schema.yaml").read_text()
    assert not list(re.finditer(r"\{[^'\"{}]*description: (?!['\"])[^{}'\"]*,[^{}]*\}", source))
    words = {
        "type",
        "description",
        "default",
        "properties",
        "additionalProperties",
        "required",
        "enum",
        "const",
    }
    words |= {
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "items",
        "anyOf",
        "oneOf",
    }
    words |= {
        "maxLength",
        "minProperties",
        "propertyNames",
        "patternProperties",
        "minItems",
        "maxItems",
        "$schema",
    }
    for at, node in nodes(SCHEMA):
        assert not set(node) - words, f"{at}: {set(node) - words}"


def test_values_are_what_the_schema_allows() -> None:
    DRAFT(SCHEMA).validate(VALUES)
    DRAFT(SCHEMA).validate(merged(VALUES, FULL, {"global": {"team": "lakes"}}))
    for files in PROFILES.values():
        given = [yaml.safe_load((CHART / "profiles" / f"{one}.yaml").read_text()) for one in files]
        DRAFT(SCHEMA).validate(merged(VALUES, IMAGE, *given))


def test_every_key_of_the_schema_has_a_default_and_a_row() -> None:
    table = (CHART / "README.md").read_text()

    def walk(node: dict[str, Any], values: Any, at: str) -> Iterator[str]:
        for key, child in node["properties"].items():
            here = f"{at}{key}"
            if here in ("global", "run"):
                continue
            assert key in values, f"{here} has no default in values.yaml"
            if "properties" in child and key != "resources":
                yield from walk(child, values[key], f"{here}.")
            else:
                yield here

    for key in walk(SCHEMA, VALUES, ""):
        assert f"| `{key}` |" in table, key


def test_run_has_every_key_of_a_run_configuration_but_what_the_chart_fills_in() -> None:
    run = SCHEMA["properties"]["run"]["properties"]
    assert set(run) == set(RunConfig.model_fields) - {"store", "cluster"}
    for key, about in RunConfig.model_fields.items():
        if key in run:
            assert run[key]["description"] == about.description, key


@pytest.mark.parametrize(
    ("run", "good"),
    [
        ({"source": "asf", "lakes": ["tsho-rolpa"], "start": "2020-01-01", "end": None}, True),
        ({"source": "asf", "despeckle": {"method": "none"}, "tracks": [12, 121]}, True),
        ({"source": 7}, False),
        ({"source": "asf", "despeckle": {"method": "median"}}, False),
        ({"source": "asf", "store": "/elsewhere"}, False),
        ({"source": "asf", "cluster": {"n_workers": 2}}, False),
    ],
)
def test_run_is_checked_before_anything_is_installed(run: dict[str, Any], good: bool) -> None:
    assert DRAFT(SCHEMA).is_valid(merged(VALUES, {"run": run})) is good


def test_chart_says_what_artifact_hub_asks() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert about["apiVersion"] == "v2" and about["type"] == "application"
    hub = {key.removeprefix("artifacthub.io/"): value for key, value in about["annotations"].items()}
    assert hub["license"] == "Apache-2.0"
    assert {"changes", "category", "prerelease", "operator"} <= set(hub)
    for change in yaml.safe_load(hub["changes"]):
        assert set(change) == {"kind", "description"}
        assert change["kind"] in ("added", "changed", "deprecated", "removed", "fixed", "security")
