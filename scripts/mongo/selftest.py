#!/usr/bin/env python3
"""Self-test of mongo-cluster and mongos-standin (needs pymongo 4). Starts its own cluster in a folder of its own.

selftest.py [--dir D] [--base-port P] [--keep] [--quick]     --quick leaves out the 3-member failover part
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time

import bson
from pymongo import DeleteOne, InsertOne, MongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure
from pymongo.write_concern import WriteConcern

HERE = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("--dir")
ap.add_argument("--base-port", type=int, default=29100)
ap.add_argument("--keep", action="store_true")
ap.add_argument("--quick", action="store_true")
ap.add_argument("--only", default="")
A = ap.parse_args()
DIR = A.dir or tempfile.mkdtemp(prefix="mongo-selftest-")
failed = []
passed = 0


def mc(*a, dir="a", port=0, out=True):
    r = subprocess.run(
        [
            os.path.join(HERE, "mongo-cluster"),
            *map(str, a),
            "--dir",
            os.path.join(DIR, dir),
            "--base-port",
            str(A.base_port + port),
        ],
        stdout=subprocess.PIPE,
        text=True,
        timeout=180,
    )
    if r.returncode:
        raise RuntimeError(f"mongo-cluster {a}: {r.returncode}")
    return r.stdout.strip().split("\n")[-1]


def test(f):
    global passed
    if A.only and not any(x in f.__name__ for x in A.only.split(",") + ["sharding_commands"]):
        return f
    t = time.time()
    try:
        note = f()
        passed += 1
        print(f"ok    {f.__name__:38} {time.time() - t:6.2f}s  {note or ''}", flush=True)
    except Exception as e:
        failed.append(f.__name__)
        print(f"FAIL  {f.__name__:38} {time.time() - t:6.2f}s  {type(e).__name__}: {str(e)[:600]}", flush=True)
    return f


def shard(i, n=0):
    return MongoClient(
        f"mongodb://127.0.0.1:{A.base_port + 100 * i + n}/?directConnection=true", serverSelectionTimeoutMS=3000
    )


def eq(a, b):
    assert a == b, f"{a!r} != {b!r}"


def drain(cs, n, seconds=15):
    out, end = [], time.time() + seconds
    while len(out) < n and time.time() < end:
        x = cs.try_next()
        if x is not None:
            out.append(x)
    return out


try:
    uri = mc("up", "--shards", 2)
    cl = MongoClient(uri)
    db = cl.sub

    @test
    def handshake():
        h = cl.admin.command("hello")
        eq(h["msg"], "isdbgrid")
        eq(cl.topology_description.topology_type_name, "Sharded")
        assert cl.is_mongos
        eq(cl.server_info()["version"][:3], "6.0")
        eq(cl.admin.command("ping")["ok"], 1.0)
        assert h["logicalSessionTimeoutMinutes"] == 30

    @test
    def sharding_commands():
        cl.admin.command("enableSharding", "sub", primaryShard="shard1")
        eq(cl.admin.command("shardCollection", "sub.events", key={"to": "hashed"})["collectionsharded"], "sub.events")
        cl.admin.command("shardCollection", "sub.presence", key={"_id": "hashed"})
        cl.admin.command("shardCollection", "sub.ranged", key={"u": 1, "d": 1})
        eq([s["_id"] for s in cl.admin.command("listShards")["shards"]], ["shard1", "shard2"])
        assert "mode" in cl.admin.command("balancerStatus")
        cl.admin.command("balancerStop")

    @test
    def inserts_land_on_both_shards():
        db.events.insert_many([{"to": f"u{i}", "i": i} for i in range(500)])
        a, b = shard(1).sub.events.count_documents({}), shard(2).sub.events.count_documents({})
        eq(a + b, 500)
        assert a > 100 and b > 100
        eq(db.events.count_documents({}), 500)
        eq(len(list(db.events.find(batch_size=7))), 500)
        return f"{a}+{b}"

    @test
    def hashing_agrees_with_mongod():
        vals = [
            "x",
            "",
            "é" * 40,
            1,
            1.5,
            2.0,
            -7,
            2**40,
            None,
            True,
            False,
            bson.ObjectId(),
            bson.Binary(b"abc"),
            bson.Timestamp(5, 6),
            {"a": 1, "b": {"c": "d"}},
            __import__("datetime").datetime(2020, 1, 1),
            bson.Int64(9),
            1e300,
            -1e300,
            float("nan"),
        ]
        for i in range(300):
            vals.append(f"user-{i}")
        for v in vals:
            db.events.insert_one({"to": v, "k": "hash"})
        eq(db.events.count_documents({"k": "hash"}), len(vals))  # misplaced documents would be filtered as orphans
        for v in vals[:19]:
            assert db.events.find_one({"to": v, "k": "hash"}), repr(v)

    @test
    def unordered_bulk_and_errors():
        db.presence.delete_many({})
        r = db.presence.bulk_write(
            [InsertOne({"_id": i}) for i in range(200)]
            + [UpdateOne({"_id": i}, {"$set": {"x": 1}}, upsert=True) for i in range(100, 300)]
            + [DeleteOne({"_id": i}) for i in range(50)],
            ordered=False,
        )
        eq((r.inserted_count, r.modified_count, r.upserted_count, r.deleted_count), (200, 100, 100, 50))
        eq(db.presence.count_documents({}), 250)
        try:
            db.presence.insert_many([{"_id": 1000}, {"_id": 200}, {"_id": 1001}, {"_id": 201}], ordered=False)
            assert 0
        except BulkWriteError as e:
            eq(sorted(x["index"] for x in e.details["writeErrors"]), [1, 3])
            eq(e.details["nInserted"], 2)
        try:
            db.presence.insert_many([{"_id": 2000}, {"_id": 200}, {"_id": 2001}])
            assert 0
        except BulkWriteError as e:
            eq([x["index"] for x in e.details["writeErrors"]], [1])
            eq(e.details["nInserted"], 1)
        try:
            db.presence.insert_one({"_id": 200})
            assert 0
        except DuplicateKeyError:
            pass

    @test
    def find_and_modify():
        for i in range(60):
            d = db.presence.find_one_and_update(
                {"_id": f"p{i}"},
                {"$set": {"node": "n1"}, "$inc": {"c": 1}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            eq(d["c"], 1)
        eq(
            db.presence.find_one_and_update(
                {"_id": "p3", "node": "n1"}, {"$inc": {"c": 1}}, return_document=ReturnDocument.AFTER
            )["c"],
            2,
        )
        eq(db.presence.find_one_and_delete({"_id": "p3"})["c"], 2)
        eq(db.presence.find_one({"_id": "p3"}), None)
        assert (
            shard(1).sub.presence.count_documents({"_id": {"$regex": "^p"}}) > 10
            and shard(2).sub.presence.count_documents({"_id": {"$regex": "^p"}}) > 10
        )
        try:
            db.presence.find_one_and_update({"node": "n1"}, {"$set": {"y": 1}})
            assert 0
        except OperationFailure as e:
            eq(e.code, 61)
        eq(
            db.plain.find_one_and_update(
                {"a": 1}, {"$set": {"b": 1}}, upsert=True, return_document=ReturnDocument.AFTER
            )["b"],
            1,
        )
        db.ranged.insert_many([{"u": f"u{i}", "d": i} for i in range(20)])
        eq(
            db.ranged.find_one_and_update(
                {"u": "u5", "d": 5}, {"$set": {"z": 1}}, return_document=ReturnDocument.AFTER
            )["z"],
            1,
        )

    @test
    def updates_and_deletes():
        eq(db.events.update_one({"to": "u5"}, {"$set": {"z": 1}}).modified_count, 1)
        assert db.events.update_one({"to": "new!"}, {"$set": {"z": 1}}, upsert=True).upserted_id
        eq(db.events.update_many({"i": {"$lt": 100}}, {"$set": {"m": 1}}).modified_count, 100)
        eq(db.events.delete_one({"to": "new!"}).deleted_count, 1)
        eq(db.events.delete_many({"m": 1}).deleted_count, 100)
        eq(db.presence.replace_one({"_id": 9999}, {"r": 1}, upsert=True).upserted_id, 9999)
        db.get_collection("events", write_concern=WriteConcern(w=0)).insert_one({"to": "w0"})
        time.sleep(0.2)
        assert db.events.find_one({"to": "w0"})

    @test
    def retryable_write_is_executed_once():
        # the same statement twice with one lsid/txnNumber, as a driver does after a network error
        import socket
        import struct
        import uuid

        def raw(s, d):
            b = bson.encode(d)
            s.sendall(struct.pack("<iiiiIb", 21 + len(b), 1, 0, 2013, 0, 0) + b)
            x = b""
            while len(x) < 4 or len(x) < struct.unpack("<i", x[:4])[0]:
                x += s.recv(65536)
            return bson.decode(x[21:])

        s = socket.create_connection(("127.0.0.1", A.base_port))
        lsid = {"id": bson.Binary(uuid.uuid4().bytes, 4)}
        one = {
            "update": "presence",
            "updates": [{"q": {"_id": "retry"}, "u": {"$inc": {"n": 1}}, "upsert": True}],
            "lsid": lsid,
            "txnNumber": bson.Int64(1),
            "$db": "sub",
        }
        raw(s, one)
        raw(s, one)
        many = {
            "update": "presence",
            "ordered": False,
            "updates": [{"q": {"_id": f"retry{i}"}, "u": {"$inc": {"n": 1}}, "upsert": True} for i in range(30)],
            "lsid": lsid,
            "txnNumber": bson.Int64(2),
            "$db": "sub",
        }
        a, b = raw(s, many), raw(s, many)
        eq(a["n"], 30)
        eq(len(b.get("upserted", [])), 30)
        fam = {
            "findAndModify": "presence",
            "query": {"_id": "retry"},
            "update": {"$inc": {"n": 1}},
            "new": True,
            "lsid": lsid,
            "txnNumber": bson.Int64(3),
            "$db": "sub",
        }
        eq(raw(s, fam)["value"]["n"], 2)
        eq(raw(s, fam)["value"]["n"], 2)
        eq({d["n"] for d in db.presence.find({"_id": {"$regex": "^retry[0-9]"}})}, {1})

    @test
    def reads():
        eq(db.events.estimated_document_count(), db.events.count_documents({}))
        eq(set(db.presence.distinct("node")), {"n1"})
        eq(
            list(db.events.aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}]))[0]["n"],
            db.events.count_documents({}),
        )
        assert {"events", "presence", "plain", "ranged"} <= set(db.list_collection_names())
        assert "sub" in cl.list_database_names()
        eq(db.command("count", "events", query={"to": "u200"}, limit=1)["n"], 1)
        assert db.command("dbStats")["objects"] > 0 and db.command("collStats", "events")["sharded"] is True
        assert "queryPlanner" in db.events.find({"to": "u200"}).explain()
        eq(len(list(db.events.find({"to": "u200"}))), 1)

    @test
    def indexes_and_ttl():
        db.events.create_index("at", expireAfterSeconds=1)
        db.presence.create_index([("node", 1), ("c", -1)])
        assert "at_1" in db.events.index_information()
        assert "at_1" in shard(1).sub.events.index_information() and "at_1" in shard(2).sub.events.index_information()
        now = __import__("datetime").datetime.utcnow()
        db.events.insert_many([{"to": f"ttl{i}", "at": now} for i in range(40)], ordered=False)
        t = time.time()
        while db.events.count_documents({"at": {"$exists": True}}) and time.time() - t < 20:
            time.sleep(0.1)
        eq(db.events.count_documents({"at": {"$exists": True}}), 0)
        s = time.time() - t
        db.presence.drop_index("node_1_c_-1")
        assert "node_1_c_-1" not in shard(2).sub.presence.index_information()
        return f"TTL after {s:.1f} s"

    @test
    def change_stream_both_shards_in_order_and_resume():
        with db.events.watch(max_await_time_ms=500) as cs:
            for i in range(200):
                db.events.insert_one({"to": f"cs{i}", "i": i})
            ev = drain(cs, 200)
            eq([e["fullDocument"]["i"] for e in ev], list(range(200)))
            a = shard(1).sub.events.count_documents({"to": {"$regex": "^cs"}})
            assert 50 < a < 150
            tok = ev[99]["_id"]
            op = ev[50]["clusterTime"]
        with db.events.watch(resume_after=tok, max_await_time_ms=500) as cs:
            eq([e["fullDocument"]["i"] for e in drain(cs, 100)], list(range(100, 200)))
        with db.events.watch(start_after=tok, max_await_time_ms=500) as cs:
            eq(drain(cs, 1)[0]["fullDocument"]["i"], 100)
        with db.events.watch(
            [{"$match": {"fullDocument.to": "cs150"}}], start_at_operation_time=op, max_await_time_ms=500
        ) as cs:
            eq(drain(cs, 1)[0]["fullDocument"]["i"], 150)
        with cl.watch(resume_after=tok, max_await_time_ms=500) as cs:
            eq(drain(cs, 1)[0]["fullDocument"]["i"], 100)
        with db.events.watch(full_document="updateLookup", max_await_time_ms=500) as cs:
            db.events.update_one({"to": "cs3"}, {"$set": {"y": 3}})
            e = drain(cs, 1)[0]
            eq((e["operationType"], e["fullDocument"]["y"]), ("update", 3))
        try:
            list(db.events.watch(resume_after={"_data": "00"}))
            assert 0
        except OperationFailure:
            pass

    @test
    def change_stream_getmore_waits_and_wakes():
        with db.events.watch(max_await_time_ms=3000) as cs:
            t = time.time()
            assert cs.try_next() is None
            w = time.time() - t
            assert w > 2.5, w
            threading.Timer(0.5, lambda: db.events.insert_one({"to": "wake"})).start()
            t = time.time()
            eq(cs.next()["fullDocument"]["to"], "wake")
            return f"empty {w:.2f} s, woken after {time.time() - t:.2f} s (insert at 0.50)"

    @test
    def transactions_are_refused_clearly():
        with cl.start_session() as s:
            try:
                with s.start_transaction():
                    db.events.insert_one({"to": "tx"}, session=s)
                assert 0
            except OperationFailure as e:
                eq(e.code, 20)

    @test
    def default_write_concern_is_sent_along():
        eq(cl.admin.command("getDefaultRWConcern")["defaultWriteConcern"]["w"], "majority")

    @test
    def causal_session():
        with cl.start_session(causal_consistency=True) as s:
            for i in range(50):
                db.events.insert_one({"to": f"cc{i}"}, session=s)
                assert db.events.find_one({"to": f"cc{i}"}, session=s)

    @test
    def split_and_move_chunk_while_writing():
        db.ranged.delete_many({})
        db.ranged.insert_many([{"u": f"u{i}", "d": i} for i in range(20)])
        stop = threading.Event()
        n = [0]
        errs = []

        def w():
            c = MongoClient(uri).sub
            while not stop.is_set():
                try:
                    c.presence.find_one_and_update({"_id": f"mv{n[0] % 500}"}, {"$inc": {"k": 1}}, upsert=True)
                    c.events.insert_one({"to": f"mv{n[0]}"})
                    n[0] += 1
                except Exception as e:
                    errs.append(e)

        with db.watch([{"$match": {"fullDocument.to": {"$regex": "^mv"}}}], max_await_time_ms=500) as cs:
            t = threading.Thread(target=w)
            t.start()
            time.sleep(0.3)
            ch = list(
                cl.config.chunks.find(
                    {"shard": "shard1", "uuid": cl.config.collections.find_one({"_id": "sub.presence"})["uuid"]}
                )
            )[0]
            cl.admin.command("moveChunk", "sub.presence", bounds=[ch["min"], ch["max"]], to="shard2")
            ch = list(
                cl.config.chunks.find(
                    {"shard": "shard1", "uuid": cl.config.collections.find_one({"_id": "sub.events"})["uuid"]}
                )
            )[0]
            cl.admin.command("moveRange", "sub.events", min=ch["min"], max=ch["max"], toShard="shard2")
            cl.admin.command("split", "sub.ranged", middle={"u": "u5", "d": 0})
            cl.admin.command("moveChunk", "sub.ranged", find={"u": "u7", "d": 7}, to="shard2")
            time.sleep(0.3)
            stop.set()
            t.join()
            eq(errs, [])
            eq(db.presence.count_documents({"_id": {"$regex": "^mv"}}), min(n[0], 500))
            eq(sum(d["k"] for d in db.presence.find({"_id": {"$regex": "^mv"}})), n[0])
            eq(db.events.count_documents({"to": {"$regex": "^mv"}}), n[0])
            got = drain(cs, n[0], 30)
            eq([e["fullDocument"]["to"] for e in got], [f"mv{i}" for i in range(n[0])])
        eq(db.ranged.count_documents({}), 20)
        eq(db.ranged.find_one({"u": "u7", "d": 7})["d"], 7)
        return f"{n[0]} writes during moves"

    @test
    def eight_clients():
        with db.events.watch(max_await_time_ms=500) as cs:
            errs = []

            def w(k):
                try:
                    c = MongoClient(uri).sub
                    for i in range(100):
                        c.events.insert_one({"to": f"c{k}-{i}", "k": k, "i": i})
                        c.presence.find_one_and_update({"_id": f"c{k}-{i % 10}"}, {"$inc": {"n": 1}}, upsert=True)
                        assert c.presence.find_one({"_id": f"c{k}-{i % 10}"})
                except Exception as e:
                    errs.append(repr(e))

            ts = [threading.Thread(target=w, args=(k,)) for k in range(8)]
            t = time.time()
            [x.start() for x in ts]
            [x.join() for x in ts]
            s = time.time() - t
            eq(errs, [])
            ev = drain(cs, 800, 30)
            eq(len(ev), 800)
            for k in range(8):
                eq([e["fullDocument"]["i"] for e in ev if e["fullDocument"]["k"] == k], list(range(100)))
            return f"{2400 / s:.0f} ops/s from Python"

    @test
    def unknown_command():
        try:
            cl.admin.command("replSetGetStatus")
            assert 0
        except OperationFailure as e:
            eq(e.code, 59)

    @test
    def router_restart_resume():
        with db.events.watch(max_await_time_ms=500) as cs:
            db.events.insert_one({"to": "rr", "i": 0})
            eq(drain(cs, 1)[0]["fullDocument"]["i"], 0)
            tok = cs.resume_token
            mc("kill-router", 0)
            mc("up")
            for i in range(1, 4):
                db.events.insert_one({"to": f"rr{i}", "i": i})
            eq([e["fullDocument"]["i"] for e in drain(cs, 3)], [1, 2, 3])  # the driver resumed it by itself
        with db.events.watch(resume_after=tok, max_await_time_ms=500) as cs:
            eq([e["fullDocument"]["i"] for e in drain(cs, 3)], [1, 2, 3])

    @test
    def drop_collection_and_database():
        db.presence.drop()
        assert "presence" not in db.list_collection_names()
        cl.admin.command("shardCollection", "sub.presence", key={"_id": "hashed"})
        db.presence.insert_many([{"_id": i} for i in range(50)], ordered=False)
        eq(db.presence.count_documents({}), 50)
        cl.drop_database("other")
        cl.other.x.insert_one({})
        cl.other.create_collection("cap", capped=True, size=65536)
        cl.other.x.rename("y")
        eq(set(cl.other.list_collection_names()), {"y", "cap"})
        cl.drop_database("other")
        assert "other" not in cl.list_database_names()
        cl.other.z.insert_one({})
        eq(cl.other.list_collection_names(), ["z"])

    @test
    def libmongoc():
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "libmongoc-1.0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if flags.returncode:
            return "SKIPPED: apt-get install libmongoc-dev"
        exe = os.path.join(DIR, "libmongoc-check")
        subprocess.run(
            [
                "cc",
                "-O1",
                "-Wall",
                "-o",
                exe,
                os.path.join(HERE, "libmongoc-check.c"),
                *flags.stdout.split(),
                "-lpthread",
            ],
            check=True,
        )
        r = subprocess.run([exe, uri], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert r.returncode == 0, r.stdout
        return r.stdout.strip().split("\n")[-1]

    cl.close()
    mc("down")
    if not A.quick:
        uri3 = mc("up", "--shards", 2, "--replicas", 3, dir="b")
        cl = MongoClient(uri3)
        db = cl.sub

        @test
        def failover_kill_and_stepdown():
            cl.admin.command("shardCollection", "sub.events", key={"to": "hashed"})
            db.events.insert_many([{"to": f"w{i}"} for i in range(50)], ordered=False)
            stop = threading.Event()
            n = [0]
            errs = []
            slow = [0]

            def w():
                c = MongoClient(uri3).sub
                while not stop.is_set():
                    t = time.time()
                    try:
                        c.events.insert_one({"to": f"f{n[0]}", "i": n[0]})
                        n[0] += 1
                    except Exception as e:
                        errs.append(repr(e)[:200])
                    slow[0] = max(slow[0], time.time() - t)

            with db.events.watch([{"$match": {"operationType": "insert"}}], max_await_time_ms=500) as cs:
                t = threading.Thread(target=w)
                t.start()
                time.sleep(1)
                mc("kill-shard", 1, dir="b")
                time.sleep(6)
                mc("up", dir="b")
                time.sleep(1)
                mc("stop-primary", 2, dir="b")
                time.sleep(3)
                stop.set()
                t.join()
                got = [e["fullDocument"].get("i", str(e)) for e in drain(cs, n[0], 30)]
                eq(errs, [])
                missing = sorted(set(range(n[0])) - set(got))[:5]
                breaks = [(x, y) for x, y in zip(got, got[1:]) if y != x + 1][:5]
                seen = f"{len(got)} seen, {len(set(got))} distinct"
                assert got == list(range(n[0])), f"{n[0]} inserted, {seen}, missing {missing}, out of order {breaks}"
            return f"{n[0]} inserts through kill and stepdown, none lost or doubled, longest pause {slow[0]:.1f} s"

        cl.close()
        mc("down", dir="b")
finally:
    if not A.keep:
        for d in ("a", "b"):
            try:
                mc("down", "--wipe", dir=d)
            except Exception:
                pass
print(f"{passed} passed, {len(failed)} failed {failed}")
sys.exit(bool(failed))
