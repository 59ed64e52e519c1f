"""Run another command inside ours: which signal reaches whom, and the exit code that tells how it ended."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

GRACE_S = 10.0
"""Time that a command has to end after SIGTERM, before it is killed."""
CANNOT_RUN, NOT_FOUND = 126, 127
"""Exit codes of env and timeout for a command that cannot be executed, and for one that is not there."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """SIGTERM or SIGHUP asks this program to end.

    Attributes
    ----------
    code
        Exit code that says so: 143 or 129.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def ending_is_raised() -> Iterator[None]:
    """Raise `Ended` on SIGTERM and SIGHUP, once, so that folders and threads are tidied up on the way out.

    Further signals, Ctrl-C included, do not disturb the tidying. What is ignored, as SIGHUP is under nohup,
    stays ignored.
    """

    def end(number: int, frame: object) -> None:
        for one in (*_ENDING, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        raise Ended(number)

    interrupt = signal.getsignal(signal.SIGINT)
    with _handled(dict.fromkeys(_ENDING, end)):
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, interrupt)


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command to its end; its exit code, as a shell would tell it.

    Ctrl-C is sent by the terminal to all of its foreground group, so the command has heard it: only its end
    is waited for. SIGINT that comes while this program is not in a terminal's foreground is passed on. In the
    foreground `kill -INT` to this program alone reaches nobody else, since nobody tells who sent it, and a
    command that hears it twice breaks off its tidying; use `kill -TERM`.

    SIGTERM and SIGHUP end the command by SIGTERM, after `GRACE_S` by SIGKILL, and only then reach this
    program, see `ending_is_raised`; what the command itself has started is the command's to end.

    Raises
    ------
    OSError
        Where it cannot be started; see `code_of`.
    """
    child = _Child()
    with _handled({signal.SIGINT: child.interrupt, **dict.fromkeys(_ENDING, child.end)}):
        code = child.run(command, environ)
    if child.ended_by is not None:
        signal.raise_signal(child.ended_by)
    return code if code >= 0 else 128 - code


def code_of(error: OSError) -> int:
    """Exit code for a command that did not start."""
    return NOT_FOUND if error.errno == errno.ENOENT else CANNOT_RUN


class _Child:
    """A process and the signals for it. Handlers raise nothing: a process half started would be forgotten."""

    def __init__(self) -> None:
        self.ended_by: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._killer: threading.Timer | None = None

    def run(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        self._process = subprocess.Popen(command, env=environ)
        if self.ended_by is not None:  # it came while the process was being started
            self._end_process()
        try:
            return self._process.wait()
        finally:
            if self._killer is not None:
                self._killer.cancel()

    def interrupt(self, number: int, frame: object) -> None:
        if self._process is not None and not _in_foreground():
            self._process.send_signal(number)

    def end(self, number: int, frame: object) -> None:
        if self.ended_by is None:
            self.ended_by = number
            self._end_process()

    def _end_process(self) -> None:
        if self._process is not None and self._killer is None:
            self._process.terminate()
            self._killer = threading.Timer(GRACE_S, self._process.kill)
            self._killer.daemon = True
            self._killer.start()


def _in_foreground() -> bool:
    """Whether a terminal sends this program, and what it runs, its Ctrl-C."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    """Set handlers of signals that are not ignored, and put back what was there."""
    heard = [one for one in handlers if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, handlers[one]) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
