"""Secrets and ConfigMaps as Kubernetes' own clients send them: protobuf, no schema needed for these two."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable
from typing import Any

PROTOBUF = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
META_FIELDS = {1: "name", 2: "generateName", 3: "namespace", 5: "uid", 6: "resourceVersion"}
LABELS, ANNOTATIONS = 11, 12
Fields = dict[int, list[Any]]


def object_of(raw: bytes) -> dict[str, Any]:
    """Read a Secret or a ConfigMap in its envelope; of options of a deletion nothing is used.

    Raises
    ------
    NotImplementedError
        Another kind came.
    """
    if not raw.startswith(MAGIC):
        raise ValueError(f"no Kubernetes protobuf, begins with {raw[:4]!r}")
    envelope = _fields(raw[len(MAGIC) :])
    kind = _fields(envelope[1][0])[2][0].decode()
    if kind == "DeleteOptions":
        return {}
    if kind not in ("ConfigMap", "Secret"):
        raise NotImplementedError(f"{kind} as protobuf; teach tests/k8s/protobuf.py its fields")
    body = _fields(envelope[2][0])
    result: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": _metadata(_fields(body[1][0]))}
    if kind == "ConfigMap":
        return result | {"data": _mapping(body[2], bytes.decode)}
    result["data"] = _mapping(body[2], lambda value: base64.b64encode(value).decode())
    return result | ({"type": body[3][0].decode()} if body[3] else {})


def _metadata(fields: Fields) -> dict[str, Any]:
    meta: dict[str, Any] = {
        name: fields[number][0].decode()
        for number, name in META_FIELDS.items()
        if fields[number] and fields[number][0]
    }
    for number, name in ((LABELS, "labels"), (ANNOTATIONS, "annotations")):
        if fields[number]:
            meta[name] = _mapping(fields[number], bytes.decode)
    return meta


def _mapping(entries: list[bytes], convert: Callable[[bytes], str]) -> dict[str, str]:
    pairs = [_fields(one) for one in entries]
    return {pair[1][0].decode(): convert((pair[2] or [b""])[0]) for pair in pairs}


def _fields(raw: bytes) -> Fields:
    """Numbers of the fields of a message to their values."""
    found: Fields = defaultdict(list)
    at = 0
    while at < len(raw):
        tag, at = _number(raw, at)
        wire = tag & 7
        if wire == 0:
            value: Any
            value, at = _number(raw, at)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, at = _number(raw, at)
            value, at = raw[at : at + size], at + size
        found[tag >> 3].append(value)
    return found


def _number(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = raw[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
