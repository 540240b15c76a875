"""The report as Markdown, for tickets and reviews: the same matter as the page, without the picture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.spending import money_text
from aibr_hunt.model.text import for_markdown, for_markdown_prose, shorten
from aibr_hunt.report import words
from aibr_hunt.report.findings import Findings
from aibr_hunt.report.page import BYTE_CLASS_TEXT, Page, build_page

_SENTENCE_CHARACTERS = 2000
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


def render_markdown(findings: Findings) -> str:
    """Return the whole report in GitHub's Markdown. No text of a log is active in it, not even as a bare link."""
    page = build_page(findings)
    told = {card.lead.id for card in page.cards}
    text = (
        page_environment()
        .get_template("report.md.j2")
        .render(
            page=page,
            findings=findings,
            extent=findings.extent,
            links=lambda ids: _links(page, told, ids),
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _links(page: Page, told: set[str], ids: Iterable[str]) -> Markup:
    """Return lead ids, as links where the lead has a section of its own; then a count of the others."""
    every = list(dict.fromkeys(ids))
    shown = [_link(lead_id, is_told=lead_id in told) for lead_id in every[: page.findings.extent.links]]
    more = f" and {words.number(len(every) - len(shown))} more" if len(every) > len(shown) else ""
    return Markup(", ".join(shown) + more)  # noqa: S704 - each part is escaped for Markdown; Markup marks it as done


def _link(lead_id: str, *, is_told: bool) -> str:
    # Renderers give a heading the anchor of its text in lower case.
    return f"[{lead_id}](#{lead_id.lower()})" if is_told and _PLAIN_ID.fullmatch(lead_id) else for_markdown(lead_id)


def _value(text: str, limit: int = 0) -> Markup:
    return Markup(for_markdown(text, limit=limit))  # noqa: S704 - see _links


def _heading(lead_id: str) -> Markup:
    return Markup(lead_id if _PLAIN_ID.fullmatch(lead_id) else for_markdown(lead_id))  # noqa: S704 - see _links


def _finalize(value: object) -> object:
    """Escape every printed text that no filter has marked as done, so that no template can forget to."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else for_markdown_prose(shorten(value, _SENTENCE_CHARACTERS))


@cache
def page_environment() -> Environment:
    """Return the environment of every Markdown page: whatever a template prints is escaped for Markdown."""
    environment = Environment(
        loader=PackageLoader("aibr_hunt.report"),
        autoescape=False,  # noqa: S701 - the output is Markdown; `finalize` escapes for it
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        v=_value,
        heading=_heading,
        number=words.number,
        size=words.byte_size,
        time=words.time_text,
        window=words.window_text,
        span=words.span_text,
        listed=words.listed,
        money=money_text,
    )
    environment.globals.update(plural=words.plural, byte_classes=tuple(BYTE_CLASS_TEXT[kind] for kind in ByteClass))
    return environment
