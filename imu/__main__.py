"""The script `imu`, and `python -m imu`: the command line. Ctrl-C ends it with one word, also while it is loaded."""

import sys


def main() -> None:
    """Load and run the command line."""
    try:
        from imu.app.cli import main as run  # noqa: PLC0415  loading takes a tenth of a second

        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
