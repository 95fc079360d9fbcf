"""A session as it counts -> the still parts of its page, as HTML.

Buttons in it carry what they are about (``data-rep="2/3"``); what happens when one is pressed is the page's business
(:mod:`imu.app.web.session_page`). A pattern is told by its word and shape, by colour only beside that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from imu.motion.pattern import Pattern
from imu.report.cues import cues
from imu.report.markup import Markup, changes_of, joined, loads_of, means_of, tag
from imu.report.words import clock, counted, flaws, load, log_line, tempo
from imu.store import CorrectedRepetition, CorrectedSession, CorrectedSet, StoredSession

_SHAPES = {
    Pattern.SQUAT: "M12 2a10 10 0 1 0 .01 0Z",
    Pattern.HINGE: "M12 2L23 21H1Z",
    Pattern.MIXED: "M12 1L23 12 12 23 1 12Z",
    Pattern.UNCERTAIN: "M3 3H21V21H3Z",
}
_SET_HEADINGS = (
    ("Set", ""),
    ("Exercise", ""),
    ("Load", "kg"),
    ("Pattern", ""),
    ("Reps", ""),
    ("Angle", "°"),
    ("Depth", "m"),
    ("Tempo", "s, down-pause-up"),
    ("Speed up", "m/s"),
    ("Speed lost", "%"),
    ("", ""),
)


def pattern_markup(pattern: Pattern) -> Markup:
    """Return a pattern as shape and word."""
    shape = tag("svg", tag("path", d=_SHAPES[pattern]), viewBox="0 0 24 24", class_="shape small", aria_hidden="true")
    return tag("span", shape, str(pattern), class_=f"pattern {pattern}")


def moment(when: datetime) -> str:
    """Return a moment as people say it."""
    return f"{when.astimezone():%A %d %B %Y, %H:%M}"


def facts_markup(stored: StoredSession) -> Markup:
    """Return what stands above everything: what was counted, where the load went, what was wrong with the data."""
    session = stored.corrected
    squats, hinges = session.count(Pattern.SQUAT), session.count(Pattern.HINGE)
    facts = [("Counted", counted(squats, hinges, session.count(Pattern.UNCERTAIN)))]
    facts += [("Load", load(squats, hinges))] if squats + hinges else []
    rate = "" if stored.summary.sampling_rate_hz is None else f", {stored.summary.sampling_rate_hz:.4g} Hz"
    facts.append(("Duration", f"{clock(stored.summary.duration_s)} min{rate}"))
    facts += [("Data", text) for text in ["; ".join(flaws(stored.summary))] if text]
    return tag("dl", *(joined(tag("dt", name), tag("dd", text)) for name, text in facts), class_="facts")


def sets_markup(session: CorrectedSession, *, editable: bool) -> Markup:
    """Return the table of sets."""
    headings = _SET_HEADINGS if editable else _SET_HEADINGS[:-1]
    head = [
        tag("th", name or tag("span", "Change", class_="sr"), tag("small", f" {unit}") if unit else None, scope="col")
        for name, unit in headings
    ]
    rows = [_set_row(number, one, editable=editable) for number, one in enumerate(session.sets, 1)]
    table = tag("table", tag("caption", "Sets", class_="sr"), tag("thead", tag("tr", *head)), tag("tbody", *rows))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Sets")


def _set_row(number: int, one: CorrectedSet, *, editable: bool) -> Markup:
    numbers = [str(len(one.repetitions)), *means_of(one)]
    note = None if one.note is None else tag("div", one.note, class_="note")
    change = tag(
        "button", "Change", type="button", class_="plain", data_set=str(number), aria_label=f"Change set {number}"
    )
    return tag(
        "tr",
        tag("th", str(number), scope="row"),
        tag("td", one.exercise or "", note),
        tag("td", loads_of(one), class_="number"),
        tag("td", pattern_markup(one.pattern)),
        *(tag("td", cell or "–", class_="number") for cell in numbers),
        tag("td", change) if editable else None,
    )


def form_markup(one: CorrectedSet) -> Markup | None:
    """Return what a coach would say of a set, where the numbers are clear of their error."""
    said = [] if one.measured is None else cues(one.measured)
    return tag("p", "Form: ", tag("strong", "; ".join(said)), class_="form") if said else None


def repetitions_markup(set_number: int, one_set: CorrectedSet, curves: Sequence[Markup | None]) -> Markup:
    """Return the repetitions of a set as cards; each is a button that corrects it."""
    cards = [
        tag("li", _card(f"{set_number}/{number}", number, one, curve))
        for number, (one, curve) in enumerate(zip(one_set.repetitions, curves, strict=True), 1)
    ]
    return tag("ol", *cards, class_="reps")


def _card(place: str, number: int, one: CorrectedRepetition, curve: Markup | None) -> Markup:
    measured = one.measured
    if measured is None:
        figures = "added, not measured"
    else:
        degrees, centimetres = math.degrees(measured.trunk_angle_rad), 100 * measured.hip_drop_m
        figures = f"{degrees:.0f}°  {centimetres:.0f} cm\n{tempo([measured])} s"
    changes = changes_of(one)
    return tag(
        "button",
        tag(
            "span",
            tag("strong", str(number)),
            pattern_markup(one.pattern),
            tag("span", clock(one.start_s), class_="soft"),
        ),
        curve,
        tag("span", figures, class_="figures-line"),
        tag("span", changes, class_="changes") if changes else None,
        type="button",
        class_="rep",
        data_rep=place,
    )


def rejected_markup(session: CorrectedSession) -> Markup | None:
    """Return the movements that were not counted, with the reason, and the offer to count those that have figures."""
    if not session.rejected:
        return None
    items = []
    for number, one in enumerate(session.rejected):
        detail = ""
        if one.repetition is not None:
            figures = one.repetition
            detail = (
                f" ({figures.pattern}, {math.degrees(figures.trunk_angle_rad):.0f}°, {100 * figures.hip_drop_m:.0f} cm)"
            )
        label = f"Count the movement at {clock(one.start_s)}"
        offer = tag("button", "Count it", type="button", class_="plain", data_rejected=str(number), aria_label=label)
        items.append(tag("li", tag("span", f"{clock(one.start_s)}  {one.reason}{detail}"), offer))
    return tag("ul", *items, class_="rejected")


def log_markup(session: CorrectedSession) -> Markup | None:
    """Return what was corrected, in the order in which it was."""
    return tag("ol", *(tag("li", log_line(one)) for one in session.log), class_="log") if session.log else None
