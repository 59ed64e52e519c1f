"""The API server of the model: what helm and kubectl ask of one, over HTTP, JSON only."""

from __future__ import annotations

import base64
import copy
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import kubernetes_validate
import yaml
from aiohttp import web

from tests.k8s.discovery import discover, openapi
from tests.k8s.objects import BY_PLURAL, Cluster, Key, Kind, Object, key_of, selected
from tests.k8s.patches import merged, strategically_merged
from tests.k8s.protobuf import PROTOBUF, object_of

KEPT = ("uid", "creationTimestamp", "name", "namespace", "generation")
"""Metadata that no client changes."""
LogOf = Callable[[Object], str]


class Asked(NamedTuple):
    """What a request is about."""

    kind: Kind
    namespace: str | None
    name: str | None
    subresource: str | None

    @property
    def key(self) -> Key:
        return self.namespace, self.name or ""


class Refused(Exception):
    """A request that the server does not do."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason

    def response(self) -> web.Response:
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return web.json_response(
            body | {"message": str(self), "reason": self.reason, "code": self.code}, status=self.code
        )


class ApiServer:
    """Serve the objects of a cluster.

    Parameters
    ----------
    cluster
        The objects.
    log_of
        Pod to what it has printed.
    version
        Version of Kubernetes to claim, such as ``1.34``; objects are checked against its schemas.
    """

    def __init__(self, cluster: Cluster, log_of: LogOf, version: str) -> None:
        self.cluster, self.log_of, self.version = cluster, log_of, version

    async def serve(self, port: int) -> web.AppRunner:
        """Listen on loopback."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{rest:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    async def handle(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        try:
            if parts[0] in ("healthz", "livez", "readyz"):
                return web.Response(text="ok")
            if parts[0] == "openapi":
                return web.json_response(openapi(parts))
            about = discover(parts, self.version)
            if about is not None:
                return web.json_response(about)
            asked = _asked(parts)
            return await self._verbs(asked)[request.method](request, asked)
        except Refused as refusal:
            return refusal.response()
        except KeyError as missing:
            return Refused(404, "NotFound", f"nothing at {request.path}: {missing}").response()

    def _verbs(
        self, asked: Asked
    ) -> dict[str, Callable[[web.Request, Asked], Awaitable[web.StreamResponse]]]:
        if asked.name is None:
            return {"GET": self._list, "POST": self._create}
        return {"GET": self._read, "PUT": self._change, "PATCH": self._change, "DELETE": self._delete}

    def _object(self, asked: Asked) -> Object:
        try:
            return self.cluster.objects[asked.kind.plural][asked.key]
        except KeyError:
            raise Refused(404, "NotFound", f'{asked.kind.plural} "{asked.name}" not found') from None

    async def _list(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request, asked)
        found = [_shown(asked.kind, one) for one in self._selected(request, asked)]
        meta = {"resourceVersion": str(self.cluster.version)}
        kind = {"kind": f"{asked.kind.kind}List", "apiVersion": asked.kind.api_version}
        return web.json_response(kind | {"metadata": meta, "items": found})

    def _selected(self, request: web.Request, asked: Asked) -> list[Object]:
        found = list(self.cluster.objects[asked.kind.plural].values())
        return [one for one in found if _meets(request, asked, one)]

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        with suppress(ConnectionError):
            await self._send_changes(request, asked, stream)
        return stream

    async def _send_changes(self, request: web.Request, asked: Asked, stream: web.StreamResponse) -> None:
        async def send(change: str, one: Object) -> None:
            if change == "BOOKMARK" or _meets(request, asked, one):
                line = json.dumps({"type": change, "object": _shown(asked.kind, one)})
                await stream.write(line.encode() + b"\n")

        seen = int(request.query.get("resourceVersion") or 0)
        end = time.monotonic() + float(request.query.get("timeoutSeconds") or 3600)
        if not seen:
            seen = self.cluster.version
            for one in self._selected(request, asked):
                await send("ADDED", one)
            if request.query.get("sendInitialEvents") == "true":
                notes = {"k8s.io/initial-events-end": "true"}
                await send("BOOKMARK", {"metadata": {"resourceVersion": str(seen), "annotations": notes}})
        while time.monotonic() < end:
            for version, change, one in await self.cluster.next(asked.kind.plural, seen, end):
                seen = version
                await send(change, one)

    async def _create(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        return await self._add(asked, await _body(request), request)

    async def _add(self, asked: Asked, one: Object, request: web.Request) -> web.StreamResponse:
        plural, meta = asked.kind.plural, one.setdefault("metadata", {})
        if asked.namespace and (None, asked.namespace) not in self.cluster.objects["namespaces"]:
            raise Refused(404, "NotFound", f'namespaces "{asked.namespace}" not found')
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        if asked.namespace:
            meta["namespace"] = asked.namespace
        named: Object = {"apiVersion": asked.kind.api_version, "kind": asked.kind.kind}
        one = named | one
        self._check(one)
        if key_of(one) in self.cluster.objects[plural]:
            raise Refused(409, "AlreadyExists", f'{plural} "{meta["name"]}" already exists')
        _complete(one)
        if plural == "services" and not one["spec"].get("clusterIP"):
            one["spec"] |= {
                "clusterIP": f"10.96.{self.cluster.version // 250 % 250}.{self.cluster.version % 250 + 1}"
            }
        if "dryRun" not in request.query:
            one = await self.cluster.add(plural, one)
        return web.json_response(_shown(asked.kind, one), status=201)

    def _check(self, one: Object) -> None:
        try:
            kubernetes_validate.validate(
                {k: v for k, v in one.items() if k != "status"}, self.version, strict=True
            )
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.path))
            name = one["metadata"]["name"]
            raise Refused(
                422, "Invalid", f'{one["kind"]} "{name}" is invalid: {where}: {error.message}'
            ) from None

    async def _read(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        one = self._object(asked)
        if asked.subresource == "log":
            return web.Response(text=self.log_of(one))
        if asked.subresource == "scale":
            return web.json_response(_scale(one))
        return web.json_response(_shown(asked.kind, one))

    async def _delete(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        one = self._object(asked)
        if "dryRun" not in request.query:
            await self.cluster.remove(asked.kind.plural, asked.key)
        return web.json_response(_shown(asked.kind, one))

    async def _change(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        body, content = await _body(request), request.headers.get("Content-Type", "")
        if "apply" in content and asked.key not in self.cluster.objects[asked.kind.plural]:
            return await self._add(asked, body, request)
        old = self._object(asked)
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if request.method == "PUT" and wanted not in (None, "", old["metadata"]["resourceVersion"]):
            raise Refused(
                409, "Conflict", "the object has been modified; apply your changes to the latest version"
            )
        new = _changed(old, body, asked, content if request.method == "PATCH" else "put")
        new["metadata"] |= {key: old["metadata"][key] for key in KEPT if key in old["metadata"]}
        if asked.subresource != "status":
            self._check(new)
            _complete(new)
        if new.get("spec") != old.get("spec"):
            if asked.kind.plural == "jobs" and new["spec"]["template"] != old["spec"]["template"]:
                raise Refused(
                    422, "Invalid", f'Job "{asked.name}" is invalid: spec.template: field is immutable'
                )
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if _without_version(new) != _without_version(old) and "dryRun" not in request.query:
            await self.cluster.replace(asked.kind.plural, new)
        return web.json_response(_scale(new) if asked.subresource == "scale" else _shown(asked.kind, new))


def _asked(parts: list[str]) -> Asked:
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = BY_PLURAL[rest[0]]
    if (kind.group, kind.version) != (group, version):
        raise Refused(404, "NotFound", "the server could not find the requested resource")
    return Asked(kind, namespace, *[*rest[1:], None, None][:2])


async def _body(request: web.Request) -> Any:
    raw, content = await request.read(), request.headers.get("Content-Type", "")
    if PROTOBUF in content:
        return object_of(raw)
    if "json-patch" in content:
        raise Refused(415, "UnsupportedMediaType", "the model knows merge patches and apply, no JSON patches")
    return (yaml.safe_load(raw) if "yaml" in content else json.loads(raw)) or {}


def _changed(old: Object, body: Object, asked: Asked, content: str) -> Object:
    new = copy.deepcopy(old)
    if asked.subresource == "scale":
        new["spec"]["replicas"] = body["spec"]["replicas"]
        return new
    if content == "put":
        result: Object = copy.deepcopy(body)
    elif "apply" in content:
        result = _applied(new, body)
    else:
        result = (strategically_merged if "strategic" in content else merged)(new, body)
    if asked.subresource == "status":
        return {**new, "status": result.get("status")}
    return result | ({"status": old["status"]} if "status" in old else {})


def _applied(old: Object, body: Object) -> Object:
    """Apply on the server for a client that owns all fields: what it leaves out goes."""
    result = copy.deepcopy(body)
    if old["kind"] == "Service":
        result["spec"].setdefault("clusterIP", old["spec"]["clusterIP"])
    return result


def _complete(one: Object) -> None:
    """Do to a Secret what the server does: text becomes base64."""
    if one["kind"] == "Secret" and one.get("stringData"):
        coded = {k: base64.b64encode(v.encode()).decode() for k, v in one.pop("stringData").items()}
        one["data"] = (one.get("data") or {}) | coded
    if one["kind"] == "Namespace":
        one["status"] = {"phase": "Active"}


def _meets(request: web.Request, asked: Asked, one: Object) -> bool:
    query, meta = request.query, one["metadata"]
    if asked.namespace is not None and meta.get("namespace") != asked.namespace:
        return False
    return selected(one, query.get("labelSelector", ""), query.get("fieldSelector", ""))


def _shown(kind: Kind, one: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind} | {
        key: value
        for key, value in one.items()
        if not key.startswith("_") and key not in ("apiVersion", "kind")
    }


def _scale(one: Object) -> Object:
    counts = {
        "spec": {"replicas": one["spec"].get("replicas", 1)},
        "status": {"replicas": (one.get("status") or {}).get("replicas", 0)},
    }
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": one["metadata"]} | counts


def _without_version(one: Object) -> Object:
    return {
        **one,
        "metadata": {
            k: v for k, v in one["metadata"].items() if k not in ("resourceVersion", "managedFields")
        },
    }
