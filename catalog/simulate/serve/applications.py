"""Which answer belongs to which address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from glaciolake.catalog.simulate.serve.bare import COLLECTIONS, bare_item
from glaciolake.catalog.simulate.serve.cmr import PATH as SEARCH_PATH
from glaciolake.catalog.simulate.serve.cmr import RECORD_PATH, Repository
from glaciolake.catalog.simulate.serve.faults import host_of
from glaciolake.catalog.simulate.serve.holdings import Product
from glaciolake.catalog.simulate.serve.hosts import (
    AUTH_HOST,
    DATA_HOST,
    LOGIN_HOST,
    SEARCH_HOST,
    SIGNED_HOST,
    data_url,
)
from glaciolake.catalog.simulate.serve.stac_api import Dress, stac_application

if TYPE_CHECKING:
    from glaciolake.catalog.simulate.serve.server import Served

Answer = Callable[[Request], Awaitable[Response]]
_BARE_STAC = "/stac/ASF"


def plain_application(archive: Served) -> ASGIApp:
    """Make what the plain port answers: two STAC APIs, and the files as a mirror open to all."""

    def mirrored(product: Product, file: str) -> str:
        return f"http://127.0.0.1:{archive.port}/files/{file}"

    at_archive = Dress({"opera": "opera"}, lambda product: _complete(product, _at_archive))
    on_mirror = Dress({"opera": "opera"}, lambda product: _complete(product, mirrored))
    apis = {
        "/stac": stac_application(archive.holdings, at_archive),
        "/mirror": stac_application(archive.holdings, on_mirror),
    }

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        for prefix, api in apis.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                archive.requests["stac"] += 1
                await api(_mounted(scope, prefix), receive, send)
                return
        if path.startswith("/files/"):
            archive.requests["files"] += 1
            await _answered(archive.files.plain, scope, receive, send)
            return
        about = {
            "stac": archive.stac_url,
            "mirror": archive.mirror_url,
            "granules": len(archive.holdings.products),
        }
        answer = JSONResponse(about) if path == "/" else PlainTextResponse("no such page", 404)
        await answer(scope, receive, send)

    return application


def hosts_application(archive: Served) -> ASGIApp:
    """Make what the archive's hosts answer."""
    repository = Repository(archive.holdings)
    bare = stac_application(archive.holdings, Dress(COLLECTIONS, bare_item))
    answers: dict[str, tuple[str, Answer]] = {
        DATA_HOST: ("data", archive.files.data),
        SIGNED_HOST: ("signed", archive.files.signed),
        LOGIN_HOST: ("login", archive.files.logins.answer),
        AUTH_HOST: ("login", archive.files.logins.at_auth),
    }

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        host, path = host_of(scope), scope["path"]
        if host in answers:
            kind, answer = answers[host]
            archive.requests[kind] += 1
            await _answered(answer, scope, receive, send)
        elif host == SEARCH_HOST and path == SEARCH_PATH:
            archive.requests["search"] += 1
            await _answered(repository.answer, scope, receive, send)
        elif host == SEARCH_HOST and path.startswith(RECORD_PATH):
            archive.requests["search"] += 1
            await _answered(repository.record, scope, receive, send)
        elif host == SEARCH_HOST and (path == _BARE_STAC or path.startswith(f"{_BARE_STAC}/")):
            archive.requests["stac"] += 1
            await bare(_mounted(scope, _BARE_STAC), receive, send)
        else:
            await PlainTextResponse("no such page", 404)(scope, receive, send)

    return application


def _at_archive(product: Product, file: str) -> str:
    return data_url(product.name, file)


def _complete(product: Product, place: Callable[[Product, str], str]) -> dict[str, Any]:
    """Item as the folder's catalogue has it, its files at another place."""
    assert product.item is not None
    item = product.item()
    for asset in item["assets"].values():
        asset["href"] = place(product, str(asset["href"]).rpartition("/")[2])
    return item | {"collection": "opera"}


def _mounted(scope: Scope, prefix: str) -> Scope:
    """Request as an application under a prefix sees it."""
    path = scope["path"] if len(scope["path"]) > len(prefix) else f"{prefix}/"
    return {**scope, "path": path, "root_path": prefix}


async def _answered(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    response = await answer(Request(scope, receive))
    await response(scope, receive, send)
