"""The ways in which a Kubernetes client changes an object."""

from __future__ import annotations

import copy
from typing import Any

MERGE_KEYS = ("name", "mountPath", "containerPort", "port", "uid")
"""Fields by which a strategic merge tells the entries of a list apart, the first that all entries have."""


def merged(old: Any, patch: Any) -> Any:
    """Apply a merge patch, RFC 7396: null removes, lists are replaced."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def strategically_merged(old: Any, patch: Any) -> Any:
    """Apply a strategic merge patch: lists of named entries are merged by name."""
    if isinstance(patch, list):
        return _merged_list(old if isinstance(old, list) else [], patch)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = strategically_merged(result.get(key), value)
    return result


def _merged_list(old: list[Any], patch: list[Any]) -> list[Any]:
    entries = [*old, *patch]
    keys = [key for key in MERGE_KEYS if all(isinstance(one, dict) and key in one for one in entries)]
    if not patch or not keys:
        return patch
    key, result = keys[0], copy.deepcopy(old)
    for entry in patch:
        at = next((i for i, one in enumerate(result) if one[key] == entry[key]), None)
        if entry.get("$patch") == "delete":
            if at is not None:
                result.pop(at)
        elif at is None:
            result.append(entry)
        else:
            result[at] = strategically_merged(result[at], entry)
    return result
