"""The memory of another process, as the kernel counts it."""

import threading
import time


def resident(pid):
    """Bytes of memory that a process has now."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


class Sampler:
    """Looks at a process' memory all the time, and remembers the most."""

    def __init__(self, pid, interval=0.005):
        self._pid = pid
        self._interval = interval
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.peak = 0
        self.samples = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _run(self):
        while True:
            self.peak = max(self.peak, resident(self._pid))
            self.samples += 1
            if self._end.wait(self._interval):
                return


def settled(pid, bound=None, seconds=20):
    """Bytes of memory once they no longer fall, or are within the bound: what has just ended is given back late."""
    deadline = time.monotonic() + seconds
    least = resident(pid)
    last_fall = time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = resident(pid)
        if now < least:
            least = now
            last_fall = time.monotonic()
        if (bound is not None and least <= bound) or time.monotonic() - last_fall > 3:
            break
    return least
