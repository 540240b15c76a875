"""Networks as patterns, for engines that have no test on addresses or none that refuses what is no bare address."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Network

OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
QUAD = rf"{OCTET}(?:\.{OCTET}){{3}}"


def dotted_quads(network: str) -> str:
    """Return an RE2 pattern for the dotted quads inside an IPv4 network, alone or behind `::ffff:`."""
    parsed = IPv4Network(network)
    first, last = parsed.network_address.packed, parsed.broadcast_address.packed
    octets = r"\.".join(_octets(low, high) for low, high in zip(first, last, strict=True))
    return rf"\A(?:(?i:::ffff:))?{octets}\z"


@cache
def _octets(low: int, high: int) -> str:
    """Return a pattern for the numbers from low to high, without leading zeros."""
    if low == high:
        return str(low)
    if (low, high) == (0, 255):
        return OCTET
    parts: list[str] = []
    at = low
    while at <= high:
        if at % 100 == 0 and at >= 100 and at + 99 <= high:
            parts.append(f"{at // 100}[0-9]{{2}}")
            at += 100
        elif at >= 10 and at % 10 == 0 and at + 9 <= high:
            parts.append(f"{at // 10}[0-9]")
            at += 10
        else:
            end = min(high, at - at % 10 + 9)
            stem = str(at // 10) if at >= 10 else ""
            parts.append(f"{stem}{at % 10}" if end == at else f"{stem}[{at % 10}-{end % 10}]")
            at = end + 1
    return f"(?:{'|'.join(parts)})"
