"""Run a command that cannot outlive its starter: `python lifeline.py COMMAND…`.

The starter keeps the write end of this process's stdin. When the starter ends, however it ends, the pipe
closes and the command's process group is killed. SIGTERM is passed on to the group.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Start the command in a session of its own and return its exit code (128 + signal if killed)."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def signal_group(number: int) -> None:
        if child.poll() is None:
            os.killpg(child.pid, number)

    def wait_for_starter_to_end() -> None:
        os.read(0, 1)
        signal_group(signal.SIGKILL)

    signal.signal(signal.SIGTERM, lambda number, _: signal_group(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait_for_starter_to_end, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
