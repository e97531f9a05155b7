"""Carries out the planned faults. Each is written to the history with its begin and its end, and heals itself."""

import threading
import time

from database import Broken
from schedule import DATABASE_FAULTS


class Injector:
    """Two lanes, one of nodes and one of the database, each one fault after the other."""

    def __init__(self, faults, stations, database, start_extra):
        self._faults, self._stations, self._database = faults, stations, database
        self._start_extra = start_extra
        self._stop = threading.Event()
        self._threads = []
        self.error = None
        self.skipped = {}

    def start(self, lanes, began):
        for lane in lanes:
            thread = threading.Thread(target=self._run, args=(lane, began))
            self._threads.append(thread)
            thread.start()

    def _run(self, lane, began):
        for planned in lane:
            if self._stop.wait(max(0, began + planned.at - time.monotonic())):
                return
            try:
                if planned.kind in DATABASE_FAULTS:
                    with self._database.lock:
                        self._perform(planned)
                else:
                    self._perform(planned)
            except Exception as error:
                self.error = self.error or RuntimeError(f"{planned}: {type(error).__name__} {error}")
                self._stop.set()
                return

    def _perform(self, planned):
        getattr(self, "_" + planned.kind.replace("-", "_"))(planned)

    @property
    def is_busy(self):
        """Planned faults are left. A lane that is late is not cut short: the seed decides what happens."""
        return any(thread.is_alive() for thread in self._threads)

    def finish(self):
        """Returns when all is healed."""
        for thread in self._threads:
            thread.join()
        if self.error:
            raise self.error

    def _skip(self, planned, why):
        self.skipped[planned.kind] = why

    def _wait(self, seconds):
        """A fault lasts its time, also when the run ends meanwhile: its end is part of the schedule."""
        time.sleep(seconds)

    # ------------------------------------------------------------ nodes

    def _kill(self, planned):
        station = self._stations[planned.node]
        number = self._faults.begin("kill", station.name)
        station.kill()
        self._wait(planned.seconds)
        station.come_up()
        self._faults.end(number, "kill")

    def _pause(self, planned):
        station = self._stations[planned.node]
        number = self._faults.begin("pause", station.name, seconds=planned.seconds)
        station.pause()
        self._wait(planned.seconds)
        station.resume()
        self._faults.end(number, "pause")

    def _partition(self, planned):
        station = self._stations[planned.node]
        number = self._faults.begin("partition", station.name, mode=planned.mode, seconds=planned.seconds)
        station.partition(planned.mode)
        self._wait(planned.seconds)
        station.partition("pass")
        self._faults.end(number, "partition")

    def _drain(self, planned):
        station = self._stations[planned.node]
        number = self._faults.begin("drain", station.name)
        status = station.drain()
        self._wait(min(planned.seconds, 3))
        station.come_up()
        self._faults.end(number, "drain", status=status)

    def _add(self, planned):
        """Another node comes, and leaves again."""
        station = self._start_extra()
        number = self._faults.begin("add", station.name)
        station.come_up()
        self._wait(planned.seconds * 3)
        self._faults.end(number, "add")
        number = self._faults.begin("drain", station.name)
        status = station.drain()
        self._faults.end(number, "drain", status=status)

    def _clock(self, planned):
        station = next((station for station in self._stations if station.can_jump), None)
        if station is None:
            self._skip(planned, "libfaketime is not installed")
            return
        number = self._faults.begin("clock", station.name, jump=planned.jump)
        station.jump(planned.jump)
        self._wait(planned.seconds)
        station.jump(0)
        self._faults.end(number, "clock")

    def _oplog_roll(self, planned):
        """What the node has not read is gone from the oplog when it goes on."""
        station = self._stations[planned.node]
        with self._database.lock:
            number = self._faults.begin("oplog-roll", station.name)
            station.pause()
            try:
                rolled = self._database.roll_oplogs()
            finally:
                station.resume()
            self._faults.end(number, "oplog-roll", rolled=rolled)

    # ------------------------------------------------------------ the database

    def _step_down(self, planned):
        number = self._faults.begin("step-down", f"shard{planned.shard}")
        ports = self._database.step_down(planned.shard)
        self._faults.end(number, "step-down", ports=ports)

    def _restart(self, fault, on, names, seconds):
        number = self._faults.begin(fault, on, seconds=seconds)
        self._database.kill(*names)
        self._wait(seconds)
        self._database.heal()
        self._faults.end(number, fault)

    def _shard_kill(self, planned):
        name = self._database.primary(planned.shard)
        self._restart("shard-kill", name, [name], planned.seconds)

    def _router_kill(self, planned):
        self._restart("router-kill", "router0", self._database.router, planned.seconds)

    def _config_kill(self, planned):
        self._restart("config-kill", "cfg0", ["cfg0"], planned.seconds)

    def _shard_hang(self, planned):
        name = self._database.primary(planned.shard)
        number = self._faults.begin("shard-hang", name, seconds=planned.seconds)
        self._database.hang(name)
        self._wait(planned.seconds)
        self._database.go_on(name)
        self._database.heal()
        self._faults.end(number, "shard-hang")

    def _chunk_move(self, planned):
        number = self._faults.begin("chunk-move")
        try:
            moved = self._database.move_chunk(planned.choice)
        except Broken:
            raise
        except Exception as error:  # a move may fail when a node of ours is not to blame: an election, say
            moved = f"failed: {error}"[:200]
        self._faults.end(number, "chunk-move", moved=moved)

    def _disk_full(self, planned):
        name = self._database.small_disk
        if name is None:
            self._skip(planned, "no small file system can be mounted here")
            return
        number = self._faults.begin("disk-full", name)
        path = self._database.fill_disk()
        # It ends with the next checkpoint that needs a block.
        deadline = time.monotonic() + 30
        while not (died := self._database.cluster.pid(name) is None) and time.monotonic() < deadline:
            self._wait(0.2)
        self._wait(planned.seconds)
        self._database.free_disk(path)
        self._database.kill(name)
        self._database.heal()
        self._faults.end(number, "disk-full", died=died)
