"""Writes a history (docs/chaos.md has the format): JSON lines, times by the monotonic clock of this machine."""

import json
import threading
import time


def now():
    return round(time.monotonic(), 4)


class Journal:
    """One file of a history. May be written from any thread."""

    def __init__(self, folder, name):
        self._file = open(folder / name, "w", encoding="utf8", buffering=1 << 16)
        self._lock = threading.Lock()
        self.count = 0

    def write(self, at=None, **fields):
        line = json.dumps({"at": now() if at is None else at, **fields}, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            self._file.write(line + "\n")
            self.count += 1

    def flush(self):
        with self._lock:
            self._file.flush()

    def close(self):
        with self._lock:
            self._file.close()


class Faults:
    """The faults of a run, each with its begin and its end."""

    def __init__(self, folder):
        self._journal = Journal(folder, "faults.jsonl")
        self._lock = threading.Lock()
        self._count = 0
        self.under_way = {}

    def begin(self, fault, on=None, **details):
        with self._lock:
            self._count += 1
            number = self._count
            self.under_way[number] = f"{fault} {on}" if on else fault
        self._journal.write(phase="begin", id=number, fault=fault, on=on, **details)
        self._journal.flush()
        return number

    def end(self, number, fault, **details):
        with self._lock:
            self.under_way.pop(number, None)
        self._journal.write(phase="end", id=number, fault=fault, **details)
        self._journal.flush()

    def close(self):
        self._journal.close()
