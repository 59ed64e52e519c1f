"""What the API server says of itself: versions, groups, kinds."""

from __future__ import annotations

from typing import Any

from tests.k8s.objects import KINDS, Kind

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def discover(parts: list[str], version: str) -> dict[str, Any] | None:
    """Answer to a path that asks about the server; None for any other path."""
    if parts == ["version"]:
        major, minor = version.split(".")
        return {"major": major, "minor": minor, "gitVersion": f"v{version}.0", "platform": "linux/amd64"}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        groups = sorted({one.group for one in KINDS if one.group})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(one) for one in groups]}
    if parts[0] == "apis" and len(parts) == 2:
        return {"kind": "APIGroup", "apiVersion": "v1"} | _group(parts[1])
    if len(parts) == (2 if parts[0] == "api" else 3):
        group, number = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        found = [entry for one in _of(group, number) for entry in _resources(one)]
        named = f"{group}/{number}" if group else number
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": named, "resources": found}
    return None


def openapi(parts: list[str]) -> dict[str, Any]:
    """OpenAPI v3: the index, or that kinds may be patched; no schemas, objects are checked when they come."""
    if len(parts) == 2:
        places = {f"apis/{one.api_version}" if one.group else f"api/{one.version}" for one in KINDS}
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in sorted(places)}}
    group, number = ("", parts[3]) if parts[2] == "api" else (parts[3], parts[4])
    root = "/" + "/".join(parts[2:])
    options = [
        {"name": one, "in": "query", "schema": {"type": "string"}} for one in ("fieldValidation", "dryRun")
    ]
    paths = {}
    for one in _of(group, number):
        named = {"group": group, "version": number, "kind": one.kind}
        patch = {"responses": {}, "parameters": options, "x-kubernetes-group-version-kind": named}
        inside = "/namespaces/{namespace}" if one.namespaced else ""
        paths[f"{root}{inside}/{one.plural}/{{name}}"] = {"patch": patch}
    info = {"title": "Kubernetes", "version": number}
    return {"openapi": "3.0.0", "info": info, "components": {"schemas": {}}, "paths": paths}


def _of(group: str, number: str) -> list[Kind]:
    found = [one for one in KINDS if (one.group, one.version) == (group, number)]
    if not found:
        raise KeyError(f"{group}/{number}")
    return found


def _group(name: str) -> dict[str, Any]:
    versions = sorted({one.version for one in KINDS if one.group == name})
    if not versions:
        raise KeyError(name)
    served = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def _resources(one: Kind) -> list[dict[str, Any]]:
    about = {"singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
    whole = {"name": one.plural, "verbs": VERBS, "shortNames": list(one.short)} | about
    parts = [
        {"name": f"{one.plural}/{sub}", "verbs": ["get", "patch", "update"]} | about
        for sub in one.subresources
    ]
    return [whole, *parts]
