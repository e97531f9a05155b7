"""The MongoDB cluster of a chaos run, and what can be done to it."""

import concurrent.futures
import contextlib
import pathlib
import signal
import subprocess
import sys
import threading

import pymongo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mongo"))

from cluster import Cluster  # noqa: E402

# Small, so that it can be rolled over; large enough for what a run writes while a member is down.
OPLOG_MIB = 32
DISK_MIB = 700


class Broken(Exception):
    """The cluster did not come back: the run cannot go on."""


@contextlib.contextmanager
def _in_words():
    """mongo-cluster is a program: it ends with its message."""
    try:
        yield
    except SystemExit as error:
        raise Broken(str(error)) from None


class Database:
    def __init__(self, folder, shards=2, replicas=3):
        self.folder = folder / "mongo"
        self.shards, self.replicas = shards, replicas
        self.lock = threading.Lock()  # one fault of the database at a time
        self._disk = None
        self.cluster = Cluster(str(self.folder))
        with _in_words():
            self.cluster.create(
                mode="sharded",
                shards=shards,
                replicas=replicas,
                routers=1,
                base=0,
                noop=1,
                majority_journal=True,
                balancer=False,
                oplog=OPLOG_MIB,
                set=[],
                mongod_args=["--syncdelay", "10"],  # checkpoints: a full disk is met by one
            )
            self._mount_disk()
            self.cluster.start()
        self.router_port = self.cluster.router_port(0)

    def client(self):
        return pymongo.MongoClient(
            f"mongodb://127.0.0.1:{self.router_port}/", serverSelectionTimeoutMS=5000, socketTimeoutMS=20000
        )

    def heal(self):
        """Starts what is down, and waits until all members are there."""
        with _in_words():
            for name in self.cluster.processes():
                self.cluster.signal(name, signal.SIGCONT)
            self.cluster.start()

    def down(self):
        self.cluster.down(wipe=False)
        if self._disk:
            subprocess.run(["umount", str(self._disk)], check=False)

    # ------------------------------------------------------------ faults

    def step_down(self, shard):
        with _in_words():
            return self.cluster.step_down(shard)

    def primary(self, shard):
        with _in_words():
            return self.cluster.members(shard)[0]

    def kill(self, *names):
        for name in names:
            self.cluster.stop(name, signal.SIGKILL)

    def hang(self, name):
        self.cluster.signal(name, signal.SIGSTOP)

    def go_on(self, name):
        self.cluster.signal(name, signal.SIGCONT)

    @property
    def router(self):
        return ["router0", "qr0"] if self.cluster.uses_standin else ["router0"]

    def move_chunk(self, choice):
        """Moves one chunk of a sharded collection to another shard; `choice` (0 to 1) says which one."""
        with self.client() as client:
            chunks = []
            for collection in client.config.collections.find({"_id": {"$not": {"$regex": "^config\\."}}}):
                for chunk in client.config.chunks.find({"uuid": collection["uuid"]}):
                    chunks.append((collection["_id"], chunk["min"], chunk["max"], chunk["shard"]))
            chunks.sort(key=lambda chunk: (chunk[0], str(chunk[1])))
            chunks = [chunk for chunk in chunks if chunk[0].lower().endswith(("routes", "nodes"))]
            namespace, low, high, shard = chunks[int(choice * len(chunks))]
            names = [self.cluster.shard_name(number) for number in self.cluster.shard_numbers]
            target = names[(names.index(shard) + 1) % len(names)]
            client.admin.command("moveChunk", namespace, bounds=[low, high], to=target, _waitForDelete=True)
            return f"{namespace} {shard} -> {target}"

    def roll_oplogs(self):
        """On all shards at once: a node that is paused meanwhile should not be claimed before it is done."""
        with concurrent.futures.ThreadPoolExecutor(self.shards) as pool:
            return list(pool.map(self.roll_oplog, self.cluster.shard_numbers))

    def roll_oplog(self, shard):
        """Writes more than an oplog holds, so that nothing of before is in it."""
        ports = ",".join(f"127.0.0.1:{port}" for port in self.cluster.shard_ports(shard))
        name = self.cluster.shard_name(shard)
        with self.client() as client, pymongo.MongoClient(f"mongodb://{ports}/?replicaSet={name}") as members:
            # A shard takes no collection that the router does not know of.
            client.admin.command("enableSharding", f"filler{shard}", primaryShard=name)
            oplog, filled = members.local["oplog.rs"], client[f"filler{shard}"].filler
            before = oplog.find_one(sort=[("$natural", -1)])["ts"]
            for _ in range(4):
                for _ in range(OPLOG_MIB * 5 // 4):
                    filled.insert_one({"filler": b"x" * (1 << 20)})
                # What the newest checkpoint needs is kept: make another one.
                members.admin.command("fsync")
                filled.delete_many({})
                if oplog.find_one(sort=[("$natural", 1)])["ts"] > before:
                    return True
        return False

    # ------------------------------------------------------------ the disk of one member

    @property
    def small_disk(self):
        """The member whose disk can be filled; None where a small file system cannot be mounted."""
        return self.cluster.member_name(2, self.replicas - 1) if self._disk else None

    def _mount_disk(self):
        if self.shards < 2 or self.replicas < 3:
            return
        folder = pathlib.Path(self.cluster.path(self.cluster.member_name(2, self.replicas - 1)))
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", str(folder)]
        try:
            done = subprocess.run(mount, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:
            return
        if done.returncode == 0:
            self._disk = folder

    def fill_disk(self):
        """Leaves the member no byte. Returns the file that does."""
        path = self._disk / "filler"
        with open(path, "wb", buffering=0) as file:
            piece = b"\0" * (1 << 20)
            try:
                while True:
                    file.write(piece)
            except OSError:
                pass
        return path

    def free_disk(self, path):
        path.unlink()

    # ------------------------------------------------------------ what is stored

    def routes(self):
        """The route documents: [{domain, user, live, isAnnounced, announced, out}]."""
        found = []
        with self.client() as client:
            names = [n for n in client.submergence.list_collection_names() if n.lower().endswith("routes")]
            for document in client.submergence[names[0]].find({}):
                domain, user = document["_id"].split("/", 1)
                found.append(
                    {
                        "domain": domain,
                        "user": user,
                        "live": [{"s": entry["s"], "n": entry["n"], "c": entry["c"]} for entry in document["live"]],
                        "isAnnounced": document["pres"]["u"],
                        "announced": sorted(entry["c"] for entry in document["pres"]["c"]),
                        "out": len(document["out"]),
                    }
                )
        return found
