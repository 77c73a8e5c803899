"""A Ray cluster of two nodes on this machine, one of which dies in the middle of a grid."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bastzoo.records.store import RunStore
from tests.cli.command import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
other = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(other, allow_graceful=False)
print("removed", flush=True)
sys.stdin.readline()
cluster.shutdown()
"""


def test_the_grid_is_complete_when_a_node_is_killed(tiny_preset: Path, tmp_path: Path) -> None:
    preset = tmp_path / "short.toml"
    text = tiny_preset.read_text().replace("steps = 4", "steps = 150")
    preset.write_text(text.replace("patience = 2", "patience = 150"))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "BASTZOO_LOAD_PLUGINS": ""}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    with subprocess.Popen([sys.executable, "-c", CLUSTER], **pipes) as cluster:  # type: ignore[call-overload]
        address = cluster.stdout.readline().strip()
        assert re.fullmatch(r"[\d.]+:\d+", address)
        words = ["bench", "--backbone", "vanilla", "--integ", "all", "--sharing", "SP"]
        words += ["--loss", "MSE", "--loss", "AD", "--preset", str(preset)]
        words += ["--executor", "ray", "--address", address]
        grid = subprocess.Popen(
            [sys.executable, "-m", "bastzoo", *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        said = []
        for line in grid.stderr:  # type: ignore[union-attr]
            said.append(line)
            if "SP on" in line and "AD" in line and "validation" not in line:
                break  # the first model is done, others are at work
        cluster.stdin.write("\n")
        cluster.stdin.flush()
        removal = threading.Thread(target=cluster.stdout.readline)
        removal.start()
        out, err = grid.communicate(timeout=500)
        removal.join()
        assert grid.returncode == 0, "".join(said) + out + err
        cluster.stdin.write("\n")
    records, faults = RunStore(tmp_path / "runs").records()
    assert faults == []
    assert sum(r.experiment is not None and r.status == "finished" for r in records) == 6


LISTENING = """
import psutil
from bastzoo.harness.executors.ray import _connect, stay_here

stay_here(None)
_connect(None)
import ray

mine = psutil.Process()
for process in (mine, *mine.children(recursive=True)):
    for connection in process.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            print(connection.laddr.ip.removeprefix("::ffff:"))
ray.shutdown()
"""


def test_a_cluster_that_is_started_here_listens_on_the_loopback_alone() -> None:
    env = {n: v for n, v in os.environ.items() if not n.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", LISTENING],
        capture_output=True,
        text=True,
        timeout=300,
        env={**env, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"127.0.0.1"}
