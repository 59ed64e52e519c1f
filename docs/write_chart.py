"""Write the chart's values, schema and table from its values.schema.yaml; `make docs` calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from glaciolake.pipeline.config import RunConfig

CHART = Path(__file__).parents[1] / "helm" / "glaciolake"
SOURCE, VALUES, SCHEMA, README = (
    CHART / name for name in ("values.schema.yaml", "values.yaml", "values.schema.json", "README.md")
)
BEGIN, END = "<!-- values: written by `make docs` -->", "<!-- end of values -->"
FILLED_IN = ("store", "cluster")
"""Keys of a run configuration that the chart knows itself."""
RUN_DEFAULT = {"source": "asf", "lakes": []}
FROM_PARENT = {
    "type": "object",
    "additionalProperties": True,
    "description": "What a parent chart hands down; not read.",
}
WHOLE = ("resources", "run")
"""Sections that are written without a line for each key."""
Tree = dict[str, Any]


def schema() -> Tree:
    """Make the closed JSON schema of the values; no references, a description at every key."""
    source = yaml.safe_load(SOURCE.read_text())
    definitions = source.pop("definitions")
    source["properties"]["run"] = _run_schema() | source["properties"]["run"] | {"default": RUN_DEFAULT}
    whole: Tree = _closed(_inlined(source, definitions))
    whole["properties"]["global"] = FROM_PARENT
    return {"$schema": "http://json-schema.org/draft-07/schema#", **whole}


def _run_schema() -> Tree:
    """Make the schema of a run configuration, from the model that reads it."""
    made = RunConfig.model_json_schema()
    definitions = {"run." + name: about for name, about in made.get("$defs", {}).items()}
    properties = {key: about for key, about in made["properties"].items() if key not in FILLED_IN}
    plain: Tree = _inlined({"type": "object", "properties": _kept(properties)}, _kept(definitions))
    return plain


def _kept(node: Any) -> Any:
    """Leave out what describes Python and not the value, and keep names of definitions apart from ours."""
    if isinstance(node, list):
        return [_kept(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {**node, "$ref": "#/definitions/run." + node["$ref"].rpartition("/")[2]}
    return {
        key: _kept(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and key != "format"
    }


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Put definitions where they are referred to; what stands beside a reference wins."""
    if isinstance(node, list):
        return [_inlined(one, definitions) for one in node]
    if not isinstance(node, dict):
        return node
    if "$merge" in node:
        return _inlined(definitions[node["$merge"]], definitions)
    if "$partial" in node:  # of a section that is laid over defaults, only what differs is given
        keys: Tree = _inlined(definitions[node["$partial"]], definitions)
        return {**keys, "resources": _optional(keys["resources"])}
    if "$ref" in node:
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions) | beside
    return {key: value if key == "default" else _inlined(value, definitions) for key, value in node.items()}


def _optional(node: Any) -> Any:
    """Require no key, at any level."""
    if not isinstance(node, dict):
        return node
    return {key: _optional(value) for key, value in node.items() if key != "required"}


def _closed(node: Any) -> Any:
    """Refuse keys that are not described, at every level."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: value if key == "default" else _closed(value) for key, value in node.items()}
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def values(whole: Mapping[str, Any]) -> str:
    """Text of values.yaml: every key with its meaning above it."""
    head = "# Written by `make docs` from values.schema.yaml; give your own values with --values or --set.\n"
    return head + "\n".join(_section(whole, None, 0)) + "\n"


def _section(whole: Mapping[str, Any], given: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, about in whole["properties"].items():
        if key == "global" and depth == 0:
            continue
        default = given[key] if given and key in given else about.get("default")
        if not depth and "properties" in about:
            yield ""
        yield from (f"{indent}# {line}" for line in wrap(about["description"], 108 - len(indent)))
        if isinstance(about.get("properties"), dict) and key not in WHOLE:
            yield f"{indent}{key}:"
            yield from _section(about, default, depth + 1)
        else:
            yield from _leaf(key, default, indent)


def _leaf(key: str, default: Any, indent: str) -> Iterator[str]:
    if isinstance(default, dict) and default:
        yield f"{indent}{key}:"
        text = yaml.safe_dump(default, sort_keys=False, default_flow_style=None, width=1000)
        yield from (f"{indent}  {line}" for line in text.splitlines())
    else:
        text = yaml.safe_dump(default, default_flow_style=True, width=1000).strip()
        yield f"{indent}{key}: {text.removesuffix('...').strip()}"


def table(whole: Mapping[str, Any]) -> str:
    """Markdown table of all values."""
    rows = [
        f"| `{key}` | `{_short(default)}` | {meaning} |" for key, default, meaning in _rows(whole, "", None)
    ]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows])


def _rows(whole: Mapping[str, Any], at: str, given: Any) -> Iterator[tuple[str, Any, str]]:
    for key, about in whole["properties"].items():
        if not at and key == "global":
            continue
        default = given[key] if given and key in given else about.get("default")
        if isinstance(about.get("properties"), dict) and key not in ("resources",):
            yield from _rows(about, f"{at}{key}.", default)
        else:
            yield f"{at}{key}", default, about["description"].replace("|", "\\|")


def _short(default: Any) -> str:
    return json.dumps(default).replace("|", "\\|")


def readme(whole: Mapping[str, Any]) -> str:
    """Text of the README with the table put in anew."""
    before, _, rest = README.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table(whole)}\n\n{END}{rest.partition(END)[2]}"


def pages() -> dict[Path, str]:
    """Every file that is written here, and its text."""
    whole = schema()
    return {
        VALUES: values(whole),
        SCHEMA: json.dumps(whole, indent=1) + "\n",
        README: readme(whole),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
