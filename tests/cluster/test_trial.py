from __future__ import annotations

from distributed import Client

from glaciolake.cluster.trial import try_workers


def works() -> int:
    return 7


def judge(found: int) -> str:
    return "" if found == 7 else f"{found} is not 7"


def test_each_kind_of_worker_does_the_job(client: Client) -> None:
    def where() -> str:  # a closure travels by value: workers cannot import the tests
        from distributed import get_worker

        return str(get_worker().name)

    done: list[str] = []

    def note(name: str) -> str:
        done.append(name)
        return ""

    checks = try_workers(client, where, note)
    assert [(check.name, check.state) for check in checks] == [
        ("job on cpu workers", "ok"),
        ("job on gpu workers", "ok"),
    ]
    assert done == ["cpu-0", "gpu-0"]
    assert "right, after" in checks[0].found and "1 of this kind" in checks[0].found


def test_a_wrong_result_an_error_and_silence_are_three_failures(client: Client) -> None:
    def wrong() -> int:
        return 8

    def broken() -> int:
        raise OSError("no network on this worker")

    def slow() -> int:
        import time

        time.sleep(2)
        return 7

    for work, found in (
        (wrong, "8 is not 7"),
        (broken, "OSError: no network"),
        (slow, "no result within 0.1 s"),
    ):
        checks = try_workers(client, work, judge, timeout_s=0.1 if work is slow else 30)
        assert all(check.state == "fail" and check.fix for check in checks)
        assert all(check.found.startswith(found) for check in checks), checks
