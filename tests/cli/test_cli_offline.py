"""Offline: the main job with every socket forbidden."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Python imports this at its start, in our process and in those that it starts. Pipes between processes stay.
NO_NETWORK = """
import socket

def forbidden(*_args, **_kwargs):
    raise SystemExit("a socket was asked for")

class NoSocket(socket.socket):
    def __init__(self, family=-1, *args, **kwargs):
        forbidden()

socket.socket = NoSocket
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = socket.socketpair = forbidden
"""


def run(tmp_path: Path, *words: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    path = os.pathsep.join((str(tmp_path / "site"), str(ROOT)))
    homes = {"HOME": str(tmp_path), "AIBR_HOME": str(tmp_path / "home"), "AIBR_CACHE": str(tmp_path / "cache")}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "AIBR_PROCESSES": str(processes)} | homes
    return subprocess.run(
        [sys.executable, "-m", "aibr_hunt", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )


def test_the_forbidden_socket_is_noticed(tmp_path: Path) -> None:
    """Without this the next test could pass for the wrong reason."""
    run(tmp_path, "--version")
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1')"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site")}
    tried = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "a socket was asked for" in tried.stderr


def test_the_demo_needs_no_network(tmp_path: Path) -> None:
    if not any((ROOT / "demo" / "logs").glob("**/*")):
        pytest.skip("the demo's logs are not bundled yet")
    ran = run(tmp_path, "demo")
    assert (ran.returncode, "Traceback" in ran.stderr, "socket" in ran.stderr) == (0, False, False), ran.stderr
    assert "Evidence: clean" in ran.stdout
    assert not (tmp_path / "home").exists(), "made-up leads reached the ledger that AIBR_HOME names"
