"""A text that must not be seen: in no log, message, pickle or graph."""

from __future__ import annotations

import hmac
from typing import NoReturn, Self


class Secret:
    """A text that shows only when asked by `reveal`, and that cannot be pickled."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Give the text itself; never to a log, a message or a task."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __format__(self, spec: str) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__text.encode(), other.__text.encode())

    def __hash__(self) -> int:
        return hash(self.__text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials do not travel: they may not be pickled, stored or put into a Dask graph")

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce_ex__(None)
