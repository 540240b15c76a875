"""The report as one HTML file that needs nothing else: no script, no font, no image, no network."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.spending import money_text
from aibr_hunt.model.text import shorten, visible
from aibr_hunt.report import words
from aibr_hunt.report.findings import Findings
from aibr_hunt.report.page import BYTE_CLASS_TEXT, Page, build_page
from aibr_hunt.report.timeline_svg import can_draw, timeline_svg

_VALUE = Markup('<span class="v">{}</span>')
_NAME = Markup('<span class="k">{}</span>')
_NOTHING = Markup('<span class="none">\u2014</span>')
_NAME_CHARACTERS = 80
_SENTENCE_CHARACTERS = 2000
_LEVEL_SIGNS = {"critical": "\u25c6", "high": "\u25b2", "medium": "\u25a0", "low": "\u25cf", "informational": "\u25bc", "other": "\u271a"}


def render_html(findings: Findings) -> str:
    """Return the whole page. Equal findings give equal text; nothing of a log is active in it."""
    page = build_page(findings)
    drawing = timeline_svg(page.leads, coverage=findings.coverage, link=lambda lead_id: _address(page, lead_id))
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            findings=findings,
            extent=findings.extent,
            timeline=Markup(drawing) if drawing else "",  # noqa: S704 - our own drawing; its texts are escaped where they enter
            can_draw=can_draw(),
            links=lambda ids: _links(page, ids),
            anchor=lambda lead_id: page.anchors.get(lead_id, ""),
        )
    )


def _address(page: Page, lead_id: str) -> str:
    anchor = page.anchors.get(lead_id, "")
    return f"#{anchor}" if anchor else ""


def _links(page: Page, ids: Iterable[str]) -> Markup:
    """Return lead ids as links to where they are shown, at most as many as the extent says, then a count."""
    every = list(dict.fromkeys(ids))
    shown = [_link(page, lead_id) for lead_id in every[: page.findings.extent.links]]
    if len(every) > len(shown):
        shown.append(Markup("<span>and {} more</span>").format(words.number(len(every) - len(shown))))
    return Markup('<span class="ids">{}</span>').format(Markup(" ").join(shown)) if shown else Markup("")


def _link(page: Page, lead_id: str) -> Markup:
    text = visible(lead_id)
    address = _address(page, lead_id)
    return Markup('<a href="{}">{}</a>').format(address, text) if address else Markup("<span>{}</span>").format(text)


def _value(text: str, limit: int = 0) -> Markup:
    """Return a text of the log as one isolated, marked span: its direction cannot reach beyond it."""
    return _VALUE.format(_safe_text(text, limit)) if text else _NOTHING


def _name(text: str) -> Markup:
    """Return the name of a rule or a source in fixed pitch; it is not broken inside, so that it can be searched for."""
    return _NAME.format(_safe_text(text, _NAME_CHARACTERS)) if text else _NOTHING


def _safe_text(text: str, limit: int = 0) -> str:
    shown = visible(text)
    return shorten(shown, limit) if limit else shown


def _finalize(value: object) -> object:
    """Make every printed text visible and bounded, so that no template can forget to: autoescaping then does the rest."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else _safe_text(value, _SENTENCE_CHARACTERS)


def _badge(level: str) -> Markup:
    name = words.level_name(level)
    return Markup('<span class="badge {}"><i aria-hidden="true">{}</i>{}</span>').format(name, _LEVEL_SIGNS[name], visible(level))


def _digest(text: str) -> Markup:
    return Markup('<code class="digest">{}</code>').format(visible(text)) if text else _NOTHING


@cache
def page_environment() -> Environment:
    """Return the environment of every HTML page: whatever a template prints is escaped, visible and bounded."""
    environment = Environment(
        loader=PackageLoader("aibr_hunt.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        v=_value,
        k=_name,
        cut=_safe_text,
        level=words.level_name,
        badge=_badge,
        digest=_digest,
        number=words.number,
        size=words.byte_size,
        time=words.time_text,
        window=words.window_text,
        span=words.span_text,
        listed=words.listed,
        money=money_text,
    )
    environment.globals.update(plural=words.plural, byte_classes=tuple(BYTE_CLASS_TEXT[kind] for kind in ByteClass), escape=escape)
    return environment
