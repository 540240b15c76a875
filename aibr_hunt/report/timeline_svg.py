"""The timeline as one SVG, drawn by matplotlib. No text of a log or a rule passes through matplotlib.

Labels, links and tool tips are placeholders while matplotlib works (it would read `$` as mathematics and complain of
characters that its font lacks) and are put in afterwards, escaped. Colours become CSS variables with the drawn colour as
fallback, so that the picture follows the page into the dark and stands alone as a file.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from aibr_hunt.model.lead import CoverageRow, Lead
from aibr_hunt.model.text import shorten, visible
from aibr_hunt.report.timeline import LaneBy, Mark, Plot, lay_out, moment
from aibr_hunt.report.words import LEVELS, level_name, listed, plural, time_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Shape and colour both tell the level: shapes for those who do not tell these colours apart, and for print.
_SHAPES: Mapping[str, str] = {"critical": "D", "high": "^", "medium": "s", "low": "o", "informational": "v", "other": "P"}
_COLOURS: Mapping[str, str] = {
    "critical": "#a4123f",
    "high": "#c2510c",
    "medium": "#8a6a00",
    "low": "#1f6f8b",
    "informational": "#5b6472",
    "other": "#6b4fa0",
}
_INK, _FAINT, _RULE, _BLIND, _PAPER = "#1d2433", "#5a6374", "#d9dde4", "#c9ced8", "#fdfdfe"
_VARIABLES: Mapping[str, str] = {
    _INK: "ink",
    _FAINT: "faint",
    _RULE: "rule",
    _BLIND: "blind",
    _PAPER: "paper",
    **{colour: f"level-{level}" for level, colour in _COLOURS.items()},
}
_WIDTH_INCHES = 15.0
_LANE_INCHES = 0.46
_FRAME_INCHES = 1.15
_CHARACTER_INCHES = 0.1
_LABEL_MARGIN_INCHES = 0.3
_LABEL_CHARACTERS = 40
_IDS_IN_TIP = 6
_SMALLEST_MARK, _LARGEST_MARK = 85.0, 340.0
_MARK_PLACEHOLDER = "#aibr-mark-"
_MARK_LINK = re.compile(rf'<a href="{_MARK_PLACEHOLDER}(\d+)-"[^>]*>')


def timeline_svg(
    leads: Sequence[Lead],
    *,
    lanes: LaneBy = "rule",
    coverage: Iterable[CoverageRow] = (),
    link: Callable[[str], str] = lambda lead_id: f"#{lead_id}",
) -> str | None:
    """Return the timeline as an SVG element; None when no lead has a time or matplotlib is not installed.

    Args:
        leads: In any order; those without a time are left out.
        lanes: One row a rule, or one a principal.
        coverage: Windows that were not looked at are shaded in the rows of their rules.
        link: The address of a lead in the page that will hold the picture; empty for no link.
    """
    plot = lay_out(leads, lanes=lanes, coverage=coverage)
    return draw(plot, link=link) if plot is not None else None


def can_draw() -> bool:
    """Return True when matplotlib is installed."""
    try:
        import matplotlib as _  # noqa: F401, ICN001, PLC0415 - half a second that only this module may cost
    except ImportError:
        return False
    return True


def draw(plot: Plot, *, link: Callable[[str], str]) -> str | None:
    """Return the plot as an SVG element; None when matplotlib is not installed."""
    if not can_draw():
        return None
    return _finish(_draw_raw(plot), plot, link)


def _draw_raw(plot: Plot) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - see can_draw
    from matplotlib.figure import Figure  # noqa: PLC0415

    height = _FRAME_INCHES + _LANE_INCHES * len(plot.lanes)
    with mpl.rc_context():
        mpl.rcdefaults()  # a user's own style file must not change a report
        mpl.rcParams.update({"svg.hashsalt": "aibr-hunt", "svg.fonttype": "none", "font.family": "DejaVu Sans", "hatch.linewidth": 0.8})
        figure = Figure(figsize=(_WIDTH_INCHES, height))
        left = _LABEL_MARGIN_INCHES + _CHARACTER_INCHES * max(len(_lane_text(plot, place)) for place in range(len(plot.lanes)))
        axes = figure.add_axes(
            (left / _WIDTH_INCHES, 0.6 / height, (_WIDTH_INCHES - left - 0.35) / _WIDTH_INCHES, 1 - _FRAME_INCHES / height)
        )
        figure.patch.set_alpha(0.0)
        axes.patch.set_alpha(0.0)
        _draw_frame(axes, plot)
        _draw_marks(axes, plot)
        _draw_legend(axes, plot)
        sheet = io.StringIO()
        figure.savefig(sheet, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return sheet.getvalue()


def _draw_frame(axes: Axes, plot: Plot) -> None:
    axes.set_xlim(plot.start_s, plot.end_s)
    axes.set_ylim(len(plot.lanes) - 0.5, -0.5)
    axes.set_yticks(range(len(plot.lanes)), [f"aibr-lane-{place}-" for place in range(len(plot.lanes))])
    axes.set_xticks([at for at, _ in plot.ticks], [text.split("\n")[0] for _, text in plot.ticks])
    axes.tick_params(axis="y", length=0, labelsize=12, labelcolor=_INK, pad=10)
    axes.tick_params(axis="x", length=4, labelsize=11, labelcolor=_FAINT, color=_RULE)
    for at, text in plot.ticks:
        for day in text.split("\n")[1:]:  # a second line inside a tick label would lose its centring in the reader's font
            axes.annotate(
                day, (at, 0), xycoords=("data", "axes fraction"), xytext=(0, -33), textcoords="offset points",
                ha="center", fontsize=10, color=_FAINT,
            )  # fmt: skip
    axes.grid(visible=True, axis="x", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_RULE)
    for place, lane in enumerate(plot.lanes):
        axes.axhline(place, color=_RULE, linewidth=0.8, zorder=1)
        for start, end in lane.blind:
            axes.axvspan(
                start, end, ymin=1 - (place + 0.9) / len(plot.lanes), ymax=1 - (place + 0.1) / len(plot.lanes),
                facecolor="none", edgecolor=_BLIND, hatch="////", linewidth=0.8, zorder=1.5,
            )  # fmt: skip


def _draw_marks(axes: Axes, plot: Plot) -> None:
    """Draw one collection a shape: matplotlib gives each mark of a collection its own link."""
    most = max(len(mark.lead_ids) for mark in plot.marks)
    for level, shape in _SHAPES.items():
        chosen = [(place, mark) for place, mark in enumerate(plot.marks) if level_name(mark.level) == level]
        if not chosen:
            continue
        points = axes.scatter(
            [mark.at_s for _, mark in chosen],
            [mark.lane for _, mark in chosen],
            s=[_mark_area(mark, most) for _, mark in chosen],
            marker=shape,
            c=_COLOURS[level],
            edgecolors=_PAPER,
            linewidths=0.9,
            zorder=3,
        )
        points.set_urls([f"{_MARK_PLACEHOLDER}{place}-" for place, _ in chosen])
    for mark in plot.marks:
        if len(mark.lead_ids) > 1:
            above = (0.0, math.sqrt(_mark_area(mark, most)) / 2 + 2.5)
            axes.annotate(
                f"{len(mark.lead_ids)}", (mark.at_s, mark.lane), xytext=above, textcoords="offset points",
                ha="center", fontsize=9, color=_FAINT, zorder=4,
            )  # fmt: skip


def _mark_area(mark: Mark, most: int) -> float:
    if most == 1:
        return _SMALLEST_MARK
    return _SMALLEST_MARK + (_LARGEST_MARK - _SMALLEST_MARK) * math.sqrt((len(mark.lead_ids) - 1) / (most - 1))


def _draw_legend(axes: Axes, plot: Plot) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - see can_draw
    from matplotlib.patches import Patch  # noqa: PLC0415

    shown = {level_name(mark.level) for mark in plot.marks}
    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=_SHAPES[level], color=_COLOURS[level], linestyle="none", markersize=8, label=level)
        for level in (*LEVELS, "other")
        if level in shown
    ]
    if any(lane.blind for lane in plot.lanes):
        handles.append(Patch(facecolor="none", edgecolor=_BLIND, hatch="////", label="not looked at"))
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles), frameon=False, fontsize=11,
        labelcolor=_FAINT, handletextpad=0.4, columnspacing=1.6, borderaxespad=0.2,
    )  # fmt: skip


def _finish(raw: str, plot: Plot, link: Callable[[str], str]) -> str:
    body = raw[raw.index("<svg") :]
    body = re.sub(r"<style type=\"text/css\">.*?</style>", "", body, flags=re.DOTALL)  # it would style the whole page
    body = re.sub(r"#[0-9a-f]{6}", lambda found: _colour(found[0]), body)
    body = body.replace("'DejaVu Sans'", "var(--sans, sans-serif)").replace("xlink:href", "href")
    body = re.sub(r"aibr-lane-(\d+)-", lambda found: _lane_label(plot, int(found[1])), body)
    body = _MARK_LINK.sub(lambda found: _open_link(plot.marks[int(found[1])], link), body)
    opening, rest = body.split(">", 1)
    viewbox = re.search(r'viewBox="[^"]*"', opening)
    return (
        f'<svg class="timeline" role="group" aria-labelledby="timeline-title timeline-desc" xmlns="http://www.w3.org/2000/svg" '
        f"{viewbox[0] if viewbox else ''}>"
        f'<title id="timeline-title">Timeline of leads</title><desc id="timeline-desc">{escape(_describe(plot))}</desc>'
        f"{rest.strip()}"
    )


def _colour(colour: str) -> str:
    return f"var(--{_VARIABLES[colour]}, {colour})" if colour in _VARIABLES else colour


def _lane_label(plot: Plot, place: int) -> str:
    return escape(_lane_text(plot, place))


def _lane_text(plot: Plot, place: int) -> str:
    return shorten(visible(plot.lanes[place].label), _LABEL_CHARACTERS)


def _open_link(mark: Mark, link: Callable[[str], str]) -> str:
    left_out = len(mark.lead_ids) - _IDS_IN_TIP
    ids = listed([*mark.lead_ids[:_IDS_IN_TIP], *([f"{left_out} more"] if left_out > 0 else [])])
    span = time_text(mark.first) if mark.first == mark.last else f"{time_text(mark.first)} to {time_text(mark.last)}"
    tip = f"{plural(len(mark.lead_ids), 'lead')}, {level_name(mark.level)}, {span}: {ids}"
    target = link(mark.lead_ids[0])
    address = f' href="{escape(target)}"' if target else ""
    return f"<a{address}><title>{escape(visible(tip))}</title>"


def _describe(plot: Plot) -> str:
    lanes = "; ".join(f"{visible(lane.label)}: {plural(lane.leads, 'lead')}" for lane in plot.lanes)
    span = f"from {time_text(moment(plot.start_s))} to {time_text(moment(plot.end_s))}"
    return f"{plural(plot.leads, 'lead')} in {plural(len(plot.lanes), 'row')}, {span}. {lanes}. Each mark links to its gravest lead."
