"""Run the demo: `make demo`. Ctrl-C at any point stops everything that it started."""

import os
import sys

from ..stack.interruption import Interrupted, interruptible


def main() -> None:
    """Play the demo; exit 1 with one line when something could not be started, 130 on Ctrl-C.

    Its servers are its own, whatever servers the environment names.
    """
    for name in ("HALO_DATABASE_URL", "HALO_BROKER_URL"):
        os.environ.pop(name, None)
    try:
        with interruptible():
            # Imported here: loading takes a second, and Ctrl-C must be quiet during it, too.
            from ..stack.children import StackError  # noqa: PLC0415
            from .play import play  # noqa: PLC0415

            try:
                play()
            except StackError as error:
                sys.exit(f"demo: {error}")
    except Interrupted as interrupted:
        sys.stderr.write("stopped, with everything that it started\n")
        raise SystemExit(interrupted.exit_status) from None


if __name__ == "__main__":
    main()
