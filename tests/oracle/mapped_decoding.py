"""What a text encodes, written from docs/meaning.md section 1 one digit at a time: clarity before speed."""

from __future__ import annotations

import gzip
import io
import zlib

STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
DIGITS = {letter: number for number, letter in enumerate(STANDARD)} | {"+": 62, "-": 62, "/": 63, "_": 63}
MOST_CODE_POINTS = 8_388_608
MOST_BYTES = 1_048_576
MOST_MEMBERS = 64


class DoesNotDecodeError(Exception):
    """The text is blank for a decoded field."""


def decode(text: str, steps: list[str]) -> str:
    """Return what the steps make of a text, empty when it does not decode."""
    if len(text) > MOST_CODE_POINTS:
        return ""
    try:
        return _decode(text, steps)
    except DoesNotDecodeError:
        return ""


def _decode(text: str, steps: list[str]) -> str:
    """Return what the steps make of a text; `gunzip` is read together with the base64 in front of it."""
    if not steps:
        return text
    first, *rest = steps
    raw = base64_bytes(text) if first == "base64" else url_bytes(text)
    while rest and rest[0] == "gunzip":
        raw, rest = unzipped(raw), rest[1:]
    return _decode(as_text(raw), rest)


def base64_bytes(text: str) -> bytes:
    """Return bytes out of groups of four digits of six bits each."""
    letters = [letter for letter in text if letter not in " \t\n\r\x0b\x0c"]
    fillings = 0
    while letters and letters[-1] == "=":
        letters.pop()
        fillings += 1
    if any(letter not in DIGITS for letter in letters):
        raise DoesNotDecodeError
    left = len(letters) % 4
    if left == 1 or fillings not in (0, (4 - left) % 4):
        raise DoesNotDecodeError
    bits = "".join(f"{DIGITS[letter]:06b}" for letter in letters)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))


def url_bytes(text: str) -> bytes:
    """Return bytes, each percent sign with two hexadecimal digits as one."""
    found = b""
    pieces = text.split("%")
    for number, piece in enumerate(pieces):
        rest = piece
        if number:
            byte, rest = piece[:2], piece[2:]
            if len(byte) < 2 or any(letter not in "0123456789abcdefABCDEF" for letter in byte):
                raise DoesNotDecodeError
            found += bytes([int(byte, 16)])
        try:
            found += rest.encode("utf-8")
        except UnicodeEncodeError:
            raise DoesNotDecodeError from None
    return found


def unzipped(raw: bytes) -> bytes:
    """Return bytes unzipped, one whole member after another, when they begin as gzip does."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    found, members = b"", 0
    while raw[:2] == b"\x1f\x8b" and members < MOST_MEMBERS:
        size = length_of_member(raw)
        if size == 0:
            break
        found += gzip.decompress(raw[:size])
        raw, members = raw[size:], members + 1
    if members == 0 or len(found) > MOST_BYTES:
        raise DoesNotDecodeError
    return found


def length_of_member(raw: bytes) -> int:
    """Return how many bytes the first member of gzip takes, 0 when it is broken: the shortest beginning that unzips whole."""
    for size in range(18, len(raw) + 1):
        with gzip.GzipFile(fileobj=io.BytesIO(raw[:size])) as file:
            try:
                file.read()
            except (OSError, EOFError, zlib.error):
                continue
        return size
    return 0


def as_text(raw: bytes) -> str:
    """Return the text that bytes hold."""
    is_wide = len(raw) % 2 == 0 and all(raw[at] == 0 for at in range(1, len(raw), 2))
    try:
        if raw[:2] == b"\xff\xfe":
            return raw[2:].decode("utf-16-le")
        if is_wide:
            return raw.decode("utf-16-le")
        return raw[3:].decode("utf-8") if raw[:3] == b"\xef\xbb\xbf" else raw.decode("utf-8")
    except UnicodeDecodeError:
        raise DoesNotDecodeError from None
