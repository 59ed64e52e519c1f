"""Kernels that numba compiles on their first call, once a process, and keeps on disk where it may."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from numba import njit
from numba.extending import register_jitable

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


def jittable(function: F) -> F:
    """Let kernels call `function`; nothing is compiled and Python may still call it."""
    register_jitable(function)
    return function


class Kernel:
    """A function that is compiled for one signature when it is first called.

    One signature means one compilation whatever arrays arrive (read-only ones from a scheduler
    included), and none of it happens at import.

    Parameters
    ----------
    function
        What to compile. It must not use the interpreter, for the lock on it is released.
    signature
        Numba signature.
    options
        Further options of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], signature: Any, **options: Any) -> None:
        self._function = function
        self._signature = signature
        self._options = {"nogil": True, "error_model": "numpy", **options}
        self._compiled: Callable[..., Any] | None = None
        self._lock = Lock()

    def __call__(self, *arguments: Any) -> Any:
        """Call the compiled function; the first call compiles or loads it."""
        if self._compiled is None:
            with self._lock:
                if self._compiled is None:
                    self._compiled = self._compile()
        return self._compiled(*arguments)

    def _compile(self) -> Callable[..., Any]:
        """Take it from numba's cache, else compile; an unwritable or full disk costs time, not the run."""
        try:
            return self._jit(cache=True)
        except (RuntimeError, OSError) as error:
            logger.info("kernel %s is not cached: %s", self._function.__name__, error)
            return self._jit(cache=False)

    def _jit(self, *, cache: bool) -> Callable[..., Any]:
        compiled: Callable[..., Any] = njit([self._signature], cache=cache, **self._options)(self._function)
        return compiled
