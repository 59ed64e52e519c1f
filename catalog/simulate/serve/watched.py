"""Errors of the server itself, which a program under test would take for the archive's."""

from __future__ import annotations

import logging
from collections.abc import Callable

from stac_fastapi.types.errors import InvalidQueryParameter, NotFoundError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class Watched:
    """An application whose own errors are counted, and logged with their traceback where they have one.

    Parameters
    ----------
    app
        What answers.
    count
        Called once for each answer 5xx and each error.
    """

    def __init__(self, app: ASGIApp, count: Callable[[], None]) -> None:
        self._app, self._count = app, count
        logging.getLogger("stac_fastapi.api.errors").addFilter(_is_no_refusal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status = 0
        error: Exception | None = None

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as caught:
            error = caught
            raise
        finally:
            if status >= 500 or error is not None:
                self._count()
                asked = f"{scope.get('method')} {scope.get('path')}"
                logger.error("the simulated archive failed to answer %s", asked, exc_info=error)


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """Leave out what stac-fastapi logs of questions that it answers with 400 or 404: they are no errors."""
    return not isinstance(record.msg, NotFoundError | InvalidQueryParameter)
