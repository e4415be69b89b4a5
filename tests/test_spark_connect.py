"""A Spark Connect server on loopback, asked by address: the frames are those of DuckDB."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import engines
import pandas as pd
import pytest

from plgkit.metrics.registry import find
from plgkit.samples.tiny import frames

ASKED = ["acquisition.signups", "activation.rate", "retention.growth_accounting"]
CLIENT = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from pyspark.sql import SparkSession
from plgkit.metrics.registry import find
from plgkit.playbook import Playbook
from plgkit.samples.tiny import AS_OF, PLAYBOOK
from plgkit.sources.connect import connect
address, folder, *asked = sys.argv[1:]
session = SparkSession.builder.remote(address).getOrCreate()
session.sql("CREATE DATABASE shop")
for path in sorted(Path(folder).glob("*.parquet")):
    rows = session.read.parquet(str(path))
    for name, kind in rows.dtypes:
        if kind == "timestamp_ntz":
            rows = rows.withColumn(name, rows[name].cast("timestamp"))
    rows.write.saveAsTable(f"shop.{path.stem}")
data = connect(f"{address}/shop", as_of=AS_OF, playbook=Playbook(**PLAYBOOK))
again = connect(f"{address}/shop", as_of=AS_OF, playbook=Playbook(**PLAYBOOK))
print(json.dumps({"kind": type(data.connection._session).__module__, "same": data.version == again.version,
                  "frames": {name: find(name)(data).to_json(orient="table", index=False, double_precision=15) for name in asked}}))
"""


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """Spark Connect in a process of its own; its address."""
    import pyspark

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"spark.connect.grpc.binding.port": port, "spark.connect.grpc.binding.address": "127.0.0.1", "spark.ui.enabled": "false",
                "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.driver.memory": "1g",
                "spark.sql.shuffle.partitions": "2", "spark.sql.warehouse.dir": folder / "warehouse", "spark.sql.session.timeZone": "UTC"}
    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
               *[word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True,
                                  env=os.environ | {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable})
    try:
        _wait_for(port, server, folder / "log")
        yield f"sc://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(port: int, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"Spark Connect does not start:\n{log.read_text()[-2000:]}")


def test_spark_connect_gives_the_frames_of_duckdb(tiny, tmp_path):
    if not shutil.which("java"):
        engines.lacking("Java is not installed (Debian: openjdk-17-jre-headless)")
    for package in ("pyspark", "grpc", "grpc_status", "google.rpc"):
        pytest.importorskip(package, reason="Spark Connect needs grpcio, grpcio-status and googleapis-common-protos")
    (tmp_path / "tables").mkdir()
    for name, frame in frames().items():
        frame.to_parquet(tmp_path / "tables" / f"{name}.parquet", coerce_timestamps="us")
    with connect_server(tmp_path) as address:
        done = subprocess.run([sys.executable, "-c", CLIENT, address, str(tmp_path / "tables"), *ASKED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["kind"].startswith("pyspark.sql.connect")
    assert told["same"]
    for name in ASKED:
        expected = pd.read_json(io.StringIO(find(name)(tiny).to_json(orient="table", index=False, double_precision=15)), orient="table")
        found = pd.read_json(io.StringIO(told["frames"][name]), orient="table")
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, check_dtype=False)

