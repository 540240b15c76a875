r"""Text that an attacker may have written, made safe for the place where it is shown.

Log fields, file names and rules of strangers go through here before they reach a terminal, a Markdown page
or a spreadsheet. Nothing is dropped: what cannot be shown as it is, is shown as `\uXXXX`, and `visible` can be undone.
"""

from __future__ import annotations

import re

# Control, format, filler and private characters, as fixed ranges: `unicodedata` differs between Python versions,
# and one report must not. Visible signs of category Cf (Arabic number signs) are left alone.
_INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff"
)
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARKS_KEPT = 4
_UNSAFE = re.compile(f"[{_INVISIBLE}]|(?<=[{_MARKS}]{{{_MARKS_KEPT}}})[{_MARKS}]")
_UNSAFE_BUT_LINES = re.compile(f"(?![\\n\\t])[{_INVISIBLE}]|(?<=[{_MARKS}]{{{_MARKS_KEPT}}})[{_MARKS}]")
_SLASHES = re.compile(rf"\\+(?=u[0-9a-f]{{4}}|U[0-9a-f]{{8}}|[{_INVISIBLE}])")
_SLASHES_BUT_LINES = re.compile(rf"\\+(?=u[0-9a-f]{{4}}|U[0-9a-f]{{8}}|(?![\n\t])[{_INVISIBLE}])")

# Spreadsheets read a cell as a formula when it begins with one of these, full-width forms included.
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA_AT_START = re.compile(rf"""^[\s"']*[{_FORMULA}]""")
# Where the decimal comma rules, a spreadsheet splits a comma file at semicolons, inside quotes too.
_FORMULA_AFTER_SEMICOLON = re.compile(rf""";(?=[\s"']*[{_FORMULA}])""")

_MARKDOWN_ACTIVE = re.compile(r"[\\`*_\[\]~$!#^{}]")
# A bar as an entity splits no table cell in any renderer; a backslash before it does in some.
_MARKDOWN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
_MARKDOWN_OPENING = re.compile(r"^(\d{1,9}(?=[.)])|(?=[-+=:]))([-+=:.)])")
# What renderers turn into links, mentions or images without any bracket.
_MARKDOWN_AUTOLINK = re.compile(r"://|@|#|www\.|(?:javascript|data|vbscript|mailto|xmpp):", re.IGNORECASE)
_SMALLEST_LIMIT = 24


def visible(text: str, *, keep_lines: bool = False) -> str:
    r"""Return `text` with every control, bidirectional, zero-width and filler character written as `\uXXXX`.

    A backslash is doubled only where it would otherwise be read as part of such an escape, so that no two
    texts look alike and `CORP\user` stays as it is. Combining marks beyond four in a row are written out too.

    Args:
        text: Any text, lone surrogates included.
        keep_lines: True leaves line feeds and tabs as they are.
    """
    slashes, unsafe = (_SLASHES_BUT_LINES, _UNSAFE_BUT_LINES) if keep_lines else (_SLASHES, _UNSAFE)
    return unsafe.sub(_escape, slashes.sub(r"\g<0>\g<0>", text))


def shorten(text: str, limit: int) -> str:
    """Return `text` when it is short enough, else its two ends around a count of what was left out.

    Both ends are kept because names of cloud resources differ at their end.

    Args:
        text: Any text.
        limit: Characters to keep at most, the count included; values below 24 stand for 24.
    """
    limit = max(limit, _SMALLEST_LIMIT)
    if len(text) <= limit:
        return text
    gap = f"[\u2026{len(text)} characters\u2026]"
    if len(gap) + 2 > limit:
        return text[: limit - 1] + "\u2026"
    tail = (limit - len(gap)) // 3
    return text[: limit - len(gap) - tail] + gap + text[len(text) - tail :]


def for_terminal(text: str, *, limit: int = 0, keep_lines: bool = False) -> str:
    """Return `text` so that it can change neither the terminal's state nor the order of what is read.

    Colour markup of a console library is not this function's matter: hand the result over as plain text.

    Args:
        text: Any text.
        limit: Characters to keep at most; 0 keeps all.
        keep_lines: True leaves line feeds and tabs, for text that is meant to have lines.
    """
    shown = visible(text, keep_lines=keep_lines)
    return shorten(shown, limit) if limit else shown


def for_markdown(text: str, *, limit: int = 0) -> str:
    r"""Return `text` as one Markdown code span, which holds in running text, lists and table cells alike.

    Inside a code span nothing is a link, an image, a mention or HTML. Backticks and bars become `\u0060` and
    `\u007c`, because renderers disagree on how a bar inside a code span splits a table.

    Args:
        text: Any text; the empty text becomes a dash.
        limit: Characters to keep at most; 0 keeps all.
    """
    shown = for_terminal(text, limit=limit)
    if not shown:
        return "\u2014"
    shown = re.sub(r"\\+(?=[`|])", r"\g<0>\g<0>", shown).replace("`", r"\u0060").replace("|", r"\u007c")
    return f"`{shown}`"


def for_markdown_prose(text: str) -> str:
    """Return `text` as running Markdown text in which no character is active.

    For sentences of rule authors, which should read as sentences. A word that a renderer might link by itself
    becomes a code span.
    """
    words = [_prose_word(word) for word in visible(text).strip().split(" ")]
    return _MARKDOWN_OPENING.sub(r"\1\\\2", " ".join(words))


def for_csv(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula; quoting is the CSV writer's part.

    An apostrophe goes before what would start a formula: at the start of the cell, and after a semicolon. The
    JSON forms hold the text unchanged.
    """
    shown = _FORMULA_AFTER_SEMICOLON.sub(";'", visible(text))
    return f"'{shown}" if _FORMULA_AT_START.match(shown) else shown


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _prose_word(word: str) -> str:
    if _MARKDOWN_AUTOLINK.search(word):
        return for_markdown(word)
    return _MARKDOWN_ACTIVE.sub(r"\\\g<0>", word).translate(_MARKDOWN_HTML)
