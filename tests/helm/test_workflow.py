"""The workflow for kind cannot run here; its scripts are at least sound, and speak of the chart's objects."""

from __future__ import annotations

import re
import subprocess

import yaml

from tests.helm.chart import CHART, ROOT, find, find_all, render_with

WORKFLOW = yaml.safe_load((ROOT / "helm" / "ci" / "kind.yaml").read_text())
STEPS = {step["name"]: step["run"] for step in WORKFLOW["jobs"]["kind"]["steps"] if "run" in step}
SCRIPT = "\n".join(STEPS.values())


def test_every_step_is_a_script_that_bash_reads() -> None:
    assert len(STEPS) >= 7
    for name, script in STEPS.items():
        plain = re.sub(r"\$\{\{.*?\}\}", "x", script)
        said = subprocess.run(["bash", "-n"], input=plain, text=True, capture_output=True, check=False)
        assert said.returncode == 0, f"{name}: {said.stderr}"


def test_what_it_installs_has_the_names_that_it_asks_for() -> None:
    install = SCRIPT[SCRIPT.index("helm install gl") :].split("\n  kubectl")[0].partition("\nkubectl")[0]
    sets = [one for one in re.findall(r"--set ([^\s\\]+)", install)]
    arguments = ["--values", str(CHART / "profiles" / "local.yaml")]
    arguments += [part for one in sets for part in ("--set", one.replace("'", ""))]
    objects = render_with(*arguments)
    for kind, ending in (("Deployment", "-worker-cpu"), ("Service", "-scheduler")):
        name = find(objects, kind, ending)["metadata"]["name"]
        assert name in SCRIPT
    assert find(objects, "CronJob")["metadata"]["labels"]["app.kubernetes.io/component"] == "ingest"
    assert "app.kubernetes.io/component=ingest" in SCRIPT
    assert find(objects, "Job")["metadata"]["name"] == "gl-glaciolake-backfill-1"
    # after the rollback it is that of revision 1 again: test_revisions.py
    assert set(re.findall(r"job/gl-glaciolake-backfill-(\d)", SCRIPT)) == {"1", "2"}
    claims = {one["metadata"]["name"] for one in find_all(objects, "PersistentVolumeClaim")}
    assert claims == {"gl-glaciolake-store"} and "get pvc gl-glaciolake-store" in SCRIPT


def test_it_tries_both_helms_and_the_oldest_and_newest_kubernetes() -> None:
    matrix = WORKFLOW["jobs"]["kind"]["strategy"]["matrix"]
    assert [one.partition(":v")[2].rpartition(".")[0] for one in matrix["node"]] == ["1.31", "1.37"]
    assert [one[:2] for one in matrix["helm"]] == ["v3", "v4"]
