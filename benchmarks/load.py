"""Drives a server with wrk, and makes sure first that it gives the right answer."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks import HERE
from benchmarks.workloads import Workload
from servers.client import Answer, request

ERRORS = ("connect", "read", "write", "status", "timeout")
TIMEOUT = 30  # seconds that one answer may take


class LoadError(RuntimeError):
    """A wrong answer, or requests that failed; the text says how."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. Latencies are in milliseconds of wall-clock time, by percentile."""

    requests: int
    seconds: float
    bytes: int
    latency: dict[str, float]


def check(address: tuple[str, int], target: str, workload: Workload) -> None:
    """One request. Raises LoadError where the answer is not the one that the workload expects."""
    fields = {"Content-Type": "application/x-www-form-urlencoded"} if workload.body else {}
    try:
        answer = request(address, workload.method, target, body=workload.body, fields=fields, timeout=TIMEOUT)
    except Exception as error:
        raise LoadError(f"no answer: {error!r}") from error
    problem = _problem(answer, workload)
    if problem:
        raise LoadError(problem)


def _problem(answer: Answer, workload: Workload) -> str:
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200]!r}"
    if isinstance(workload.expected, bytes) and answer.body != workload.expected:
        return f"answered {answer.body[:80]!r} in place of {workload.expected[:80]!r}"
    if isinstance(workload.expected, int) and len(answer.body) < workload.expected:
        return f"answered {len(answer.body)} bytes in place of {workload.expected}"
    return ""


def drive(url: str, workload: Workload, clients: int, seconds: int, body: Path | None) -> Load:
    """Send requests for so many seconds, each client the next one when it has its answer.

    `body` is the file that holds `workload.body`. Raises LoadError where a request failed or was not answered by 2xx
    or 3xx.
    """
    command = ["wrk", "--latency", "-t1", f"-c{clients}", f"-d{seconds}s", f"--timeout={TIMEOUT}s"]
    command += ["-s", str(HERE / "apps" / "report.lua"), url]
    environ = {**os.environ, "BENCHMARK_METHOD": workload.method}
    if body is not None:
        environ["BENCHMARK_BODY"] = str(body)
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        raise LoadError(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    seen = json.loads(done.stderr.splitlines()[-1])
    failed = {name: seen[name] for name in ERRORS if seen[name]}
    if failed:
        raise LoadError(f"of {seen['requests']} requests failed: {failed}")
    if not seen["requests"]:
        raise LoadError(f"no answer within {seconds} s")
    latency = {name: seen[name] / 1000 for name in ("p50", "p90", "p99")}
    return Load(seen["requests"], seen["microseconds"] / 1e6, seen["bytes"], latency)
