"""The live view of a training: from events as a session gives them, and from a real recording."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from builders import CONNECTED, counted, happenings, rejected, set_of, squats, views
from builders import live_repetition as repetition
from hypothesis import given

from imu.bluetooth import LinkState
from imu.live.event_channel import event_object
from imu.live.live_training import LONE_OFFERED_S, MESSAGE_SHOWN_S, MESSAGES, NOT_COUNTED_SHOWN_S, LiveTraining, tally
from imu.live.live_view import Gravity, Link, LiveView, Tally, TrainedBefore
from imu.live.set_view import Phase
from imu.live.signals import form_cue as cue
from imu.live.signals import velocity_loss_of_set as velocity_loss
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.recordings.recording import read_recording
from imu.report.cues import cues
from imu.samples import Gap
from imu.sensors.conversation import (
    Battery,
    Caution,
    Identified,
    Malformed,
    Refused,
    Restarted,
    SamplesLost,
    SamplesRecovered,
)
from imu.session import (
    Event,
    GapFound,
    RepetitionTakenBack,
    RestBegan,
    Session,
    SetClosed,
)

RECORDINGS = Path(__file__).parent.parent / "recordings"


@pytest.fixture
def live():
    training = LiveTraining(TrainedBefore(Tally(10, 5), Tally(100, 50)), rest_target_s=60.0)
    training.tick(0.0, 0.0)
    return training


# --- sets ------------------------------------------------------------------------------------------------------------


def test_before_anything_there_is_nothing_to_show(live):
    view = live.view()
    assert (view.phase, view.count, view.set_number, view.shown, view.rest_s) == (Phase.WAITING, 0, 0, None, None)
    assert view.today == Tally(10, 5)
    assert view.link.state is LinkState.SEARCHING


def test_a_set_counts_up_closes_and_the_next_begins(live):
    first = counted(live, *(repetition(10 + 3 * i) for i in range(5)))
    view = live.view()
    assert (view.phase, view.count, view.set_number, view.shown.pattern) == (Phase.SET, 5, 1, Pattern.SQUAT)
    assert (view.first, view.last) == (first[0], first[-1])
    live.take(SetClosed(set_of(*first)))
    view = live.view()
    assert (view.phase, view.count, view.set_number) == (Phase.REST, 5, 1)
    counted(live, repetition(60.0, Pattern.HINGE))
    view = live.view()
    assert (view.phase, view.count, view.set_number, view.shown.pattern) == (Phase.SET, 1, 2, Pattern.HINGE)
    assert (view.session, view.today, view.last_28_days) == (Tally(5, 1), Tally(15, 6), Tally(105, 51))
    assert view.counted == 6


def test_uncertain_repetitions_are_in_the_count_and_in_neither_balance(live):
    counted(live, repetition(), repetition(13, Pattern.UNCERTAIN, confidence=0.5))
    assert (live.view().count, live.view().session) == (2, Tally(1, 0))


def test_the_clock_goes_on_without_samples_and_never_back(live):
    live.tick(1000.0, 12.6)  # the two clocks have nothing to do with each other
    counted(live, repetition(10.0))  # ends at 12.5 s
    assert live.view().set_s == pytest.approx(2.6)
    live.tick(1005.0, 12.6)  # the connection is lost
    assert live.view().rest_s == pytest.approx(5.1)
    live.tick(1005.5, 13.0)  # and what was kept back comes
    assert live.view().rest_s == pytest.approx(5.1)
    live.tick(1006.0, 20.0)
    assert live.view().rest_s == pytest.approx(7.5)


def test_before_the_first_sample_the_sessions_clock_stands(live):
    live.tick(500.0, 0.0)
    live.tick(600.0, 0.0)
    live.tick(600.1, 0.1)
    counted(live, repetition(0.0))
    assert live.view().set_s == pytest.approx(2.5)


def test_a_rest_is_over_when_it_has_lasted_as_long_as_meant(live):
    done = counted(live, repetition(10.0), repetition(14.0))  # the last ends at 16.5 s
    live.tick(0.0, 76.4)
    assert not live.view().rest_is_over  # the set is not over
    live.take(SetClosed(set_of(*done)))
    assert not live.view().rest_is_over
    live.tick(0.2, 76.5)
    assert live.view().rest_is_over
    live.rest_for(None)
    assert not live.view().rest_is_over


def test_the_rest_clock_starts_before_the_set_is_closed(live):
    first = counted(live, repetition(10.0), repetition(14.0))  # the last ends at 16.5 s
    live.tick(0.0, 23.6)
    assert live.view().phase is Phase.SET
    live.take(RestBegan(16.5))
    view = live.view()
    assert (view.phase, view.count, view.set_number, view.set_may_go_on) == (Phase.REST, 2, 1, True)
    assert view.rest_s == pytest.approx(7.1)
    assert view.sets == ()
    again = counted(live, repetition(24.0))
    view = live.view()
    assert (view.phase, view.count, view.set_number, view.set_may_go_on) == (Phase.SET, 3, 1, True)
    live.take(RestBegan(26.5))
    live.take(SetClosed(set_of(*first, *again)))
    live.tick(0.0, 86.4)
    view = live.view()
    assert (view.phase, view.count, view.set_number, view.set_may_go_on) == (Phase.REST, 3, 1, False)
    assert (view.rest_s, view.rest_is_over) == (pytest.approx(59.9), False)
    live.tick(0.2, 86.5)
    assert live.view().rest_is_over


def test_a_rest_goes_on_though_the_last_repetition_is_taken_back(live):
    one, two = counted(live, repetition(10.0), repetition(14.0))
    live.tick(0.0, 24.0)
    live.take(RestBegan(16.5))
    live.take(RepetitionTakenBack(two))
    assert (live.view().phase, live.view().rest_s) == (Phase.REST, pytest.approx(7.5))
    live.take(RepetitionTakenBack(one))
    assert live.view().phase is Phase.WAITING


def test_a_repetition_taken_back_leaves_its_set(live):
    one, two, three = counted(live, *(repetition(10 + 3 * i) for i in range(3)))
    live.take(RepetitionTakenBack(three))
    assert (live.view().count, live.view().session, live.view().taken_back) == (2, Tally(2, 0), 1)
    live.take(SetClosed(set_of(one, two)))
    live.take(RepetitionTakenBack(two))
    assert (live.view().phase, live.view().sets) == (Phase.REST, (set_of(one),))
    live.take(RepetitionTakenBack(one))
    assert (live.view().phase, live.view().sets, live.view().today) == (Phase.WAITING, (), Tally(10, 5))


def test_a_lone_movement_is_offered_until_kept(live):
    (lone,) = counted(live, repetition())
    live.take(rejected("alone", lone))
    view = live.view()
    assert (view.phase, view.lone, view.session, view.not_counted) == (Phase.WAITING, lone, Tally(), None)
    live.take(SetClosed(set_of(lone)))
    view = live.view()
    assert (view.phase, view.lone, view.session) == (Phase.REST, None, Tally(1, 0))


def test_the_offer_ends_with_the_next_repetition_and_with_time(live):
    (lone,) = counted(live, repetition())
    live.take(rejected("alone", lone))
    live.tick(LONE_OFFERED_S - 0.1, 0.0)
    assert live.view().lone == lone
    live.tick(LONE_OFFERED_S + 0.1, 0.0)
    assert live.view().lone is None
    live.take(rejected("alone", lone))
    counted(live, repetition(40.0))
    assert live.view().lone is None


def test_sets_that_close_together_stay_apart(live):
    """Eight squats and putting the weight down: one set and a lone movement, from one going on."""
    *squats, lone = counted(live, *(repetition(10 + 3 * i) for i in range(8)), repetition(34, Pattern.HINGE))
    live.take(SetClosed(set_of(*squats)))
    live.take(rejected("alone", lone))
    view = live.view()
    assert (view.phase, view.count, view.lone, view.session) == (Phase.REST, 8, lone, Tally(8, 0))


def test_a_set_kept_late_stands_where_it_was(live):
    (lone,) = counted(live, repetition(5.0))
    live.take(rejected("alone", lone))
    later = counted(live, repetition(30.0), repetition(33.0))
    live.take(SetClosed(set_of(*later)))
    live.take(SetClosed(set_of(lone)))
    assert live.view().sets == (set_of(lone), set_of(*later))
    assert live.view().count == 2


def test_the_reason_why_a_movement_was_not_counted_is_shown_for_a_while(live):
    live.take(rejected("sat down"))
    live.tick(2.0, 0.0)
    assert live.view().not_counted == "sat down"
    live.tick(NOT_COUNTED_SHOWN_S, 0.0)
    assert live.view().not_counted is None


def test_a_movement_that_was_a_part_of_a_repetition_is_no_longer_called_not_counted(live):
    live.take(rejected("too small"))
    counted(live, repetition(start_s=2.1))  # another movement
    assert live.view().not_counted == "too small"
    counted(live, repetition(start_s=0.9))
    assert live.view().not_counted is None


# --- the sensor ------------------------------------------------------------------------------------------------------


def test_name_battery_and_trouble_of_the_sensor_are_shown(live):
    identified = Identified("7", "Hip", "1.2", 100.0, (1.0, 1.0))
    for notice in (identified, Battery(80.0), SamplesLost(20), SamplesLost(5), SamplesLost(None)):
        live.take(notice)
    for notice in (SamplesRecovered(200), Malformed(3, "too short"), Malformed(4, "too short")):
        live.take(notice)
    view = live.view()
    assert view.battery_percent == 80.0
    assert (view.samples_lost, view.losses_of_unknown_size, view.samples_recovered, view.malformed) == (25, 1, 200, 2)
    assert view.messages == ()


def test_how_long_the_link_has_been_like_that(live):
    live.tick(10.0, 0.0)
    live.take(CONNECTED)
    live.tick(15.0, 0.0)
    live.take(replace(CONNECTED, rssi_dbm=-80.0))  # another strength, the same state
    live.tick(17.0, 0.0)
    assert (live.view().link_s, live.view().link.rssi_dbm) == (7.0, -80.0)
    live.take(Link(LinkState.LOST, "Hip 7", 1))
    assert live.view().link_s == 0.0


def test_a_lost_sensor_is_lost_until_it_is_back(live):
    live.take(CONNECTED)
    live.tick(10.0, 0.0)
    live.take(Link(LinkState.LOST, "Hip 7", 1))
    live.tick(13.0, 0.0)
    live.take(Link(LinkState.SEARCHING, None, 2))
    live.take(Link(LinkState.CONNECTING, "Hip 7", 3))
    assert (live.view().link, live.view().link_s) == (Link(LinkState.LOST, "Hip 7", 3), 3.0)
    live.take(CONNECTED)
    assert (live.view().link, live.view().link_s) == (CONNECTED, 0.0)


def test_a_posture_moves_evenly_between_two_packets(live):
    live.take(CONNECTED)
    live.tick(1.0, 1.0, Posture(0.1, 0.2))
    live.tick(1.1, 1.1, Posture(0.3, 0.4))
    shown = []
    for now_s in (1.1, 1.125, 1.15, 1.175, 1.2, 1.3):
        live.tick(now_s, 1.1, Posture(0.3, 0.4))
        shown.append(live.view().posture.hip_drop_m)
    assert shown == pytest.approx([0.2, 0.25, 0.3, 0.35, 0.4, 0.4])
    live.tick(5.0, 5.0, Posture(0.0, 0.0))
    assert live.view().posture == Posture(0.0, 0.0)  # after a pause it is where it is


def test_a_posture_is_only_known_while_connected(live):
    posture = Posture(0.5, 0.2)
    live.take(CONNECTED)
    live.tick(1.0, 1.0, posture)
    assert live.view().posture == posture
    live.take(Link(LinkState.LOST))
    assert live.view().posture is None


def test_messages_stand_as_long_as_they_are_grave(live):
    live.take(Caution("the sensor is loose"))
    live.tell("noted")
    live.take(Refused("the firmware is too old; update it"))
    assert [message.gravity for message in live.view().messages] == [Gravity.PROBLEM, Gravity.NOTE, Gravity.CAUTION]
    live.tick(MESSAGE_SHOWN_S[Gravity.NOTE], 0.0)
    assert [message.sentence for message in live.view().messages] == [
        "the firmware is too old; update it",
        "the sensor is loose",
    ]
    live.tick(1e9, 0.0)
    assert [message.gravity for message in live.view().messages] == [Gravity.PROBLEM]


def test_the_same_sentence_does_not_stand_twice_and_few_stand(live):
    for _ in range(2):
        live.take(Restarted())
    assert len(live.view().messages) == 1
    for number in range(10):
        live.tell(f"message {number}")
    assert len(live.view().messages) == MESSAGES


def test_a_low_battery_is_announced_once_each_time_it_becomes_low(live):
    for percent in (16.0, 15.0, 14.0):
        live.take(Battery(percent))
    assert len(live.view().messages) == 1
    assert "15 %" in live.view().messages[0].sentence
    live.take(Battery(90.0))
    live.take(Battery(9.0))
    assert "9 %" in live.view().messages[0].sentence


def test_only_gaps_that_can_hide_a_repetition_are_shown(live):
    live.take(GapFound(Gap(1.0, 1.3)))
    assert live.view().messages == ()
    live.take(GapFound(Gap(2.0, 4.5)))
    assert "2.5 s" in live.view().messages[0].sentence
    assert live.view().without_samples_s == pytest.approx(2.8)


# --- cues ------------------------------------------------------------------------------------------------------------


def hinges(count, **last):
    return [repetition(10 + 3 * i, Pattern.HINGE) for i in range(count - 1)] + [
        repetition(7 + 3 * count, Pattern.HINGE, **last)
    ]


@pytest.mark.parametrize(
    ("repetitions", "expected"),
    [
        (squats(3), None),
        (hinges(3), None),
        (squats(3, angle_at_bottom_rad=math.radians(49)), None),  # beyond the limit of 45, within the error
        (squats(3, angle_at_bottom_rad=math.radians(51)), "chest up"),
        (squats(3, angle_at_bottom_rad=math.radians(51), confidence=0.8), None),
        (hinges(3, trunk_angle_rad=math.radians(40)), None),
        (hinges(3, trunk_angle_rad=math.radians(38)), "hips further back"),
        (squats(3, trunk_angle_rad=math.radians(20)), None),  # that is what a squat is like
        (squats(2, hip_drop_m=0.35), None),  # 10 cm less than the first: within the error of two
        (squats(2, hip_drop_m=0.33), "deeper"),
        ([repetition(10 + 3 * i, trunk_lead_s=-0.2) for i in range(3)], "hips first"),
        ([repetition(10 + 3 * i, trunk_lead_s=-0.2) for i in range(2)], None),
        ([repetition(10 + 3 * i, Pattern.HINGE, trunk_lead_s=-0.2) for i in range(3)], None),  # hardly sinks
        (
            [repetition(10 + 3 * i, mean_concentric_velocity_m_s=v) for i, v in enumerate((0.5, 0.5, 0.39, 0.39))],
            "slowing down",
        ),
        ([repetition(10 + 3 * i, mean_concentric_velocity_m_s=v) for i, v in enumerate((0.5, 0.5, 0.42, 0.42))], None),
        ([repetition(10 + 3 * i, mean_concentric_velocity_m_s=v) for i, v in enumerate((0.5, 0.3, 0.3))], None),
        (
            [*squats(3), repetition(20, Pattern.HINGE, trunk_angle_rad=0.6)],
            None,
        ),  # a hinge among squats is no bad hinge
    ],
)
def test_a_cue_is_given_where_the_figures_are_clear_of_their_error(repetitions, expected):
    assert cue(set_of(*repetitions)) == expected


def test_velocity_lost_is_what_the_report_says():
    fading = set_of(*(repetition(10 + 3 * i, mean_concentric_velocity_m_s=0.5 - 0.05 * i) for i in range(5)))
    lost = velocity_loss(fading)
    assert lost == pytest.approx(1 - (0.35 + 0.3) / (0.5 + 0.45))
    assert f"{100 * lost:.0f} % slower at the end" in cues(fading)
    assert velocity_loss(set_of(*fading.repetitions[:3])) is None
    assert velocity_loss(set_of(*hinges(5))) is None


def test_in_a_rest_the_report_has_the_word(live):
    done = counted(live, *(repetition(10 + 3 * i, angle_at_bottom_rad=math.radians(55)) for i in range(3)))
    assert live.view().cue == "chest up"
    live.take(SetClosed(set_of(*done)))
    assert live.view().cue == cues(set_of(*done))[0]


# --- a real session, and any ------------------------------------------------------------------------------------------


def test_a_recording_is_shown_as_it_is_counted():
    block = read_recording(RECORDINGS / "simulated_mixed_session.csv.gz").block
    session, live = Session(), LiveTraining()
    live.take(CONNECTED)
    phases, most, deepest_m = [], 0, 0.0
    for start in range(0, len(block), 50):
        events = session.push(block[start : start + 50])
        live.tick(start / 100, session.now_s, session.posture)
        for event in events:
            live.take(event)
        view = live.view()
        phase = Phase.SET if view.rest_is_provisional else view.phase
        if not phases or phases[-1] is not phase:
            phases.append(phase)
        most = max(most, view.count)
        deepest_m = max(deepest_m, view.posture.hip_drop_m if view.posture else 0.0)
        assert view.rest_s is None or 0.0 <= view.rest_s < 60
    for event in session.finish()[0]:
        live.take(event)
    view = live.view()
    assert phases == [Phase.WAITING, Phase.SET, Phase.REST, Phase.SET, Phase.REST]
    assert (most, view.session) == (5, Tally(5, 5))
    assert [one_set.pattern for one_set in view.sets] == [Pattern.SQUAT, Pattern.HINGE]
    assert 0.25 < deepest_m < 0.7


@given(views())
def test_whatever_happens_the_figures_agree(view: LiveView):
    going_on = view.shown.repetitions if view.set_may_go_on else ()
    assert view.session == tally([one for done in view.sets for one in done.repetitions] + list(going_on))
    assert view.today == Tally(3, 1) + view.session
    assert (view.shown is None) == (view.count == 0) == (view.phase is Phase.WAITING)
    assert view.set_number == len(view.sets) + view.set_may_go_on
    assert [one_set.start_s for one_set in view.sets] == sorted(one_set.start_s for one_set in view.sets)
    assert view.rest_s is None or view.rest_s >= 0
    assert len(view.messages) <= MESSAGES


@given(happenings.filter(lambda happened: isinstance(happened, Event)))
def test_every_event_is_an_object_for_the_recording(event: Event):
    written = json.loads(json.dumps(event_object(event)))
    assert written["event"] in {"repetition", "taken back", "rejected", "rest", "set", "gap"}
    if isinstance(event, RestBegan):
        assert written == {"event": "rest", "since_s": event.since_s}
