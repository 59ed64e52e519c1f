"""How the Common Metadata Repository's parameters are written: names, lists, options.

After NASA's own open source, whose messages are used where they fit. What a parameter means is in `terms`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"(?P<name>[A-Za-z][A-Za-z_-]*)(?P<many>\[\])?")
_OPTION = re.compile(r"options\[(?P<name>[A-Za-z_-]+)\]\[(?P<option>[A-Za-z_-]+)\]")
_ALIASES = {"echo_collection_id": "concept_id", "echo_granule_id": "concept_id", "provider_id": "provider"}
_TEXT = frozenset({"pattern", "ignore_case"})
_OPTIONS: dict[str, frozenset[str]] = {
    "attribute": frozenset({"or"}),
    "bounding_box": frozenset({"or"}),
    "collection_concept_id": frozenset(),
    "concept_id": frozenset(),
    "granule_ur": _TEXT,
    "instrument": _TEXT | {"and"},
    "line": frozenset({"or"}),
    "orbit_number": frozenset(),
    "page_size": frozenset(),
    "platform": _TEXT | {"and"},
    "point": frozenset({"or"}),
    "polygon": frozenset({"or"}),
    "producer_granule_id": _TEXT,
    "provider": _TEXT,
    "readable_granule_name": _TEXT | {"and"},
    "short_name": _TEXT | {"and"},
    "sort_key": frozenset(),
    "temporal": frozenset({"and", "or"}),
    "updated_since": frozenset(),
}
"""Parameters that are played -> their options that are."""
_ONE_VALUE = ("orbit_number", "page_size", "updated_since")
_NOT_PLAYED = frozenset(
    {
        *("browsable", "circle", "cloud_cover", "collection_data_type", "created_at", "cycle", "data_center"),
        *("day_night", "downloadable", "entry_title", "equator_crossing_date", "equator_crossing_longitude"),
        *("exclude", "native_id", "offset", "page_num", "passes", "pretty", "production_date", "project"),
        *("revision_date", "sensor", "shapefile", "temporal_facet", "token", "two_d_coordinate_system"),
        "version",
    }
)
"""Parameters that the real repository knows, and this one does not."""


class BadQuestion(ValueError):
    """A parameter that cannot be understood, or that this repository does not search by."""


@dataclass(frozen=True)
class Told:
    """Parameters of one search.

    Attributes
    ----------
    values
        Name -> its values, none of them empty.
    options
        (name, option) -> whether it is set.
    """

    values: Mapping[str, list[str]]
    options: Mapping[tuple[str, str], bool]

    def all(self, name: str) -> list[str]:
        """Values of a parameter."""
        return self.values.get(name, [])

    def has(self, name: str, option: str, otherwise: bool = False) -> bool:
        """Whether an option of a parameter is set."""
        return self.options.get((name, option), otherwise)


def read(pairs: Iterable[tuple[str, str]]) -> Told:
    """Read keys and values.

    Raises
    ------
    BadQuestion
        Where one is not understood: to ignore it would look like an answer.
    """
    values: dict[str, list[str]] = defaultdict(list)
    options: dict[tuple[str, str], bool] = {}
    spellings: dict[str, bool] = {}
    for key, value in pairs:
        if match := _OPTION.fullmatch(key):
            name, option = _snake(match["name"]), _snake(match["option"])
            options[_ALIASES.get(name, name), option] = _option(name, option, value)
            continue
        match = _NAME.fullmatch(key)
        name = _known(_snake(match["name"]) if match else key)
        many = bool(match and match["many"])
        if spellings.setdefault(name, many) != many:
            raise BadQuestion(f"Parameter [{name}] may be either single valued or multivalued, but not both.")
        if value.strip():
            values[name].append(value)
    _check(values, spellings)
    return Told(values, options)


def _snake(text: str) -> str:
    """Spelling of a name that may be written ``shortName`` or ``short-name`` as well."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).replace("-", "_").lower()


def _known(name: str) -> str:
    if name in _NOT_PLAYED:
        raise BadQuestion(f"the simulated repository does not search by [{name}]")
    if _ALIASES.get(name, name) not in _OPTIONS:
        raise BadQuestion(f"Parameter [{name}] was not recognized.")
    return _ALIASES.get(name, name)


def _option(name: str, option: str, value: str) -> bool:
    known = _OPTIONS.get(_ALIASES.get(name, name))
    if known is None:
        raise BadQuestion(f"Parameter [{name}] with option was not recognized.")
    if option not in known:
        raise BadQuestion(f"Option [{option}] is not supported for param [{name}]")
    if value not in ("true", "false"):
        raise BadQuestion(f"Option [{option}] of param [{name}] must be true or false, but was [{value}]")
    return value == "true"


def _check(values: Mapping[str, list[str]], spellings: Mapping[str, bool]) -> None:
    for name in _ONE_VALUE:
        if spellings.get(name) or len(values.get(name, [])) > 1:
            raise BadQuestion(f"Parameter [{name}] must have a single value.")
    if spellings.get("attribute") is False:
        raise BadQuestion("'attribute' is not a valid parameter. You must use 'attribute[]'.")
