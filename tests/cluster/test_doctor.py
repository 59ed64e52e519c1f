from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import SpecCluster

from glaciolake.catalog.simulate.serve.server import served
from glaciolake.cluster import facts
from glaciolake.cluster.doctor import (
    ARCHIVE_HOSTS,
    Check,
    check_credentials,
    check_disk,
    check_engines,
    check_gdal,
    check_memory,
    check_network,
    check_packages,
    check_python,
    check_scheduler,
    check_store,
    check_weights,
    examine,
)
from tests.catalog.serving import write_folder

GIB = 2**30
REQUIREMENTS = [
    "numpy>=2.1",
    "onnxruntime>=1.20",
    'openvino>=2025.2; extra == "openvino"',
    'torch==2.13.0; extra == "torch"',
]


def having(**versions: str) -> Callable[[str], str | None]:
    return versions.get


def test_this_environment_is_fit_and_every_trouble_comes_with_a_fix(tmp_path: Path) -> None:
    checks = examine(tmp_path / "not" / "yet" / "there", hosts=())
    assert [check.name for check in checks] == [
        "python",
        "packages",
        "engines",
        "weights",
        "gdal",
        "gdal over https",
        "disk",
        "memory",
        "earthdata login",
        "network",
        "scheduler",
    ]
    assert all(check.fix for check in checks if check.state != "ok")
    broken = {check.name for check in checks if check.state == "fail"}
    assert broken <= {"disk", "earthdata login"}  # a full disk or a broken netrc is the machine's, not ours
    assert not (tmp_path / "not").exists()


def test_an_old_python_is_told() -> None:
    assert check_python("3.11.7", ">=3.11") == Check("python", "ok", "3.11.7")
    old = check_python("3.9.1", ">=3.11")
    assert (old.state, old.found) == ("fail", "3.9.1, needs >=3.11")
    assert "Python >=3.11" in old.fix


def test_missing_and_old_packages_are_named_with_the_line_that_installs_them() -> None:
    assert check_packages(REQUIREMENTS, having(numpy="2.4.6", onnxruntime="1.31.1")).state == "ok"
    check = check_packages(REQUIREMENTS, having(numpy="1.26.4"))
    assert (check.state, check.found) == ("fail", "numpy>=2.1 (is 1.26.4), onnxruntime>=1.20 (missing)")
    assert check.fix == "pip install --upgrade 'numpy>=2.1' 'onnxruntime>=1.20'"


def test_packages_of_extras_are_not_missed() -> None:
    assert "torch" not in check_packages(REQUIREMENTS, having()).found


@pytest.mark.parametrize(
    ("versions", "state"),
    [
        ({"openvino": "2026.4.1", "onnxruntime": "1.31.1", "torch": "2.13.0+cpu"}, "ok"),
        ({"openvino": "2026.4.1"}, "ok"),
        ({"onnxruntime": "1.31.1"}, "warn"),
        ({"openvino": "2024.1", "onnxruntime": "1.31.1"}, "warn"),
        ({"torch": "2.13.0"}, "fail"),
        ({"onnxruntime": "1.10"}, "fail"),
    ],
)
def test_an_engine_must_be_there_and_the_quick_one_should(versions: dict[str, str], state: str) -> None:
    check = check_engines(REQUIREMENTS, having(**versions))
    assert check.state == state
    assert state == "ok" or "pip install 'glaciolake[openvino]'" in check.fix


def test_weights_are_there_whole_or_told(tmp_path: Path) -> None:
    assert check_weights(None).state == "fail"
    assert "no .onnx file" in check_weights(tmp_path).found
    (tmp_path / "net.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    pointer = check_weights(tmp_path)
    assert (pointer.state, pointer.found) == ("fail", "net.onnx is empty or cut off")
    assert "reinstall" in pointer.fix
    (tmp_path / "net.onnx").write_bytes(bytes(200_000))
    assert check_weights(tmp_path) == Check("weights", "ok", "net.onnx")


def test_gdal_without_a_driver_or_without_curl_is_told() -> None:
    assert [check.state for check in check_gdal("3.10", {"GTiff", "COG", "HTTP"})] == ["ok", "ok"]
    files, remote = check_gdal("3.0", {"GTiff"})
    assert (files.state, files.found) == ("fail", "GDAL 3.0 without COG")
    assert (remote.state, "only local files" in remote.found) == ("warn", True)
    assert files.fix and remote.fix


@pytest.mark.parametrize(
    ("free_bytes", "write_error", "state"),
    [
        (50 * GIB, None, "ok"),
        (5 * GIB, None, "warn"),
        (GIB // 2, None, "fail"),
        (50 * GIB, "Read-only", "fail"),
    ],
)
def test_a_full_or_closed_disk_is_told(free_bytes: int, write_error: str | None, state: str) -> None:
    check = check_disk(Path("results"), free_bytes, write_error)
    assert check.state == state
    assert "results" in check.found
    assert bool(check.fix) == (state != "ok")


def test_a_folder_that_cannot_be_written_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert facts.write_error(tmp_path / "new") is None
    assert list(tmp_path.iterdir()) == []

    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert facts.write_error(tmp_path) == "No space left on device"


def test_a_store_where_no_folder_can_be_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    for place, nearest in ((file, file), (file / "store", file), (link / "store", link)):
        for store in (str(place), place.as_uri()):
            check = check_store(store)
            assert (check.state, check.fix) == ("fail", "give another --store")
            assert check.found == f"cannot write at {place}: {nearest} is no folder"
    assert file.read_bytes() == b"kept"
    assert check_store(str(tmp_path / "new")).found.endswith(f"free at {tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("store", "state", "says"),
    [
        ("s3://bucket/lakes", "ok", "not checked: object store; keys come from the environment"),
        ("gs://bucket/lakes", "ok", "from the environment (GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://lakes", "ok", "from the environment (AZURE_STORAGE_ACCOUNT_NAME"),
        ("memory://lakes", "fail", "no store that lasts can be at memory://"),
        ("ftp://host/lakes", "fail", "no store that lasts can be at ftp://"),
        ("file://data/lakes", "fail", "after file:// comes an absolute path"),
        ("~nobody-of-this-name/lakes", "fail", "home directory"),
    ],
)
def test_a_store_elsewhere_is_no_path(store: str, state: str, says: str) -> None:
    disk = next(check for check in examine(store, hosts=()) if check.name == "disk")
    assert disk.state == state
    assert says in disk.found
    assert bool(disk.fix) == (state == "fail")


def test_little_memory_is_told_with_a_number_of_workers() -> None:
    assert check_memory(16 * GIB, 8).state == "ok"
    check = check_memory(6 * GIB, 8)
    assert (check.state, check.fix) == ("warn", "run with --workers 3")


def test_a_login_is_found_wherever_it_may_be_and_never_shown(tmp_path: Path) -> None:
    secret = "hunter2"
    path = tmp_path / ".netrc"
    path.write_text(f"machine urs.earthdata.nasa.gov login me password {secret}\n")
    cases: list[tuple[dict[str, str], Path]] = [
        ({"EARTHDATA_TOKEN": secret}, Path("nowhere")),
        ({"EARTHDATA_USERNAME": "me", "EARTHDATA_PASSWORD": secret}, Path("nowhere")),
        ({}, tmp_path),
        ({"NETRC": str(path)}, Path("nowhere")),
    ]
    for environ, home in cases:
        check = check_credentials(environ, home)
        assert check.state == "ok"
        assert secret not in repr(check)


def test_a_login_that_is_missing_or_half_there_is_told(tmp_path: Path) -> None:
    missing = check_credentials({}, tmp_path)
    assert (missing.state, "EARTHDATA_TOKEN" in missing.fix) == ("warn", True)
    half = check_credentials({"EARTHDATA_USERNAME": "me"}, tmp_path)
    assert (half.state, half.fix) == ("fail", "set EARTHDATA_PASSWORD")
    path = tmp_path / ".netrc"
    path.write_text("machine example.org login me password hunter2\n")
    assert check_credentials({}, tmp_path).found == f"{path} has no line for urs.earthdata.nasa.gov"
    path.write_text("machine urs.earthdata.nasa.gov pasword hunter2 urs\n")
    broken = check_credentials({}, tmp_path)
    assert broken.state == "fail"
    assert "hunter2" not in repr(broken)


def test_a_silent_host_is_a_warning_that_names_it() -> None:
    assert check_network({"a.org": None}).state == "ok"
    check = check_network({"a.org": None, "b.org": "timed out"})
    assert (check.state, check.found) == ("warn", "no answer from b.org (timed out)")


def test_a_scheduler_is_tried_and_its_trouble_told(small_cluster: SpecCluster) -> None:
    assert check_scheduler(None, None).state == "ok"
    address = small_cluster.scheduler_address
    assert facts.scheduler_error(address) is None
    assert check_scheduler(address, None).found.startswith(f"{address} answers")
    wrong = check_scheduler("host", facts.scheduler_error("host"))
    assert (wrong.state, wrong.fix) == ("fail", "write it like tcp://host:8786")
    silent = facts.scheduler_error("tcp://127.0.0.1:9", timeout_s=0.5)
    check = check_scheduler("tcp://127.0.0.1:9", silent)
    assert check.found.startswith("no scheduler answers at tcp://127.0.0.1:9")
    assert check.fix.startswith("check the address")


@pytest.fixture
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("without_proxy")
def test_a_host_that_does_not_answer_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "NETWORK_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert facts.reach_error("127.0.0.1", port) == "timed out"  # connected, and not a word
    assert facts.reach_error("127.0.0.1", port) == "Connection refused"


@pytest.mark.usefixtures("without_proxy")
def test_hosts_are_reached_through_the_proxy_that_searches_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(write_folder(tmp_path)) as archive:
        for name, value in archive.environment.items():
            monkeypatch.setenv(name, value)
        assert [facts.reach_error(host) for host in ARCHIVE_HOSTS] == [None, None]
        assert facts.reach_error("example.org") == "the proxy refused or failed"
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        monkeypatch.delenv("CURL_CA_BUNDLE")
        assert str(facts.reach_error(ARCHIVE_HOSTS[0])).startswith("its certificate is not trusted")
    monkeypatch.setenv("https_proxy", "http://bob:hunter2@127.0.0.1:9")
    assert facts.reach_error(ARCHIVE_HOSTS[0]) == "the proxy refused or failed: Connection refused"
