"""A command in a terminal, to press Ctrl-C in."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ATTACH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class OnTerminal:
    """A command in a terminal of its own, as its foreground group; it ends by force with `close`."""

    def __init__(self, command: list[str], temporary: Path) -> None:
        temporary.mkdir()
        self.temporary, self.said = temporary, ""
        self._controller, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", ATTACH, *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        os.close(terminal)

    def read_until(self, word: str, limit_s: float = 30) -> None:
        """Read what it prints up to a word; fail where it does not come."""
        end_s = time.monotonic() + limit_s
        while word not in self.said:
            assert self._read(end_s), f"no {word!r} in {limit_s} s: {self.said}"

    def end(self, limit_s: float = 30) -> int:
        """Read the rest of what it prints, and wait; its exit code."""
        end_s = time.monotonic() + limit_s
        while self._read(end_s):
            pass
        return self.process.wait(timeout=max(1, end_s - time.monotonic()))

    def _read(self, end_s: float) -> bool:
        """Read some more; False where nothing comes in time, or nobody holds the other end any longer."""
        ready, _, _ = select.select([self._controller], [], [], max(0, end_s - time.monotonic()))
        if not ready:
            return False
        try:
            part = os.read(self._controller, 65_536)
        except OSError:
            return False
        self.said += part.decode(errors="replace")
        return bool(part)

    def press_ctrl_c(self) -> None:
        os.write(self._controller, b"\x03")

    def is_running(self) -> bool:
        """Whether it, or anything that it has started, is still there."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def close(self) -> None:
        """End it, and all that it has started, unless they have ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)
        os.close(self._controller)
