"""The commands with a sensor: `imu scan`, `imu train`, `imu web`, `imu sensor` and `imu doctor`.

Each imports what it needs in its body, so that `imu --help` does not wait for it.
"""
# ruff: noqa: PLC0415  imports stand where they are used
# Annotations are evaluated where they stand: as strings, typer would compile each of them for --help.

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import imu
from imu.app import console_for_people, print_object, print_parts

if TYPE_CHECKING:
    from imu.live.memory import Wish
from imu.errors import ImuError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SensorNames = Annotated[
    list[str] | None,
    typer.Option(
        "--sensor",
        metavar="SENSOR",
        help="Name, address or serial number; any for the nearest; phone or sensorlogger; virtual, virtual:KIND or "
        "virtual:HOST:PORT. Several people: --sensor SENSOR=PERSON for each.",
    ),
]
SensorName = Annotated[
    str | None,
    typer.Option(
        "--sensor",
        metavar="SENSOR",
        help="Name, address or serial number; any for the nearest; phone or sensorlogger; virtual, virtual:KIND or "
        "virtual:HOST:PORT.",
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (scan, train, web, sensor, doctor):
        app.command()(command)


def scan(
    *,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, metavar="S", help="Time to listen, s.")] = 8.0,
    sensor: SensorName = None,
    every: Annotated[bool, typer.Option("--all", help="Show other Bluetooth devices too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the sensors nearby, with their kind and signal strength."""
    import asyncio

    from imu.app.sensor_commands import scan_object, show_scan

    sensors = asyncio.run(show_scan(sensor, seconds, every=every, live=not as_json))
    if as_json:
        for one in sensors:
            print_object(scan_object(one))


def train(
    *,
    sensor: SensorNames = None,
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration", min=1.0, metavar="S", help="End after this many seconds; without it, Ctrl-C ends it."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=20.0, max=1000.0, metavar="HZ", help="Wanted sampling rate.")
    ] = 100.0,
    exercise: Annotated[
        str | None, typer.Option("--exercise", metavar="NAME", help="Name of the exercise; its last targets are used.")
    ] = None,
    load: Annotated[
        str | None, typer.Option("--load", metavar="LOAD", help="Load: 100kg, 225lb, or 100 in your unit.")
    ] = None,
    reps: Annotated[int | None, typer.Option("--reps", metavar="N", help="Repetitions in each set.")] = None,
    sets: Annotated[int | None, typer.Option("--sets", metavar="N", help="Number of sets.")] = None,
    rest: Annotated[
        float | None, typer.Option("--rest", min=1.0, metavar="S", help="Intended rest between sets, s.")
    ] = None,
    tempo: Annotated[
        str | None, typer.Option("--tempo", metavar="D-P-U", help="Seconds down, pause, up: 3-1-X; X is fast.")
    ] = None,
    depth: Annotated[
        str | None, typer.Option("--depth", metavar="CM", help="Least hip drop, or best: as deep as before.")
    ] = None,
    angle: Annotated[
        str | None, typer.Option("--angle", metavar="DEG", help="Least trunk angle of a hinge, or best.")
    ] = None,
    velocity: Annotated[
        str | None, typer.Option("--velocity", metavar="M/S", help="Zone of the mean speed up: 0.4-0.6.")
    ] = None,
    stop_loss: Annotated[
        float | None, typer.Option("--stop-loss", metavar="%", help="End the set at this loss of speed.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="FILE", help="A plan (TOML), one that ships (five-by-five), last, or next."),
    ] = None,
    save: Annotated[bool, typer.Option("--save/--no-save", help="Store recording and session, or neither.")] = True,
    speak: Annotated[bool, typer.Option("--speak", help="Say each count, and changes of set and connection.")] = False,
    bell: Annotated[bool, typer.Option("--bell/--no-bell", help="Ring the bell of the terminal at each count.")] = True,
    on_page: Annotated[bool, typer.Option("--web", help="Train on the page in the browser, as imu web.")] = False,
    share: Annotated[bool, typer.Option("--share", help="With --web: show it on the local network.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train with a sensor: count, measure, show and store each repetition.

    Without --sensor it uses the sensor of the last training, or else the nearest.
    Several people train at once with --sensor SENSOR=PERSON for each.
    Targets given here go before those of --plan; another --exercise than that of the plan is refused.
    Keys: e end set, u undo, + one was missed, p pause, k keep a lone one, o count as the exercise that was done,
    t targets, n next exercise, q quit.
    Ctrl-C ends too, and nothing is lost.
    """
    from imu.live.schedule import chosen_plan

    targets = {
        "name": exercise,
        "load": load,
        "sets": sets,
        "reps": reps,
        "rest": rest,
        "tempo": tempo,
        "depth": depth,
        "angle": angle,
        "velocity": velocity,
        "stop-loss": stop_loss,
    }
    if share and not on_page:
        raise typer.BadParameter("--share shares the page: add --web", param_hint="--share")
    if on_page and as_json:
        raise typer.BadParameter("the page prints no JSON: use one of the two options", param_hint="--web --json")
    followed = chosen_plan(plan, targets)
    with contextlib.suppress(OSError):  # after a closed pipe the training goes on unseen
        end = "" if duration else " Ctrl-C ends it."
        typer.echo(f"Starting the training.{end}", err=as_json)  # the imports that follow take a second

    from imu.app.train import page_at_the_end, sensors_of_people, train_together
    from imu.app.train import train as run_training
    from imu.live.memory import Wish
    from imu.report.objects import session_object

    together = sensors_of_people(sensor or [])
    if on_page or together:
        from imu.store.home import add_person, person

        who: list[tuple[str, str | None]] = [(add_person(name), one) for name, one in together]
        who = who or [(person() or "", sensor[0] if sensor else None)]
        wishes = [(whose, Wish(one, rest, duration, rate, save, followed)) for whose, one in who]
        if on_page:
            _serve(None, browse=True, wishes=wishes, share=share)
        else:
            train_together(wishes, imu.__version__, as_json=as_json)
        return
    wish = Wish(sensor[0] if sensor else None, None, duration, rate, save, followed)
    try:
        trained, number, closing = run_training(wish, imu.__version__, speak=speak, bell=bell, as_json=as_json)
    except ImuError as error:
        if as_json:
            print_object({"recording": "", "error": str(error)})
        raise
    recording = "" if trained.recording is None else str(trained.recording)
    if as_json:
        print_object(session_object(recording, trained.summary))
    else:
        page = page_at_the_end(trained, number)
        print_parts(console_for_people(), "", page, *(["", *closing] if closing else []))
    if trained.trouble is not None:
        raise trained.trouble


def web(
    *,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port to listen on; 0: any free port.")
    ] = 8765,
    browse: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
    share: Annotated[
        bool, typer.Option("--share", help="Show trainings on the local network: phone, tablet, television.")
    ] = False,
) -> None:
    """Open the page in the browser: train, review, compare, correct, export.

    Only this computer can open it, with the key in the address. Ctrl-C ends it.
    """
    _serve(port, browse=browse, wishes=(), share=share)


def _serve(port: int | None, *, browse: bool, wishes: "Sequence[tuple[str, Wish]]", share: bool) -> None:
    from imu.app.web import WebOptions, serve

    serve(WebOptions(port, browse, imu.__version__, wishes, share), typer.echo)


def sensor(
    *,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Sensor to imitate.")] = "reference",
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Address that the training shows; for a phone.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option("--recording", metavar="PATH", help="Movement of the person; default: sets of both patterns."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Number of the simulated person.")] = 1,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port to listen on.")] = 9001,
    rate: Annotated[float | None, typer.Option("--rate", metavar="HZ", help="Its only sampling rate.")] = None,
    drift_ppm: Annotated[
        float | None, typer.Option("--drift-ppm", metavar="PPM", help="Error of its clock; positive: fast.")
    ] = None,
    battery: Annotated[
        int | None, typer.Option("--battery", min=0, max=100, metavar="PERCENT", help="Charge of its battery.")
    ] = None,
    drop_every: Annotated[
        float | None, typer.Option("--drop-every", metavar="S", help="Interval of losses of range, s.")
    ] = None,
    drop_for: Annotated[float, typer.Option("--drop-for", metavar="S", help="Time out of range, s.")] = 3.0,
    sleep_every: Annotated[
        float | None, typer.Option("--sleep-every", metavar="S", help="Interval of a phone's screen asleep, s.")
    ] = None,
    disorder: Annotated[
        bool, typer.Option("--disorder", help="Send a phone's messages twice and out of order.")
    ] = False,
    interval_ms: Annotated[
        float | None, typer.Option("--interval-ms", metavar="MS", help="Connection interval, ms.")
    ] = None,
    missed: Annotated[
        float,
        typer.Option("--missed", min=0.0, max=0.99, metavar="SHARE", help="Share of lost connection events."),
    ] = 0.0,
) -> None:
    """Run a virtual sensor for another process.

    Connect to it with imu train --sensor virtual:HOST:PORT in another window. The kinds phone and sensorlogger go to
    the address that imu train --sensor phone or sensorlogger shows.
    """
    from imu.app.sensor_commands import SensorOptions, run_sensor

    options = SensorOptions(
        kind=kind,
        url=url,
        recording=recording,
        seed=seed,
        host=host,
        port=port,
        rate_hz=rate,
        drift_ppm=drift_ppm,
        battery_percent=battery,
        drop_every_s=drop_every,
        drop_for_s=drop_for,
        sleep_every_s=sleep_every,
        is_disordered=disorder,
        interval_s=None if interval_ms is None else interval_ms / 1000,
        missed_events=missed,
    )
    run_sensor(options, typer.echo)


def doctor(*, as_json: AsJson = False) -> None:
    """Check whether training works on this computer, and say what to do."""
    from imu.app.doctor import doctor as examine
    from imu.store.home import home

    raise typer.Exit(examine(home(), as_json=as_json))
