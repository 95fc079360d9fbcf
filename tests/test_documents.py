"""The documents are right: commands, outputs, samples and their truth."""

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from imu.app.cli import app
from imu.motion.evidence import EVIDENCE
from imu.virtual.person import SessionTruth, truth_from_dict

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "recordings"
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "imu" / "app" / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "imu" / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *(ROOT / "README.md", ROOT / "CHANGELOG.md", RECORDINGS / "README.md", ROOT / "tests" / "README.md"),
    *sorted((ROOT / "imu").rglob("*.md")),
    *sorted((ROOT / "firmware_protocol").rglob("*.md")),
]


def blocks_of(text):
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def examples_of(text):
    lines = [line for kind, code in blocks_of(text) if kind == "sh" for line in code.splitlines()]
    return [line for line in lines if line.startswith("imu ")]


BLOCKS = blocks_of(REFERENCE)
COMMANDS = typer.main.get_command(app).commands
EXAMPLES = examples_of(REFERENCE)
SAMPLES = sorted(RECORDINGS.glob("*.csv.gz"))
SHORTEST_SAMPLE = RECORDINGS / "simulated_deadlifts.csv.gz"

SPAN_KEYS = {"start_s", "end_s"}
RECORDING_KEYS = {"recording", "duration_s", "sampling_rate_hz", "samples", "gaps", "sets", "rejected", "totals"}
SET_KEYS = SPAN_KEYS | {"pattern", "reps"}
REPETITION_KEYS = SPAN_KEYS | {
    "bottom_s",
    "confirmed_s",
    "pattern",
    "confidence",
    "trunk_angle_deg",
    "hip_drop_m",
    "eccentric_s",
    "pause_s",
    "concentric_s",
    "mean_concentric_velocity_m_s",
    "peak_concentric_velocity_m_s",
}


def imu(*arguments):
    """Run a command in this process and return what it prints."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def words(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def truth_of(recording) -> SessionTruth:
    path = recording.with_name(recording.name.replace(".csv.gz", ".truth.json"))
    return truth_from_dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A store of its own for each test, at the root of the repository."""
    monkeypatch.setenv("IMU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    """A folder with the samples, made again by their script."""
    folder = tmp_path_factory.mktemp("remade")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, RECORDINGS / "make.py", folder], check=True, env=environment, timeout=120)
    return folder


# --- the README's commands -------------------------------------------------------------------------------------------


def test_the_two_commands_come_first_each_alone_on_one_line() -> None:
    job, tests = [text for kind, text in blocks_of(README) if kind == "sh"][:2]
    assert job == 'python -m pip install ".[virtual]" && imu train --sensor virtual --duration 60\n'
    assert re.fullmatch(r'python -m pip install "\.\[test\]" && python -m pytest\n', tests)
    assert len(re.findall(r"^python -m pip install .+ && .+", README, flags=re.MULTILINE)) == 2  # as .ci/run finds them


@pytest.mark.realtime
def test_the_main_job_ends_by_itself() -> None:
    assert "Counted" in imu("train", "--sensor", "virtual", "--duration", "8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_reference(name: str) -> None:
    command = COMMANDS[name]
    assert len(command.help or "") > 20
    assert name in imu(name, "--help")
    assert any(example.startswith(f"imu {name}") for example in EXAMPLES)
    for option in command.params:
        assert any(spelling in REFERENCE for spelling in option.opts if spelling.startswith("-")) or not (
            option.opts[0].startswith("-")
        ), f"{option.opts} of imu {name}"


def test_no_document_names_a_command_or_an_option_that_is_not_there() -> None:
    texts = [README, REFERENCE, TOUR, (ROOT / "tests" / "README.md").read_text(encoding="utf-8")]
    blocks = [block for text in texts for _, block in blocks_of(text)]
    code = "\n".join(blocks + re.findall(r"`([^`\n]+)`", "".join(texts)))
    assert set(re.findall(r"(?<![\w/.-])imu ([a-z]\w*)", code)) == set(COMMANDS)
    options = [option for command in COMMANDS.values() for option in command.params]
    known = {spelling for option in options for spelling in (*option.opts, *option.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", code)) <= known | {
        "--help",
        "--version",
        "--person",
        "--lifters",
        "--sessions",
        "--leaning",
    }


@pytest.mark.realtime
@pytest.mark.parametrize("document", [README, REFERENCE], ids=["README", "reference"])
def test_the_examples_run_in_their_order(tmp_path, monkeypatch, document) -> None:
    shutil.copytree(RECORDINGS, tmp_path / "recordings")
    table = pd.read_csv(SHORTEST_SAMPLE)
    table[["acc_x", "acc_y", "acc_z"]] /= 9.80665
    table[["gyr_x", "gyr_y", "gyr_z"]] *= 57.29578
    table.to_csv(tmp_path / "my_recording.csv", index=False)
    monkeypatch.chdir(tmp_path)
    run = [example for example in examples_of(document) if "../shared" not in example]
    assert len(run) >= 9
    for example in run:
        printed = imu(*shlex.split(example)[1:]).strip()
        assert printed, example
        if example.startswith("imu train"):
            assert "Counted      2 squats" in printed
            shown = [
                line.split()[:3] for _, code in blocks_of(document) for line in code.splitlines() if "% sure" in line
            ]
            lines = [line.split()[:3] for line in printed.splitlines() if line.endswith("% sure")]
            assert not shown or shown == lines


SCRIPT = Path(sys.executable).with_name("imu.exe" if os.name == "nt" else "imu")


@pytest.mark.process
@pytest.mark.parametrize("command", [[sys.executable, "-m", "imu"], [str(SCRIPT)]], ids=["module", "script"])
def test_the_program_runs_on_its_own(command: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [*command, "replay", str(SHORTEST_SAMPLE), "--json"],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env=environment,
        timeout=120,
    )
    assert json.loads(result.stdout)["totals"] == {"squat": 0, "hinge": 6, "uncertain": 0}


# --- the README's examples of output ---------------------------------------------------------------------------------


def test_the_table_of_many_recordings_is_what_is_printed() -> None:
    shown = next(text for kind, text in BLOCKS if kind == "console" and "$ imu replay recordings\n" in text)
    columns = 6  # all but the number of movements that were not counted, which a better fit may change
    table = {tuple(line.split()[:columns]) for line in words(shown) if line.startswith("simulated_")}
    printed = words(imu("replay", "recordings"))
    assert table == {tuple(line.split()[:columns]) for line in printed if line.startswith("simulated_")}
    assert len(table) == len(SAMPLES)
    assert {line for line in words(shown) if line.startswith("Counted")} <= set(printed)


def test_the_page_of_one_recording_is_what_is_printed() -> None:
    shown = next(text for kind, text in BLOCKS if kind == "console" and "$ imu replay recordings/" in text)
    command, *page = words(shown)
    printed = words(imu(*command.split()[2:]))
    assert page[0] == printed[0]
    headings = [line for line in printed if line.startswith(("set ", "angle ", "Counted "))]
    assert len(headings) == 3
    assert set(headings) <= set(page)
    first_columns = [line.split()[:4] for line in printed if line[0].isdigit()]
    assert [line.split()[:4] for line in page if line[0].isdigit()] == first_columns  # angles may change with a fit
    labels = {line.split()[0] for line in printed if line[0].isalpha()}
    assert {line.split()[0] for line in page if line[0].isalpha()} - {"inferred"} == labels


def test_the_json_has_the_keys_that_other_programs_rely_on() -> None:
    (shown,) = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    printed = json.loads(imu("replay", shown["recording"], "--json"))
    assert list(shown) == list(printed)
    assert set(shown) >= RECORDING_KEYS
    for one_set in shown["sets"] + printed["sets"]:
        assert set(one_set) == SET_KEYS
        for repetition in one_set["reps"]:
            assert set(repetition) >= REPETITION_KEYS
            assert list(repetition) == list(printed["sets"][0]["reps"][0])
    assert all(set(movement) == SPAN_KEYS | {"reason"} for movement in shown["rejected"])
    assert shown["totals"] == printed["totals"]
    assert set(shown["totals"]) == {"squat", "hinge", "uncertain"}


def test_the_tour_counts_the_evidence() -> None:
    assert set(re.findall(r"(\d+) (?:physical )?quantities", TOUR)) == {str(len(EVIDENCE))}


def test_the_python_of_the_readme_runs(tmp_path) -> None:
    code, *more = [text for kind, text in blocks_of(README) if kind == "python"]
    names: dict[str, object] = {}
    exec(code.replace('"set_1.pdf"', repr(str(tmp_path / "set_1.pdf"))), names)
    assert (tmp_path / "set_1.pdf").stat().st_size > 10_000
    for code in more:
        exec(code, names)


# --- other documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_names_of_files_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (document.parent / link).exists(), link
    folders = "imu|tests|recordings|firmware_protocol"
    for name in re.findall(rf"(?<![\w/])(?:{folders})/[a-z_/0-9]+\.(?:py|md|sql|json|csv)(?![\w.])", text):
        assert (ROOT / name).is_file() or (document.parent / name).is_file(), name


def test_the_readme_is_short_and_the_tour_too() -> None:
    assert len(README.splitlines()) < 150
    assert 8 <= len(re.findall(r"^\| \d+ \| \[", TOUR, flags=re.MULTILINE)) <= 10


def test_names_in_the_tour_stand_in_the_files_that_it_names() -> None:
    changes = TOUR.split("## Where to change what")[1].split("## How it counts")[0]
    named = 0
    for line in changes.splitlines():
        _, *parts = re.split(r"\]\(([^)]*)\)", line)
        for link, text in zip(parts[::2], parts[1::2], strict=True):
            path = ROOT / "imu" / link
            for name in re.findall(r"`([A-Za-z_.]+)`", text.split("[")[0]) if path.is_file() else ():
                source = path.read_text(encoding="utf-8")
                assert all(re.search(rf"\b{part}\b", source) for part in name.split(".")), (link, name)
                named += 1
    assert named >= 5


def test_the_citation_names_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_changelog_tells_known_gaps() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    gaps = text.split("### Known gaps", 1)[1].split("\n#", 1)[0]
    assert len(re.findall(r"^- ", gaps, flags=re.MULTILINE)) >= 3
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert "## [Unreleased]" in text or f"## [{version}]" in text


# --- the sample recordings -------------------------------------------------------------------------------------------


def test_every_sample_is_called_simulated_and_stands_in_its_readme() -> None:
    samples = (RECORDINGS / "README.md").read_text(encoding="utf-8").split("## Sample recordings")[1]
    listed = re.findall(r"^\| `(\w+)` \|", samples, flags=re.MULTILINE)
    assert sorted(listed) == [path.name.removesuffix(".csv.gz") for path in SAMPLES]
    assert all(name.startswith("simulated_") for name in listed)


@pytest.mark.parametrize("recording", SAMPLES, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_a_sample_is_counted_as_it_truly_was(recording: Path) -> None:
    truth = truth_of(recording)
    counted = json.loads(imu("replay", str(recording), "--json"))
    assert [(one["pattern"], len(one["reps"])) for one in counted["sets"]] == [
        (one_set.pattern, len(one_set.reps)) for one_set in truth.sets
    ]
    for found, true in zip([r for one in counted["sets"] for r in one["reps"]], truth.reps, strict=True):
        assert found["pattern"] == true.pattern
        assert found["start_s"] < true.bottom_s < found["end_s"]
        assert found["confirmed_s"] < true.end_s + 0.5
    assert bool(counted["gaps"]) == ("lost_packets" in recording.name)


@pytest.mark.parametrize("recording", SAMPLES, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_the_readme_of_a_sample_has_its_content(recording: Path) -> None:
    rows = (RECORDINGS / "README.md").read_text(encoding="utf-8").splitlines()
    name = recording.name.removesuffix(".csv.gz")
    row = next(row for row in rows if row.startswith(f"| `{name}` |"))
    reps = truth_of(recording).reps
    patterns = {pattern: sum(rep.pattern == pattern for rep in reps) for pattern in ("squat", "hinge")}
    content = ", ".join(f"{count} {pattern}s" for pattern, count in patterns.items() if count) or "none"
    rate = json.loads(imu("replay", str(recording), "--json"))["sampling_rate_hz"]
    assert row.split("|")[3].strip() == content
    assert f"{rate:.0f} Hz" in row


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in RECORDINGS.iterdir() if path.is_file()) < 1_500_000
    assert all(json.loads(imu("replay", str(path), "--json"))["duration_s"] <= 61 for path in SAMPLES)


@pytest.mark.process
def test_the_samples_are_what_their_script_makes(remade) -> None:
    made = sorted(path.name for path in remade.iterdir())
    kept = sorted(path.name for path in RECORDINGS.iterdir() if path.name.endswith((".csv.gz", ".json")))
    assert made == kept
    for name in made:
        new, old = (remade / name).read_bytes(), (RECORDINGS / name).read_bytes()
        if name.endswith(".gz"):  # another build of zlib may pack the same rows differently
            assert old[4:8] == b"\0\0\0\0", f"{name} holds the time of its making"
            new, old = gzip.decompress(new), gzip.decompress(old)
        assert new == old, f"{name} is not what recordings/make.py makes"


# --- plain English ---------------------------------------------------------------------------------------------------

BANNED = re.compile(
    r"\b(?i:told|whoever|nobody|somebody|anybody|everybody|anew|so many|of which|refuses? to know|knows|believe[sd]?|"
    r'deaf|learnt)\b|\bis none\b|"""(?:What|Who|Whatever)\b'
)
"""Words that make a reader guess: say the thing itself. A docstring begins with its subject or its verb."""


def test_no_word_that_the_style_guide_bans() -> None:
    suffixes = {".py", ".md", ".js", ".css", ".sql", ".html", ".jinja", ".c", ".h"}
    files = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    for folder in ("imu", "firmware_protocol", "recordings", "tests"):
        files += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes]
    files.remove(Path(__file__))  # it lists the words
    places = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for _ in BANNED.findall(
            re.sub(r"{[%{].*?[%}]}", "", line).replace("_", " ")
        )  # names too; Jinja tests for "none"
    ]
    assert places == []
