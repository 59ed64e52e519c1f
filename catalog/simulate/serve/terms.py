"""What the parameters of a search mean: times, names, attributes; `places` has the places.

As the real repository has it: names are compared without regard to case unless an option forbids it; values
of one text parameter are alternatives; places and attributes have to be met all, unless
``options[...][or]`` is set; times are alternatives, unless ``options[temporal][and]`` is, which asf_search
always sends. Other than there, edges of places are straight in degrees, and attributes are searched by that
the records have: a search by one that they lack is refused, since the collection, which is not played, may
have it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.names import Family, canonical_burst
from glaciolake.catalog.simulate.serve.grammar import BadQuestion, Told
from glaciolake.catalog.simulate.serve.holdings import Asked, Product, Span
from glaciolake.catalog.simulate.serve.places import areas
from glaciolake.catalog.simulate.serve.umm import (
    ATTRIBUTES,
    COLLECTION_IDS,
    INSTRUMENT,
    PROVIDER,
    SHORT_NAMES,
    concept_id,
    orbit,
    platform,
    revised,
)

Test = Callable[[Product], bool]
_TEXTS: dict[str, Callable[[Product], str]] = {
    "granule_ur": lambda product: product.name.granule,
    "instrument": lambda product: INSTRUMENT,
    "platform": platform,
    "producer_granule_id": lambda product: product.name.granule,
    "readable_granule_name": lambda product: product.name.granule,
}
_OF_A_FAMILY: dict[str, Callable[[Family], str]] = {
    "provider": lambda family: PROVIDER,
    "short_name": lambda family: SHORT_NAMES[family],
}
_UNSURE = "VALIDITY_START_DATE"  # no recorded reply says of which type it is
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_YEARS = (2000, 2100)
"""Before and after which no Sentinel-1 flies: seasons of other years are not laid out one by one."""


def asked(told: Told) -> Asked:
    """Understand what is searched for.

    Raises
    ------
    BadQuestion
        Where a value makes no sense.
    """
    tests = (*_texts(told), *_concepts(told), *_orbits(told), *_since(told), *_attributes(told))
    return Asked(
        families=_families(told),
        areas=tuple(areas(told)),
        times=tuple(_times(told)),
        lasting=True,
        bursts=tuple(_bursts(told)),
        tests=tests,
    )


def matcher(told: Told, name: str) -> Callable[[str], bool]:
    """Test of a text against the values of one parameter, by its options."""
    ignore = told.has(name, "ignore_case", otherwise=True)
    pattern = told.has(name, "pattern")

    def compiled(value: str) -> re.Pattern[str]:
        # only the star and the question mark are wild; fnmatch takes care not to try for ever
        text = fnmatch.translate(value.replace("[", "[[]")) if pattern else f"{re.escape(value)}\\Z"
        return re.compile(text, re.IGNORECASE if ignore else 0)

    wanted = [compiled(value) for value in told.all(name)]
    together = all if told.has(name, "and") else any
    return lambda text: together(one.match(text) for one in wanted)


def _families(told: Told) -> tuple[Family, ...]:
    found = list(SHORT_NAMES)
    for name, text in _OF_A_FAMILY.items():
        if told.all(name):
            fits = matcher(told, name)
            found = [family for family in found if fits(text(family))]
    if ids := told.all("collection_concept_id"):
        found = [family for family in found if COLLECTION_IDS[family] in ids]
    if ids := [one for one in told.all("concept_id") if one.startswith("C")]:
        found = [family for family in found if COLLECTION_IDS[family] in ids]
    return tuple(found)


def _texts(told: Told) -> Iterator[Test]:
    for name, text in _TEXTS.items():
        if told.all(name):
            yield _text_test(matcher(told, name), text)


def _text_test(fits: Callable[[str], bool], text: Callable[[Product], str]) -> Test:
    return lambda product: fits(text(product))


def _concepts(told: Told) -> Iterator[Test]:
    ids = told.all("concept_id")
    for one in (*ids, *told.all("collection_concept_id")):
        if not re.fullmatch(r"[CG]\d+-\w+", one, re.ASCII):
            raise BadQuestion(f"Concept-id [{one}] is not valid.")
    if granules := frozenset(one for one in ids if one.startswith("G")):
        yield lambda product: concept_id(product) in granules


def _orbits(told: Told) -> Iterator[Test]:
    if texts := told.all("orbit_number"):
        first, last = _range(texts[0].split(","), f"orbit_number [{texts[0]}]")
        yield lambda product: first <= orbit(product) <= last


def _range(parts: list[str], what: str) -> tuple[float, float]:
    """One number, or the first and the last; either of these may be missing."""
    parts = [part.strip() for part in parts]
    if len(parts) > 2 or not any(parts) or not all(_WHOLE.fullmatch(part) for part in parts if part):
        raise BadQuestion(f"{what} is neither a whole number nor a range of two")
    first = int(parts[0]) if parts[0] else float("-inf")
    return first, int(parts[-1]) if parts[-1] else float("inf")


def _since(told: Told) -> Iterator[Test]:
    moment = _moment("".join(told.all("updated_since")), "updated_since")
    if moment is not None:
        yield lambda product: revised(product) >= moment


def _attributes(told: Told) -> Iterator[Test]:
    tests = [_attribute(text) for text in told.all("attribute")]
    if told.has("attribute", "or") and tests:
        yield lambda product: any(test(product) for test in tests)
    else:
        yield from tests


def _bursts(told: Told) -> list[str]:
    """Burst that is asked for by its attribute, whose test alone would look at every product."""
    prefix = "string,OPERA_BURST_ID,"
    found = [text.removeprefix(prefix) for text in told.all("attribute") if text.startswith(prefix)]
    if told.has("attribute", "or") or not found:
        return []
    try:
        return [canonical_burst(found[0])]
    except UnknownName:
        return []


def _attribute(text: str) -> Test:
    """Understand one ``type,NAME,value`` or ``type,NAME,first,last``."""
    kind, name, *parts = (*text.split(","), "", "")[: max(2, text.count(",") + 1)]
    if name not in ATTRIBUTES or name == _UNSURE:
        raise BadQuestion(f"the simulated repository does not search by attribute [{name}]")
    if not 1 <= len(parts) <= 2:
        words = 'Format is "type,name,value" or "type,name,min,max".'
        raise BadQuestion(f"Invalid number of additional attribute parts. {words}")
    wanted = "int" if name == "PATH_NUMBER" else "string"
    if kind != wanted:
        raise BadQuestion(f"[{kind}] is an invalid type; the values of [{name}] are of type [{wanted}]")
    values = ATTRIBUTES[name]
    if wanted == "int":
        first, last = _range(parts, f"[{','.join(parts)}] of attribute [{name}]")
        return lambda product: any(first <= int(value) <= last for value in values(product))
    if len(parts) > 1 or not parts[0]:
        raise BadQuestion(f"[{','.join(parts)}] is an invalid value for type [string]")
    value = parts[0].lower()
    return lambda product: any(value == one.lower() for one in values(product))


def _times(told: Told) -> Iterator[tuple[Span, ...]]:
    found = [_spans(text) for text in told.all("temporal")]
    if told.has("temporal", "and"):
        yield from found
    elif found:
        yield tuple(span for spans in found for span in spans)


def _spans(text: str) -> tuple[Span, ...]:
    """Understand one ``start,end`` or ``start,end,first day,last day``; any of these may be missing."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 4:
        raise BadQuestion(f"temporal [{text}] has more parts than start, end, first and last day of the year")
    start_text, end_text, first_text, last_text = (*parts, "", "", "")[:4]
    start, end = _moment(start_text, "temporal start"), _moment(end_text, "temporal end")
    if start and end and start > end:
        raise BadQuestion(f"start_date [{start_text}] must be before end_date [{end_text}]")
    first, last = _day(first_text, "temporal_start_day"), _day(last_text, "temporal_end_day")
    if first is None and last is None:
        return ((start, end),)
    if start is None and end is None:
        raise BadQuestion(
            "At least temporal_start or temporal_end must be supplied for each temporal condition."
        )
    return tuple(_seasons((start, end), first or 1, last))


def _seasons(span: Span, first: int, last: int | None) -> Iterator[Span]:
    """Lay a season out over the years; its last day counts by its first moment only, as in reality."""
    begin = max(span[0] or _new_year(_YEARS[0]), _new_year(_YEARS[0]))
    end = min(span[1] or datetime.now(UTC), _new_year(_YEARS[1]))
    for year in range(begin.year, end.year + 1):
        start = max(_new_year(year) + timedelta(days=first - 1), begin)
        if last is None:
            stop = _new_year(year + 1) - timedelta(seconds=1)
        else:
            stop = _new_year(year + (last < first)) + timedelta(days=last - 1)
        if start <= min(stop, end):
            yield start, min(stop, end)


def _new_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def _day(text: str, name: str) -> int | None:
    if not text:
        return None
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= 366:
        raise BadQuestion(f"{name} [{text}] must be an integer between 1 and 366")
    return int(text)


def _moment(text: str, name: str) -> datetime | None:
    text = text.strip()
    if not text:
        return None
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise BadQuestion(f"{name} datetime is invalid: [{text}] is not a valid datetime.") from None
