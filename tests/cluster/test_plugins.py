from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from distributed import Client, LocalCluster, SpecCluster, Worker

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.plugins import WorkerSetup, _has_own_process
from tests.cluster.processes import processes

PLACE: dict[str, Any] = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_MAX_RETRY": "3"}


def environ_there() -> Callable[[], dict[str, str]]:
    def told() -> dict[str, str]:  # a closure travels by value: workers cannot import the tests
        import os

        return dict(os.environ)

    return told


@pytest.fixture
def registered(client: Client) -> Iterator[Client]:
    client.register_plugin(WorkerSetup(OPTIONS, log_level="INFO"))
    yield client
    client.unregister_worker_plugin(WorkerSetup.name)


def test_options_reach_every_worker_and_gdal_obeys_them(registered: Client) -> None:
    def sees_neighbours() -> bool:
        """GDAL's own answer: EMPTY_DIR hides the mask file that lies beside an image."""
        import tempfile
        from pathlib import Path

        import numpy as np
        import rasterio

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.tif"
            with rasterio.open(
                path,
                "w",
                driver="GTiff",
                width=2,
                height=2,
                count=1,
                dtype="uint8",
                crs=3857,
                transform=rasterio.Affine(1, 0, 0, 0, -1, 0),
            ) as file:
                file.write(np.ones((1, 2, 2), "uint8"))
            (Path(folder) / "a.tif.aux.xml").write_text(
                "<PAMDataset><Metadata><MDI key='K'>V</MDI></Metadata></PAMDataset>"
            )
            with rasterio.open(path) as file:
                return "K" in file.tags()

    assert set(registered.run(sees_neighbours).values()) == {False}
    registered.unregister_worker_plugin(WorkerSetup.name)
    assert set(registered.run(sees_neighbours).values()) == {True}
    registered.register_plugin(WorkerSetup(OPTIONS))


def test_each_worker_process_has_a_cookie_file_of_its_own(registered: Client) -> None:
    def cookie_file() -> tuple[str, str, int]:
        import os
        import stat
        from pathlib import Path

        path = os.environ["GDAL_HTTP_COOKIEFILE"]
        return path, os.environ["GDAL_HTTP_COOKIEJAR"], stat.S_IMODE(Path(path).stat().st_mode)

    said = list(registered.run(cookie_file).values())
    assert len({path for path, _, _ in said}) == 2
    assert all(path == jar and mode == 0o600 for path, jar, mode in said)


def test_a_worker_that_joins_later_is_set_up_too(small_cluster: SpecCluster, registered: Client) -> None:
    small_cluster.scale(3)
    try:
        registered.wait_for_workers(3, timeout=60)
        said = registered.run(environ_there())
        assert len(said) == 3
        assert all(OPTIONS.items() <= environ.items() for environ in said.values())
    finally:
        small_cluster.scale(2)
        _wait_until(lambda: len(registered.scheduler_info()["workers"]) == 2)


def test_a_worker_that_dies_is_set_up_again(registered: Client, kill_a_worker: Callable[[], None]) -> None:
    kill_a_worker()
    said = registered.run(environ_there())
    assert len(said) == 2
    assert all(OPTIONS.items() <= environ.items() for environ in said.values())


def test_messages_of_ours_are_heard_on_workers(registered: Client) -> None:
    def level() -> tuple[int, bool]:
        import logging

        log = logging.getLogger("glaciolake")
        return log.level, log.hasHandlers()

    assert set(registered.run(level).values()) == {(logging.INFO, True)}


def interrupt_there() -> Callable[[], str]:
    def told() -> str:
        import signal

        return str(signal.getsignal(signal.SIGINT))

    return told


def test_ctrl_c_is_left_to_whoever_gave_the_work() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, **PLACE) as cluster,
        Client(cluster) as client,
    ):
        (before,) = client.run(interrupt_there()).values()
        client.register_plugin(WorkerSetup())
        assert set(client.run(interrupt_there()).values()) == {str(signal.SIG_IGN)}
        for process in client.run(os.getpid).values():
            os.kill(process, signal.SIGINT)
        assert client.submit(sum, [1, 2]).result(timeout=30) == 3
        client.unregister_worker_plugin(WorkerSetup.name)
        assert set(client.run(interrupt_there()).values()) == {before} != {str(signal.SIG_IGN)}


def test_a_worker_that_leaves_does_not_count_the_tasks_it_drops(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, **PLACE) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(WorkerSetup())
        dropped = client.submit(time.sleep, 2)
        while not any(client.processing().values()):
            time.sleep(0.05)
        time.sleep(0.5)  # it has begun
    assert dropped.status != "finished"
    assert "CancelledError" not in capfd.readouterr().err


def test_ctrl_c_still_reaches_a_process_that_is_not_the_workers_own() -> None:
    before = signal.getsignal(signal.SIGINT)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **PLACE) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(WorkerSetup())
        assert signal.getsignal(signal.SIGINT) is before
        client.unregister_worker_plugin(WorkerSetup.name)
    worker = cast(Worker, SimpleNamespace(nanny=None))  # its setup may run in the main thread as well
    assert not _has_own_process(worker)
    assert _has_own_process(cast(Worker, SimpleNamespace(nanny="tcp://127.0.0.1:1")))


def test_unregistered_it_leaves_no_trace(client: Client) -> None:
    before = {address: set(environ) for address, environ in client.run(environ_there()).items()}
    client.register_plugin(WorkerSetup({"GDAL_HTTP_MAX_RETRY": "4"}, log_level="DEBUG"))
    path = next(iter(client.run(environ_there()).values()))["GDAL_HTTP_COOKIEFILE"]
    client.unregister_worker_plugin(WorkerSetup.name)
    assert {address: set(environ) for address, environ in client.run(environ_there()).items()} == before

    def is_there(path: str) -> bool:
        from pathlib import Path

        return Path(path).exists()

    assert set(client.run(is_there, path).values()) == {False}


def test_a_login_is_looked_up_on_the_worker_and_never_travels(client: Client) -> None:
    def from_the_worker() -> dict[str, str]:
        import os

        return {"GDAL_HTTP_BEARER": f"made-in-{os.getpid()}"}

    plugin = WorkerSetup(OPTIONS, secrets=from_the_worker)
    client.register_plugin(plugin)
    said = client.run(environ_there())
    client.unregister_worker_plugin(WorkerSetup.name)
    assert len({environ["GDAL_HTTP_BEARER"] for environ in said.values()}) == 2
    assert all("GDAL_HTTP_BEARER" not in environ for environ in client.run(environ_there()).values())


def test_its_text_shows_no_secret() -> None:
    class Vault:
        def __call__(self) -> dict[str, str]:
            return {"GDAL_HTTP_BEARER": "hunter2"}

        def __repr__(self) -> str:
            return "Vault(hunter2)"

    plugin = WorkerSetup(OPTIONS, secrets=Vault())
    assert "hunter2" not in repr(plugin)
    assert "secrets=***" in repr(plugin)


@pytest.mark.parametrize(
    "option",
    [
        "GDAL_HTTP_BEARER",
        "GDAL_HTTP_USERPWD",
        "AWS_SECRET_ACCESS_KEY",
        "EARTHDATA_TOKEN",
        "GDAL_HTTP_HEADER_FILE",
    ],
)
def test_a_secret_among_the_options_is_refused_without_showing_it(option: str) -> None:
    with pytest.raises(ClusterError, match=f"option {option} looks like a secret") as refused:
        WorkerSetup({option: "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_a_login_that_fails_is_told_by_kind_and_not_by_text(client: Client) -> None:
    def broken() -> dict[str, str]:
        raise OSError("hunter2 was refused")

    with pytest.raises(ClusterError, match="login failed with OSError") as refused:
        WorkerSetup(secrets=broken)._ask_for_secrets()
    assert "hunter2" not in str(refused.value)


def test_a_worker_of_another_version_that_joins_late_is_refused_and_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "glaciolake-0.0.0.dist-info").mkdir()
    said = tmp_path / "glaciolake-0.0.0.dist-info" / "METADATA"
    said.write_text("Metadata-Version: 2.1\nName: glaciolake\nVersion: 0.0.0\n")
    old = {"PYTHONPATH": str(tmp_path)}
    with processes(tmp_path / "cluster") as cluster:
        shutil.copytree(said.parent, cluster.folder / said.parent.name)  # where it starts comes first
        cluster.scheduler()
        with Client(cluster.address, timeout=60) as client:
            client.register_plugin(WorkerSetup())
            future = client.submit(sum, [1, 2])
            late, nannied = cluster.worker("--no-nanny", environ=old), cluster.worker(environ=old)
            told = (
                f"is refused: the run has glaciolake {version('glaciolake')} (here 0.0.0). Install the same"
            )
            assert late.wait(timeout=60) == 0
            assert told in cluster.log(late)
            _wait_until(lambda: told in cluster.log(nannied))
            assert future.status == "pending"
            shutil.rmtree(cluster.folder / said.parent.name)
            cluster.worker("--no-nanny", environ={"PYTHONPATH": os.environ.get("PYTHONPATH", "")})
            assert future.result(timeout=60) == 3


def test_a_login_that_is_renewed_reaches_a_worker_without_a_restart(tmp_path: Path) -> None:
    mounted = tmp_path / "token"
    mounted.write_text("first")

    def token_there() -> str | None:
        import os

        return os.environ.get("GDAL_HTTP_BEARER")

    def mounted_login() -> dict[str, str]:
        text = mounted.read_text()
        if not text:
            raise OSError("the mount is being replaced")
        return {"GDAL_HTTP_BEARER": text}

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **PLACE) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(WorkerSetup(secrets=mounted_login, renew_s=0.05))
        assert client.submit(token_there, pure=False).result(timeout=30) == "first"
        mounted.write_text("")
        time.sleep(0.2)
        assert client.submit(token_there, pure=False).result(timeout=30) == "first"
        mounted.write_text("second")
        _wait_until(lambda: client.submit(token_there, pure=False).result(timeout=30) == "second")
        client.unregister_worker_plugin(WorkerSetup.name)
        assert client.submit(token_there, pure=False).result(timeout=30) is None


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(ClusterError, match="log level 'LOUD' is unknown; give one of CRITICAL"):
        WorkerSetup(log_level="LOUD")


def test_it_is_small_enough_to_send_to_every_worker() -> None:
    assert len(pickle.dumps(WorkerSetup(OPTIONS))) < 1000


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
