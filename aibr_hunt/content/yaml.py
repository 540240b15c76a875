"""YAML as content is written: safe, with the line of every value, and without YAML 1.1's silent surprises.

Duplicate keys are refused; so are plain scalars that mean something else than they look like (`0123`, `no`, `1_000`,
`12:30:00`). Both would change what a rule means without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from aibr_hunt.errors import ContentError, ContentErrors

YamlKey: TypeAlias = "tuple[str | int, ...]"
YamlValue: TypeAlias = "bool | int | float | str | list[YamlValue] | dict[str, YamlValue] | None"

# Nodes of one file, aliases opened: a rule of 10,000 values has some 10,000; an alias bomb has millions.
MAX_NODES: Final = 400_000
MAX_NESTING: Final = 60
# libyaml composes by recursion in C, which ends the process on some 10,000 levels. A text with no more brackets than MAX_NESTING and
# no longer line than this cannot nest that deeply: a block level takes at least half a column.
_LONG_LINE: Final = 500

_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_NORWAY: Final = re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_TRAPS: Final = (
    (re.compile(r"[-+]?0[0-9_]+"), "a number with a leading zero is octal in YAML"),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F_]+|[-+]?0[bB][01_]+|[-+]?0[oO][0-7_]+"), "a number in another base is converted by YAML"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"), "YAML drops the underscores of a number"),
    (re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"), "YAML reads numbers with colons in base 60"),
    (re.compile(r"[-+]?(?:[0-9][0-9]*)(?:\.[0-9]*)?[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "YAML reads it as a float"),
    (re.compile(r"\+[0-9.]+|-?\.[0-9]+|-?[0-9]+\."), "YAML drops the sign or the dot"),
    (re.compile(r"-?(?=(?:[0-9]\.?){16})[0-9]+\.[0-9]+"), "a float keeps 15 digits of it"),
    (re.compile(r"-?[0-9]{12,}"), "a run of 12 or more digits is an account id or another name, not a number"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document.

    Attributes:
        value: Plain values; keys are texts.
        lines: Line, from 1, of every key and list item, by its path from the root; the root is the empty path.
        text: The document's own text, for digests.
    """

    value: YamlValue
    lines: Mapping[YamlKey, int] = field(default_factory=dict)
    text: str = ""

    def line(self, *path: str | int) -> int:
        """Return the line of a path, or of its nearest parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def load_documents(text: str, path: str, *, catch_traps: bool = True) -> tuple[Document, ...]:
    """Return every document of a YAML text; empty documents are left out.

    Args:
        text: The file's text.
        path: What to call it in errors.
        catch_traps: False takes trapped scalars as plain text, for files in which nothing depends on it.

    Raises:
        ContentErrors: The text is no YAML, repeats a key, holds a trapped scalar or is too large; all found are shown.
    """
    try:
        _check_nesting(text, path)
        nodes: list[Node] = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ContentErrors((_syntax_error(error, text, path),)) from None
    pieces = _pieces(text, nodes)
    documents: list[Document] = []
    faults: list[ContentError] = []
    for node, piece in zip(nodes, pieces, strict=True):
        if isinstance(node, ScalarNode) and not node.value and not node.style:
            continue
        reader = _Reader(path, catch_traps=catch_traps)
        value = reader.value(node, (), 0)
        faults += reader.faults
        documents.append(Document(value=value, lines=reader.lines, text=piece))
    if faults:
        raise ContentErrors(tuple(faults))
    return tuple(documents)


def load_yaml(text: str, path: str, *, catch_traps: bool = True) -> Document:
    """Return the only document of a YAML text.

    Raises:
        ContentErrors: As `load_documents`; or the text holds no document or several.
    """
    documents = load_documents(text, path, catch_traps=catch_traps)
    if len(documents) != 1:
        what = "holds no YAML document" if not documents else f"holds {len(documents)} documents, one was expected"
        raise ContentErrors((ContentError(f"{what}.", path=path, line=1),))
    return documents[0]


def _syntax_error(error: yaml.YAMLError, text: str, path: str) -> ContentError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).split("\n", maxsplit=1)[0]
    line = "" if mark is None else next(iter(text.splitlines()[mark.line : mark.line + 1]), "")
    hint = "Use spaces, not tabs." if "\t" in line[: len(line) - len(line.lstrip())] else ""
    return ContentError(f"is no YAML: {problem}.", path=path, line=None if mark is None else mark.line + 1, hint=hint)


def _check_nesting(text: str, path: str) -> None:
    if text.count("[") + text.count("{") <= MAX_NESTING and max(map(len, text.splitlines()), default=0) <= _LONG_LINE:
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_NESTING:
            line = None if event.start_mark is None else event.start_mark.line + 1
            raise ContentErrors((ContentError(f"nests over {MAX_NESTING} levels.", path=path, line=line, hint="Write it flatter."),))


def _pieces(text: str, nodes: list[Node]) -> Iterator[str]:
    """Yield each document's own text: the whole text for a single document, else from its first line to the next one's."""
    if len(nodes) == 1:
        yield text
        return
    lines = text.splitlines(keepends=True)
    starts = [*(node.start_mark.line for node in nodes), len(lines)]
    for start, end in pairwise(starts):
        piece = "".join(lines[start:end])
        yield re.sub(r"(?<=\n)---[^\n]*\n?\Z", "", piece)


class _Reader:
    """Turns nodes into plain values and keeps lines and faults."""

    def __init__(self, path: str, *, catch_traps: bool) -> None:
        self.path = path
        self.catch_traps = catch_traps
        self.lines: dict[YamlKey, int] = {}
        self.faults: list[ContentError] = []
        self._nodes_left = MAX_NODES

    def value(self, node: Node, path: YamlKey, depth: int) -> YamlValue:
        """Return the plain value of a node."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        self._nodes_left -= 1
        if self._nodes_left < 0 or depth > MAX_NESTING:
            too_wide, too_deep = f"opens to more than {MAX_NODES:,} values.", f"nests over {MAX_NESTING} levels."
            what, hint = (too_deep, "Write it flatter.") if depth > MAX_NESTING else (too_wide, "Split the file.")
            raise ContentErrors((ContentError(what, path=self.path, line=node.start_mark.line + 1, hint=hint),))
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        return self._mapping(node, path, depth)

    def _mapping(self, node: Node, path: YamlKey, depth: int) -> YamlValue:
        merged: dict[str, YamlValue] = {}
        own: dict[str, YamlValue] = {}
        assert isinstance(node, MappingNode)  # noqa: S101 - a YAML node has only these three kinds
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                for part in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                    inner = self.value(part, (*path, "<<"), depth + 1)
                    if not isinstance(inner, dict):
                        self._fault("merges what is no map", part, hint="After << write the alias of a map, or a list of such.")
                        continue
                    merged = {**inner, **merged}
                continue
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if key is None:
                self._fault("has a key that is no plain text", key_node)
                continue
            if key in own:
                hint = "Give one key a list, or use |all." if path[:1] in {("detection",), ("filter",)} else "Remove one."
                self._fault(f"repeats the key {key!r}: YAML would keep only the last", key_node, hint=hint)
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            own[key] = self.value(value_node, (*path, key), depth + 1)
        return {**merged, **own}

    def _scalar(self, node: ScalarNode) -> YamlValue:
        text: str = node.value
        if node.style:  # quoted or a block: PyYAML's C parser gives plain scalars an empty style
            return text
        if node.tag == "tag:yaml.org,2002:str":
            return self._untrapped(text, node) if _NORWAY.fullmatch(text) or _is_trap(text) else text
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text) and len(text.lstrip("-")) < 12:
            return int(text)
        if _FLOAT.fullmatch(text) and not _is_trap(text):
            return float(text)
        return self._untrapped(text, node)

    def _untrapped(self, text: str, node: ScalarNode) -> str:
        if self.catch_traps:
            why = "YAML 1.1 reads it as true or false" if _NORWAY.fullmatch(text) else next((w for p, w in _TRAPS if p.fullmatch(text)), "")
            if why:
                self._fault(f"has the unquoted value {text}: {why}", node, hint=f"Write '{text}' to mean the text.")
        return text

    def _fault(self, what: str, node: Node, *, hint: str = "") -> None:
        self.faults.append(ContentError(f"{what}.", path=self.path, line=node.start_mark.line + 1, hint=hint))


def _is_trap(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern, _ in _TRAPS)
