"""What every worker has to know before its first task: options, a cookie file, a login, a log."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from distributed import Status, Worker
from distributed.diagnostics.plugin import WorkerPlugin
from tornado.ioloop import PeriodicCallback

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.versions import ADVICE, PACKAGE, differences, versions_here

logger = logging.getLogger(__name__)

SECRET = re.compile(
    r"token|passw|secret|bearer|userpwd|api_?key|access_?key|credential|header(s|_file)?$", re.I
)
"""Option names whose values must not travel with a task or a plugin."""
LOGS = ("distributed.worker.state_machine", "distributed.worker")
FAREWELLS = ("ended with CancelledError", "Failed to communicate with scheduler during heartbeat")

RENEW_S = 60.0
"""How often a worker looks its login up again: a mounted secret that was renewed is there within a minute."""

Provider = Callable[[], Mapping[str, str]]


class WorkerSetup(WorkerPlugin):
    """Prepare each worker process, also those that join later or come back after a crash.

    A worker process that a nanny looks after no longer hears Ctrl-C: whoever gave it the work decides. A
    worker that joins later with other versions than the client's is refused: it does no task, closes, and
    says why in its log.

    Register it with ``client.register_plugin``; registering it again replaces it. What it sets is taken back
    when it is unregistered.

    Parameters
    ----------
    options
        Environment variables, such as GDAL's configuration options. They travel through the scheduler in
        plain text, so those that look like secrets are refused.
    secrets
        Called on the worker, with nothing; returns further variables. Give a function that the worker can
        import and that looks where the worker has its login: its environment or a mounted file. What it
        returns stays in the worker process. It is asked again every `renew_s`, so that a login that was
        renewed there is used without a restart.
    renew_s
        Seconds between two looks at the login.
    cookies
        Whether to give the worker process a cookie file of its own, which logins that redirect need.
    log_level
        Level of this package's messages on workers, such as ``INFO``.
    """

    name = "glaciolake-worker-setup"

    def __init__(
        self,
        options: Mapping[str, str] | None = None,
        *,
        secrets: Provider | None = None,
        renew_s: float = RENEW_S,
        cookies: bool = True,
        log_level: str = "WARNING",
    ) -> None:
        self.options = dict(options or {})
        for option in self.options:
            if SECRET.search(option):
                raise ClusterError(
                    f"option {option} looks like a secret, and options travel in plain text; hand it over by "
                    "`secrets`, a function that each worker calls for itself"
                )
        if log_level not in logging.getLevelNamesMapping():
            known = ", ".join(logging.getLevelNamesMapping())
            raise ClusterError(f"log level {log_level!r} is unknown; give one of {known}")
        self.secrets = secrets
        self.renew_s = renew_s
        self.versions = versions_here()
        self.cookies = cookies
        self.log_level = log_level
        self._before: dict[str, str | None] = {}
        self._cookie_file: Path | None = None
        self._handler: logging.Handler | None = None
        self._level_before: int | None = None
        self._renewal: PeriodicCallback | None = None
        self._interrupt_before: Any = None

    def __repr__(self) -> str:
        login = "secrets=***" if self.secrets else "secrets=None"
        return f"WorkerSetup({self.options}, {login}, cookies={self.cookies}, log_level={self.log_level!r})"

    def setup(self, worker: Worker) -> Awaitable[None] | None:
        """Set the worker's environment and logging up; called by Dask, which awaits what it returns."""
        if wrong := differences(versions_here(), self.versions):
            return self._refuse(worker, "; ".join(wrong))
        variables = dict(self.options)
        if self.cookies:
            self._cookie_file = _own_file(Path(worker.local_directory))
            variables |= dict.fromkeys(
                ("GDAL_HTTP_COOKIEFILE", "GDAL_HTTP_COOKIEJAR"), str(self._cookie_file)
            )
        self._set(variables | self._ask_for_secrets())
        if self.secrets is not None:
            self._renewal = PeriodicCallback(self._renew, 1000 * self.renew_s)
            self._renewal.start()
        self._start_log(str(worker.name))
        if _has_own_process(worker):
            # a terminal sends Ctrl-C to all processes at once, and each would end in a traceback of its own
            self._interrupt_before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            for name in LOGS:
                logging.getLogger(name).addFilter(_no_farewell)
        return None

    def teardown(self, worker: Worker) -> None:
        """Leave the worker as it was; called by Dask."""
        if self._renewal is not None:
            self._renewal.stop()
        _restore(self._before)
        if self._cookie_file is not None:
            self._cookie_file.unlink(missing_ok=True)
        self._end_log()
        # a worker that leaves takes its plugins back first, and only then has its last words
        if self._interrupt_before is not None and worker.status == Status.running:
            signal.signal(signal.SIGINT, self._interrupt_before)
            for name in LOGS:
                logging.getLogger(name).removeFilter(_no_farewell)

    def _end_log(self) -> None:
        log = logging.getLogger(PACKAGE)
        if self._level_before is not None:
            log.setLevel(self._level_before)
        if self._handler is not None:
            log.removeHandler(self._handler)
            self._handler.close()

    async def _refuse(self, worker: Worker, wrong: str) -> None:
        """Raise; a worker that is only just joining closes before it has begun a task.

        Raised alone, the error would be no more than a line in the log of a worker that goes on working.
        """
        if not worker.periodic_callbacks["heartbeat"].is_running():
            # the nanny, which is not up yet, would be waited for
            await worker.close(nanny=False, reason="its versions are not those of the run")
        raise ClusterError(f"worker {worker.name} is refused: the run has {wrong}. {ADVICE}")

    def _set(self, variables: Mapping[str, str]) -> None:
        """Set variables, and remember what they were before the first time."""
        self._before = {name: os.environ.get(name) for name in variables} | self._before
        os.environ.update(variables)

    def _renew(self) -> None:
        """Look the login up again; one that cannot be had leaves the old one, and reading tells."""
        try:
            found = self._ask_for_secrets()
        except ClusterError as error:
            logger.warning("login not renewed reason=%s", error)
            return
        if any(os.environ.get(name) != value for name, value in found.items()):
            self._set(found)
            logger.info("login renewed")

    def _ask_for_secrets(self) -> dict[str, str]:
        if self.secrets is None:
            return {}
        try:
            return dict(self.secrets())
        except Exception as error:
            # the text of a provider's error may hold what it failed on
            raise ClusterError(
                f"the function that looks up this worker's login failed with {type(error).__name__}; check "
                "that the login is in the worker's environment or mounted where the function looks"
            ) from None

    def _start_log(self, worker: str) -> None:
        log = logging.getLogger(PACKAGE)
        self._level_before = log.level
        log.setLevel(self.log_level)
        if not log.hasHandlers():
            self._handler = logging.StreamHandler()
            self._handler.setFormatter(
                logging.Formatter(f"%(asctime)s {worker} %(levelname)s %(name)s: %(message)s")
            )
            log.addHandler(self._handler)


def _restore(variables: Mapping[str, str | None]) -> None:
    """Give this process's environment the values that variables had before; None where there were none."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _has_own_process(worker: Worker) -> bool:
    """Whether the process is the worker's alone, and this its main thread, where signals are set."""
    return worker.nanny is not None and threading.current_thread() is threading.main_thread()


def _no_farewell(record: logging.LogRecord) -> bool:
    """Leave out what a worker says on leaving, of tasks that it drops and of a scheduler that left first.

    It is no news to whoever stopped them.
    """
    return not any(words in str(record.msg) for words in FAREWELLS)


def _own_file(folder: Path) -> Path:
    """Make an empty file for this process alone, readable by its user alone."""
    path = folder / f"cookies-{os.getpid()}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    return path
