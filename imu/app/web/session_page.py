"""The page of one session: what it showed, repetition by repetition; corrections; what to take along; deleting it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from imu.app.web import dialogs
from imu.app.web import session_markup as still
from imu.app.web.curve_cache import CurveCache
from imu.app.web.frame import button
from imu.app.web.kept import ask_store, now
from imu.app.web.plots import recording_chart
from imu.app.web.small_curves import evenly, small_curves
from imu.errors import ImuError
from imu.motion.pattern import Pattern
from imu.report.curves import AngleCurve
from imu.report.markup import Markup, joined, tag
from imu.report.words import counted, number_of, sentence_of
from imu.store import CorrectedSession, Correction, CorrectionRefused, SessionStore, StoredSession
from imu.store.home import recordings_folder

FORMATS = (("csv", "CSV"), ("parquet", "Parquet"), ("json", "JSON"), ("fit", "FIT"), ("html", "Report"))
_TELL = "(event) => {{ const it = event.target.closest('[{0}]'); if (it) emit(it.getAttribute('{0}')); }}"


class SessionPage:
    """One session on one page; made anew after each correction.

    Parameters
    ----------
    number : int
        Of the session.
    curves : CurveCache
        Where trunk angles come from.
    """

    def __init__(self, number: int, curves: CurveCache) -> None:
        self._number = number
        self._curves = curves
        self._stored: StoredSession | None = None
        self._content = ui.element("div")
        self._above = ui.element("div")
        """Dialogs and messages: they outlive what is made anew."""

    async def show(self) -> None:
        """Fill the page."""
        try:
            stored = await ask_store(lambda store: store.load(self._number))
        except ImuError as error:
            stored, told = None, str(error)
        else:
            told = "no sessions are kept yet"
        self._content.clear()
        if stored is None:
            with self._content:
                ui.html(tag("h1", "No such session") + tag("p", told), sanitize=False)
            return
        curve = await self._curves.curve_of(stored)
        self._stored = stored
        with self._content:
            self._fill(stored, curve)

    def _fill(self, stored: StoredSession, curve: AngleCurve | str) -> None:
        session = stored.corrected
        heading = tag("h1", still.moment(stored.trained_at))
        _html(joined(heading, still.facts_markup(stored)))
        self._sets(session, curve)
        if isinstance(curve, AngleCurve):
            _html(tag("h2", "The recording"))
            label = "Trunk angle throughout the recording, with the repetitions marked"
            ui.plotly(recording_chart(curve, session)).classes("chart").props(f'role="group" aria-label="{label}"')
            _html(tag("p", "Drag to zoom in, double-click to see all.", class_="soft"))
        else:
            _html(tag("p", f"{curve[:1].upper()}{curve[1:]}.", class_="banner"))
        self._rejected(session)
        self._corrections(stored)
        self._take_along(stored)

    def _sets(self, session: CorrectedSession, curve: AngleCurve | str) -> None:
        if not session.sets:
            _html(tag("p", "No set was counted."))
            return
        table = _html(still.sets_markup(session, editable=True))
        table.on("click", self._on_set, js_handler=_TELL.format("data-set"))
        for number, one_set in enumerate(session.sets, 1):
            drawn: list[Markup | None] = [None] * len(one_set.repetitions)
            if isinstance(curve, AngleCurve):
                drawn = small_curves([evenly(curve, one) for one in one_set.repetitions])
            parts = (still.form_markup(one_set), still.repetitions_markup(number, one_set, drawn))
            cards = _html(joined(tag("h2", f"Set {number}"), *parts))
            cards.on("click", self._on_repetition, js_handler=_TELL.format("data-rep"))

    def _rejected(self, session: CorrectedSession) -> None:
        listed = still.rejected_markup(session)
        summary = tag("summary", f"{number_of(len(session.rejected), 'movement')} not counted")
        if listed is not None:
            element = _html(tag("details", summary, listed))
            element.on("click", self._on_rejected, js_handler=_TELL.format("data-rejected"))

    def _corrections(self, stored: StoredSession) -> None:
        _html(joined(tag("h2", "Corrections"), still.log_markup(stored.corrected)))
        with ui.element("div").classes("actions"):
            button("Add a repetition", self._on_missing)
            undo = button("Undo", lambda: self._turn(SessionStore.undo, "undone"))
            undo.set_enabled(bool(stored.corrected.log))
            if stored.undone:
                button("Redo", lambda: self._turn(SessionStore.redo, "made again"))

    def _take_along(self, stored: StoredSession) -> None:
        links = [
            tag("a", title, href=f"/take/{form}?session={stored.id}", download="", class_="button")
            for form, title in FORMATS
        ]
        _html(joined(tag("h2", "Take along"), tag("div", *links, class_="actions")))
        button("Delete this session", self._ask_to_delete, "danger")

    # -- what the person does

    def _on_set(self, event: GenericEventArguments) -> None:
        session = self._session()
        if (number := _index(event.args, len(session.sets), first=1)) is not None:
            with self._above:
                dialogs.set_dialog(session, number, self._make)

    def _on_repetition(self, event: GenericEventArguments) -> None:
        session, (of_set, _, number) = self._session(), str(event.args).partition("/")
        found = _index(of_set, len(session.sets), first=1)
        if found is not None and _index(number, len(session.sets[found - 1].repetitions), first=1) is not None:
            with self._above:
                dialogs.repetition_dialog(session, f"{of_set}/{number}", self._make)

    def _on_rejected(self, event: GenericEventArguments) -> None:
        session = self._session()
        if (index := _index(event.args, len(session.rejected), first=0)) is not None:
            with self._above:
                dialogs.rejected_dialog(session, index, self._make)

    def _on_missing(self) -> None:
        with self._above:
            dialogs.missing_dialog(self._make)

    def _session(self) -> CorrectedSession:
        if self._stored is None:
            raise CorrectionRefused("there is no session")
        return self._stored.corrected

    async def _make(self, wanted: Callable[[], Sequence[Correction]]) -> None:
        """Make corrections, and show the session as it counts then."""
        try:
            corrections = wanted()
            await ask_store(lambda store: store.correct_all(self._number, corrections, made_at=now()))
        except (ImuError, ValueError) as error:
            self._refuse(error)
            return
        await self.show()
        for one in corrections:
            self._tell(f"{sentence_of(one)}; Undo takes it back")

    async def _turn(self, how: Callable[[SessionStore, int], Correction | None], told: str) -> None:
        try:
            turned = await ask_store(lambda store: how(store, self._number))
        except ImuError as error:
            self._refuse(error)
            return
        await self.show()
        if turned is not None:
            self._tell(f"{told}: {sentence_of(turned)}")

    def _tell(self, text: str) -> None:
        with self._above:
            ui.notify(text, classes="said")

    def _refuse(self, error: Exception) -> None:
        with self._above:
            ui.notify(str(error), classes="said refused", timeout=8000)

    def _ask_to_delete(self) -> None:
        session = self._session()
        patterns = (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)
        text = f"{counted(*(session.count(one) for one in patterns))}. Its recording goes too. This cannot be undone."
        with self._above:
            dialogs.sure_dialog("Delete this session?", text, "Delete it", self._delete)

    async def _delete(self) -> None:
        try:
            await ask_store(lambda store: store.delete(self._number, recordings_folder()))
        except ImuError as error:
            self._refuse(error)
            return
        ui.navigate.to("/sessions")


def _html(markup: Markup) -> ui.html:
    """Put markup onto the page; it is ours, with all texts escaped."""
    return ui.html(markup, sanitize=False)


def _index(given: object, count: int, *, first: int) -> int | None:
    """Return a number that a page sent, if there is such a thing."""
    text = str(given)
    number = int(text) if text.isdecimal() and len(text) < 7 else -1
    return number if first <= number < first + count else None
