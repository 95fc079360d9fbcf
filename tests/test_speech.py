"""The voice: real processes in the place of speech engines, and the real espeak-ng where it is installed."""

import base64
import os
import shutil
import stat
import sys
import threading
import time
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from builders import CONNECTED, counted, rejected, set_of
from builders import live_repetition as repetition

from imu.bluetooth import LinkState
from imu.live import speech as voice_module
from imu.live.live_training import LiveTraining
from imu.live.live_view import Link, LiveView
from imu.live.speech import FRESH_S, Announcement, Announcer, Engine, Voice, announcements, find_engine, missing_engine
from imu.motion.pattern import Pattern
from imu.recordings.recording import read_recording
from imu.session import RepetitionTakenBack, Session, SetClosed

RECORDINGS = Path(__file__).parent.parent / "recordings"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="the engines here are shell scripts"),
]

# Writes down what it is to say; says it to the end only once the file `go` is there.
FAKE = """#!/bin/sh
for text in "$@"; do :; done
echo "$$ begins $text" >> "{folder}/log"
while [ ! -e "{folder}/go" ]; do sleep 0.01; done
echo "$$ ends $text" >> "{folder}/log"
"""


class Engines:
    """A PATH with engines that are scripts, and what they wrote down."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for needed in ("sh", "sleep"):
            (self.bin / needed).symlink_to(shutil.which(needed))
        monkeypatch.setenv("PATH", str(self.bin))

    def install(self, name, script=FAKE):
        path = self.bin / name
        path.write_text(script.replace("{folder}", str(self.folder)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def go(self):
        (self.folder / "go").touch()

    def stop(self):
        (self.folder / "go").unlink()

    def log(self):
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def said(self, what="begins"):
        return [line.split(f" {what} ")[1] for line in self.log() if f" {what} " in line]

    def wait_for(self, text, what="begins", within_s=15):
        deadline = time.monotonic() + within_s
        while text not in self.said(what):
            assert time.monotonic() < deadline, f"{text!r} never {what}: {self.log()}"
            time.sleep(0.005)


@pytest.fixture
def engines(tmp_path, monkeypatch):
    return Engines(tmp_path, monkeypatch)


@pytest.fixture
def voice(engines):
    engines.install("espeak-ng")
    speaking = Voice(find_engine("linux"))
    yield speaking
    engines.go()
    speaking.close(0.0)


# --- which engine ----------------------------------------------------------------------------------------------------


def test_the_first_engine_that_is_there_is_taken(engines):
    assert find_engine("linux") is None
    assert "espeak-ng" in missing_engine("linux")
    for name in ("spd-say", "espeak", "espeak-ng"):
        path = engines.install(name)
        assert find_engine("linux").name == name
        assert find_engine("linux").command[0] == str(path)
    assert find_engine("darwin").name == "espeak-ng"
    engines.install("say")
    assert find_engine("darwin").name == "say"


def test_windows_speaks_by_powershell_and_not_by_its_successor(engines):
    engines.install("pwsh")
    assert find_engine("win32") is None
    assert "powershell" in missing_engine("win32")
    engines.install("powershell")
    engine = find_engine("win32")
    assert engine.listens
    program = base64.b64decode(engine.command[-1]).decode("utf-16-le")
    assert "System.Speech" in program
    assert "SpeakAsyncCancelAll" in program


# --- saying ----------------------------------------------------------------------------------------------------------


def test_the_engine_gets_the_text_as_its_last_argument(engines, voice):
    engines.go()
    engines.install("espeak-ng", '#!/bin/sh\nfor one in "$@"; do echo "$one" >> "{folder}/arguments"; done\n')
    voice.say("set of 5 squats")
    voice.close()
    assert (engines.folder / "arguments").read_text().splitlines() == ["-v", "en", "-s", "190", "set of 5 squats"]
    assert voice.trouble is None


def test_the_newest_count_interrupts_and_wins(engines, voice):
    voice.say("1", urgent=True)
    engines.wait_for("1")
    for number in range(2, 30):  # nothing waits: the engine never ends by itself here
        voice.say(str(number), urgent=True)
    engines.wait_for("29")
    engines.go()
    engines.wait_for("29", "ends")
    assert engines.said("ends") == ["29"]
    voice.close()
    assert voice.trouble is None  # to be interrupted is no trouble


def test_a_sentence_waits_for_the_count_and_the_newest_one_is_said(engines, voice):
    voice.say("5", urgent=True)
    engines.wait_for("5")
    voice.say("sensor lost")
    voice.say("sensor back")
    engines.go()
    engines.wait_for("sensor back", "ends")
    assert engines.said("ends") == ["5", "sensor back"]


def test_a_count_goes_before_a_sentence_and_interrupts_it(engines, voice):
    voice.say("set of 5 squats")
    engines.wait_for("set of 5 squats")
    voice.say("going on")
    voice.say("1", urgent=True)
    engines.wait_for("1")
    engines.go()
    engines.wait_for("going on", "ends")
    assert engines.said("ends") == ["1", "going on"]


def test_words_that_have_waited_too_long_are_dropped(engines):
    engines.install("espeak-ng")
    now_s = [0.0]
    voice = Voice(find_engine("linux"), clock=lambda: now_s[0])
    voice.say("5", urgent=True)
    engines.wait_for("5")
    voice.say("stale")
    now_s[0] += FRESH_S + 0.1
    engines.go()
    engines.wait_for("5", "ends")
    voice.say("fresh")
    voice.close()
    assert engines.said() == ["5", "fresh"]


def test_closing_lets_the_last_words_be_said(engines, voice):
    voice.say("5", urgent=True)
    engines.wait_for("5")
    voice.say("set of 5 squats")
    threading.Timer(0.05, engines.go).start()
    voice.close(10.0)
    assert engines.said("ends") == ["5", "set of 5 squats"]
    voice.say("too late")
    assert "too late" not in engines.said()


def test_closing_does_not_wait_for_an_engine_that_hangs(engines, voice):
    voice.say("5", urgent=True)
    engines.wait_for("5")
    voice.close(0.01)
    engines.go()
    assert engines.said("ends") == []
    assert not [thread for thread in threading.enumerate() if thread.name == "voice"]


def test_an_engine_that_hangs_is_ended(engines, voice, monkeypatch):
    monkeypatch.setattr(
        voice_module, "_waited_for", lambda process, _=0: (process.kill(), process.communicate(), (True, ""))[2]
    )
    voice.say("5", urgent=True)
    voice.close()
    assert voice.trouble == "espeak-ng cannot speak (it did not end within 10 s), so the bell rings"


def test_ctrl_c_and_ctrl_z_are_not_for_the_engine(engines, voice):
    voice.say("5", urgent=True)
    engines.wait_for("5")
    process = int(engines.log()[0].split()[0])
    assert os.getpgid(process) != os.getpgid(0)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho 'no voice' >&2\nexit 3\n", "no voice"),
        ("#!/bin/sh\nexit 3\n", "it gives no reason"),
        # As espeak-ng 1.51 without a sound card: it complains, and ends as if all were well.
        (
            "#!/bin/sh\necho 'ALSA lib pcm.c: Unknown PCM default' >&2\necho 'error: No such device' >&2\n",
            "error: No such device",
        ),
    ],
)
def test_an_engine_that_cannot_speak_is_reported_once(engines, script, reason):
    engines.install("espeak-ng", script)
    voice = Voice(find_engine("linux"))
    voice.say("5", urgent=True)
    voice.close()
    assert voice.trouble == f"espeak-ng cannot speak ({reason}), so the bell rings"


def test_an_engine_that_warns_speaks_all_the_same(engines):
    engines.install("espeak-ng", "#!/bin/sh\necho 'ALSA lib: underrun' >&2\n")
    voice = Voice(find_engine("linux"))
    voice.say("5", urgent=True)
    voice.close()
    assert voice.trouble is None


def test_an_engine_that_is_gone_is_reported(engines):
    engines.install("espeak-ng")
    voice = Voice(find_engine("linux"))
    (engines.bin / "espeak-ng").unlink()
    voice.say("5", urgent=True)
    voice.close()
    assert voice.trouble.startswith("espeak-ng cannot speak (")


LISTENING = """#!/bin/sh
while read -r line; do echo "$$ hears $line" >> "{folder}/log"; done
echo "$$ ends all" >> "{folder}/log"
"""


def test_an_engine_that_listens_is_started_once_and_is_sent_what_interrupts(engines):
    engines.install("powershell", LISTENING)
    voice = Voice(find_engine("win32"))
    for count in ("1", "2"):
        voice.say(count, urgent=True)
        engines.wait_for(f"!{count}", "hears")
    voice.say("set of 2 squats")
    engines.wait_for(".set of 2 squats", "hears")
    voice.close()
    assert engines.said("hears") == ["!1", "!2", ".set of 2 squats"]
    assert engines.said("ends") == ["all"]
    assert len({line.split()[0] for line in engines.log()}) == 1
    assert voice.trouble is None


def test_an_engine_that_listens_no_more_is_reported(engines):
    engines.install("powershell", "#!/bin/sh\necho 'Add-Type : cannot find System.Speech' >&2\nexit 1\n")
    voice = Voice(find_engine("win32"))
    deadline = time.monotonic() + 15
    while voice.trouble is None:
        assert time.monotonic() < deadline
        voice.say("1", urgent=True)
        time.sleep(0.01)
    voice.close()
    assert voice.trouble == "Windows speech cannot speak (Add-Type : cannot find System.Speech), so the bell rings"


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_real_engine_takes_the_words(tmp_path):
    engine = find_engine("linux")
    for text in ("12, hinge. hips further back", "set of 5 squats"):
        sound = tmp_path / "said.wav"
        voice = Voice(Engine(engine.name, (*engine.command, "-w", str(sound))))
        voice.say(text)
        voice.close(20.0)
        assert voice.trouble is None
        with wave.open(str(sound)) as file:
            assert 0.5 < file.getnframes() / file.getframerate() < 4.0


# --- the words -------------------------------------------------------------------------------------------------------


def test_a_real_session_is_said_as_it_happens():
    block = read_recording(RECORDINGS / "simulated_mixed_session.csv.gz").block
    session, live, said = Session(), LiveTraining(rest_target_s=20.0), []
    before = live.view()

    def look():
        nonlocal before
        after = live.view()
        said.extend(announcement.text for announcement in announcements(before, after))
        before = after

    live.take(CONNECTED)
    for start in range(0, len(block), 10):
        events = session.push(block[start : start + 10])
        live.tick(start / 100, session.now_s)
        for event in events:
            live.take(event)
        look()
    for event in session.finish()[0]:
        live.take(event)
    look()
    squats_said = ["1, squat", "2", "3", "4", "5", "set of 5 squats"]
    hinges_said = ["1, hinge", "2", "3", "4", "5", "set of 5 hinges"]
    assert [one for one in said if one != "rest is over"] == ["sensor connected", *squats_said, *hinges_said]


def differ(live, change):
    before = live.view()
    change()
    return [(announcement.text, announcement.urgent) for announcement in announcements(before, live.view())]


@pytest.fixture
def live():
    training = LiveTraining(rest_target_s=60.0)
    training.take(CONNECTED)
    return training


def test_the_pattern_is_said_where_it_is_new(live):
    patterns = [Pattern.SQUAT, Pattern.SQUAT, Pattern.UNCERTAIN, Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN]
    said = [differ(live, lambda i=i, p=p: counted(live, repetition(10 + 3 * i, p))) for i, p in enumerate(patterns)]
    assert [one for ((one, urgent),) in said if urgent] == ["1, squat", "2", "3", "4", "5, hinge", "6"]


def test_two_repetitions_at_once_are_one_number(live):
    assert differ(live, lambda: counted(live, repetition(10), repetition(13))) == [("2", True)]


def test_the_person_s_commands_are_spoken(live):
    one, two = counted(live, repetition(10), repetition(13))
    assert differ(live, lambda: live.take(RepetitionTakenBack(two))) == [("back to 1", True)]
    assert differ(live, lambda: live.pause(True)) == [("paused", False)]
    assert differ(live, lambda: live.pause(False)) == [("going on", False)]
    assert differ(live, lambda: live.take(rejected("alone", one))) == [("that one stood alone, not counted", False)]
    assert differ(live, lambda: live.take(SetClosed(set_of(one)))) == [("set of 1 squat", False)]
    several = counted(live, *(repetition(40 + 3 * i) for i in range(3)))
    closing = [rejected("unlikely as a set", each) for each in several]
    said = differ(live, lambda: [live.take(each) for each in closing])
    assert said == [("those 3 are unlikely as a set, not counted", False)]
    assert live.view().lone_text == "3 repetitions are not counted: unlikely as a set"
    assert differ(live, lambda: live.take(SetClosed(set_of(*several)))) == [("set of 3 squats", False)]
    assert live.view().lone_text is None
    live.take(RepetitionTakenBack(several[-1]))
    live.take(RepetitionTakenBack(several[-2]))
    live.take(RepetitionTakenBack(several[-3]))
    assert differ(live, lambda: live.take(RepetitionTakenBack(one))) == [("back to 0", True)]


def test_the_link_is_said_when_it_is_lost_and_back(live):
    lost = Link(LinkState.LOST, "Hip 7")
    assert differ(live, lambda: live.take(lost)) == [("sensor lost", False)]
    assert differ(live, lambda: live.take(replace(lost, attempt=4))) == []
    assert differ(live, lambda: live.take(CONNECTED)) == [("sensor back", False)]
    assert differ(live, lambda: live.take(replace(CONNECTED, rssi_dbm=-90.0))) == []


def test_the_end_of_a_rest_is_said_once(live):
    live.tick(0.0, 12.5)
    done = counted(live, repetition(10.0))
    live.take(SetClosed(set_of(*done)))
    assert differ(live, lambda: live.tick(59.0, 12.5)) == []
    assert differ(live, lambda: live.tick(60.1, 12.5)) == [("rest is over", False)]
    assert differ(live, lambda: live.tick(70.0, 12.5)) == []


class Recorded:
    """A voice that writes down."""

    def __init__(self):
        self.said, self.trouble = [], None

    def say(self, text, *, urgent=False):
        self.said.append((text, urgent))


def test_a_cue_comes_with_the_count_and_does_not_nag(live):
    voice = Recorded()
    announcer = Announcer(voice, None)
    for i in range(6):
        counted(live, repetition(10 + 3 * i, angle_at_bottom_rad=1.0))
        announcer.look(live.view())
        announcer.look(live.view())
    texts = [text for text, urgent in voice.said if urgent]
    assert texts == ["1, squat. chest up", "2", "3", "4. chest up", "5", "6"]


def test_without_a_voice_the_bell_rings_for_each(live):
    rung = []
    announcer = Announcer(None, lambda: rung.append(1))
    assert announcer.trouble is None
    for i in range(3):
        counted(live, repetition(10 + 3 * i))
        announcer.look(live.view())
    assert len(rung) == 3 + 1  # and the connection
    announcer.close()


def test_when_the_voice_fails_the_bell_takes_over(live):
    voice, rung = Recorded(), []
    announcer = Announcer(voice, lambda: rung.append(1))
    announcer.look(live.view())
    voice.trouble = "espeak-ng cannot speak"
    counted(live, repetition())
    announcer.look(live.view())
    assert (announcer.trouble, voice.said, rung) == ("espeak-ng cannot speak", [("sensor connected", False)], [1])


def test_silence_is_silent(live):
    announcer = Announcer(None, None)
    counted(live, repetition())
    announcer.look(live.view())


def test_nothing_is_said_of_nothing():
    assert announcements(LiveView(), LiveView()) == []
    assert Announcement("5") == Announcement("5", urgent=False)
