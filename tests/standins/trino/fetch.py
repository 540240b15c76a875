"""Fetch Trino for the slow tests: `python -m tests.standins.trino.fetch`, from the top of the checkout, with the Python of its venv.

Maven resolves the jars that pom.xml names, each is held against digests.txt, and javac compiles TrinoStandIn.java. Everything lands in one
folder of the venv. A second run does nothing, until one of the three files changes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
VERSION: Final = "435"
HOME: Final = Path(sys.prefix) / "aibr-standins" / f"trino-{VERSION}"
COMMAND: Final = "python -m tests.standins.trino.fetch"
MAIN: Final = "TrinoStandIn"

_POM: Final = HERE / "pom.xml"
_DIGESTS: Final = HERE / "digests.txt"
_SOURCE: Final = HERE / f"{MAIN}.java"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_JAVA: Final = 17
_ADVICE: Final = f"a JDK {_JAVA} and Maven 3 are needed (on Debian and Ubuntu: apt install openjdk-17-jdk-headless maven)"


class Missing(Exception):
    """Trino cannot be fetched or run here; the sentence says what to do."""


def wanted() -> str:
    """Return what the stamp of a complete folder holds."""
    digest = hashlib.sha256()
    for path in (_POM, _DIGESTS, _SOURCE):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def lack() -> str:
    """Return why Trino cannot be started, empty when it can."""
    stamp = HOME / "stamp"
    if not stamp.is_file():
        return f"Trino has not been fetched: {COMMAND}"
    if stamp.read_text(encoding="ascii") != wanted():
        return f"another Trino has been fetched than this checkout wants: {COMMAND}"
    try:
        tool("java")
    except Missing as missing:
        return str(missing)
    return ""


def tool(name: str) -> str:
    """Return the path of java, javac or mvn.

    Raises:
        Missing: There is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME", "")
    found = (shutil.which(name, path=str(Path(home) / "bin")) if home else None) or shutil.which(name)
    if found is None:
        raise Missing(f"{name} was not found: {_ADVICE}, or set JAVA_HOME")
    if name == "java":
        told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', told)
        if version is None or int(version[1]) < _JAVA:
            raise Missing(f"{found} is older than {_JAVA}: {_ADVICE}, or set JAVA_HOME")
    return found


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar in a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.jar"))}


def pinned() -> dict[str, str]:
    """Return what digests.txt says, by name."""
    lines = (line.split() for line in _DIGESTS.read_text(encoding="ascii").splitlines() if line)
    return {name: digest for digest, name in lines}


def check(found: dict[str, str], expected: dict[str, str]) -> None:
    """Hold the jars against the list.

    Raises:
        Missing: A jar differs, is absent, or is not on the list.
    """
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if wrong:
        raise Missing(f"{len(wrong)} of the jars are not those of digests.txt, nothing was installed: {', '.join(wrong)}")


def fetch(*, is_pinning: bool = False) -> bool:
    """Fetch, verify and compile; return False when everything was there.

    Args:
        is_pinning: Write digests.txt anew instead of verifying: for a change of pom.xml.

    Raises:
        Missing: Something is missing or wrong.
    """
    if sys.prefix == sys.base_prefix:
        raise Missing("run this with the Python of the checkout's venv: Trino is put there")
    if not is_pinning and (HOME / "stamp").is_file() and (HOME / "stamp").read_text(encoding="ascii") == wanted():
        return False
    tool("java")
    maven, javac = tool("mvn"), tool("javac")
    HOME.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME.parent) as scratch:
        made = Path(scratch) / "made"
        jars, classes = made / "lib", made / "classes"
        classes.mkdir(parents=True)
        copy = [maven, "--batch-mode", "--quiet", "--file", str(_POM), _COPY, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        _run(copy, "Maven could not bring the jars")
        if is_pinning:
            lines = [f"{digest}  {name}\n" for name, digest in digests(jars).items()]
            _DIGESTS.write_text("".join(lines), encoding="ascii")
        check(digests(jars), pinned())
        compiling = [javac, "--release", str(_JAVA), "-nowarn", "-cp", str(jars / "*"), "-d", str(classes), str(_SOURCE)]
        _run(compiling, "javac could not compile the program")
        (made / "stamp").write_text(wanted(), encoding="ascii")
        if HOME.exists():
            shutil.rmtree(HOME)
        made.rename(HOME)
    return True


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Missing(f"{failure}:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Fetch Trino for the slow tests (90 MB, about a minute).")
    parser.add_argument("--pin", action="store_true", help="write digests.txt anew, after a change of pom.xml")
    options = parser.parse_args()
    try:
        is_new = fetch(is_pinning=options.pin)
    except Missing as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    sys.stdout.write(f"Trino {VERSION} {'is now' if is_new else 'was already'} in {HOME}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
