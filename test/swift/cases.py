"""The situations of matrix.py: what each side has before the pass, made with Swift's own brokers.

A case is a function that fills a Fixture, in which `a` is the sender's copy and `b` the receiver's.
Its decorator says what the stock sender and the stock receiver then say to each other, so that a
case cannot silently test something else, and where ours is meant to end differently.
"""

import os
import pathlib
import time

BASE = int(time.time()) - 86400
PER_DIFF = 100
MAX_DIFFS = 8
PARTITIONS = 256

# Which devices hold a partition, by its remainder: see matrix.py.
PAIR, UNMOUNTED, NO_REPLICATE, FULL, HANDOFF = range(5)

OURS_TO_STOCK = "ours to stock"
STOCK_TO_OURS = "stock to ours"
OURS_TO_OURS = "ours to ours beside stock"
SENDER = (OURS_TO_STOCK, OURS_TO_OURS)
RECEIVER = (STOCK_TO_OURS, OURS_TO_OURS)


class Meant:
    """Where one of ours ends differently from Swift on purpose: paths of a snapshot as patterns
    (`1.sdb.rows.*`: round, device, what), and why. A deviation that does not show is a failure."""

    def __init__(self, why, variants, *paths, kinds=("account", "container")):
        self.why, self.variants, self.paths, self.kinds = why, variants, paths, kinds


def stamp(tick, fraction=0):
    return f"{BASE + tick:010d}.{fraction:05d}"


class Case:
    def __init__(self, make, **options):
        self.make = make
        self.name = make.__name__
        self.verbs = ""
        self.kinds = ("account", "container")
        self.policies = (1, 2)
        self.group = PAIR
        self.deviates = ()
        self.account = None
        self.__dict__.update(options)


CASES = []


def case(verbs, **options):
    def add(make):
        CASES.append(Case(make, verbs=verbs, **options))
        return make
    return add


class Fixture:
    """The databases of one case and one kind, below `root`/<device>."""

    def __init__(self, one, kind, root):
        from swift.common.utils import hash_path, storage_directory
        self.case, self.kind, self.root = one, kind, pathlib.Path(root)
        self.storage_directory = storage_directory
        self.ids = {}
        for number in range(100 * PARTITIONS):
            self.account = (one.account or "AUTH_{}-{}").format(one.name, number)
            self.container = f"{one.name}-{number}" if kind == "container" else None
            if kind == "container" and one.account:
                self.container = f"\0{self.container}\u00fc\U0001f600"
            self.hash = hash_path(self.account, self.container)
            self.partition = int(self.hash[:8], 16) >> 24
            if self.partition % 5 == one.group:
                return

    def make(self, side, policy=0, put=0, misplaced=False):
        """The copy of one side, without rows."""
        partition = (self.partition + 5) % PARTITIONS if misplaced else self.partition
        directory = self.root / f"sd{side}" / self.storage_directory(
            self.kind + "s", str(partition), self.hash)
        os.makedirs(directory)
        path = str(directory / f"{self.hash}.db")
        if self.kind == "container":
            from swift.container.backend import ContainerBroker
            broker = ContainerBroker(path, account=self.account, container=self.container)
        else:
            from swift.account.backend import AccountBroker
            broker = AccountBroker(path, account=self.account)
        broker.initialize(stamp(put), policy)
        copy = Copy(self.kind, broker, policy)
        copy.set(created_at=stamp(put, 1 if side == "a" else 2))
        self.ids[copy.id] = side
        return copy


class Copy:
    """One database, written through Swift's broker. Methods return it, to be chained."""

    def __init__(self, kind, broker, policy):
        self.kind, self.broker, self.policy = kind, broker, policy
        self.id = broker.get_info()["id"]

    def set(self, **columns):
        """Columns of the stat row, for which Swift's brokers have no call."""
        if not columns:
            return self
        with self.broker.get() as connection:
            connection.execute(f"UPDATE {self.kind}_stat SET "
                               + ", ".join(f"{name} = ?" for name in columns),
                               tuple(columns.values()))
            connection.commit()
        return self

    def row(self, name, tick, gone=False, size=10, policy=None):
        policy = self.policy if policy is None else policy
        if self.kind == "container":
            return {"name": name, "created_at": stamp(tick), "size": 0 if gone else size,
                    "content_type": "application/deleted" if gone else "text/plain",
                    "etag": "noetag" if gone else f"etag {name} {tick}", "deleted": int(gone),
                    "storage_policy_index": policy}
        return {"name": name, "put_timestamp": stamp(tick - 1 if gone else tick),
                "delete_timestamp": stamp(tick) if gone else "0",
                "object_count": 0 if gone else size % 97, "bytes_used": 0 if gone else size,
                "deleted": int(gone), "storage_policy_index": policy}

    def put(self, *rows):
        """Rows as a server merges them: (name, tick[, gone[, size]])."""
        self.broker.merge_items([self.row(*row) for row in rows])
        return self

    def rows(self, first, last, tick=100, prefix="row"):
        return self.put(*((f"{prefix} {i:05d}", tick + i, False, i) for i in range(first, last)))

    def pending(self, name, tick, gone=False):
        """A row that a server has acknowledged and not yet committed."""
        row = self.row(name, tick, gone)
        if self.kind == "container":
            self.broker.put_object(name, row["created_at"], row["size"], row["content_type"],
                                   row["etag"], row["deleted"], row["storage_policy_index"])
        else:
            self.broker.put_container(name, row["put_timestamp"], row["delete_timestamp"],
                                      row["object_count"], row["bytes_used"],
                                      row["storage_policy_index"])
        return self

    def knows(self, other, point, incoming=True):
        remote = other if isinstance(other, str) else other.id
        self.broker.merge_syncs([{"remote_id": remote, "sync_point": point}], incoming=incoming)
        return self

    def meta(self, **items):
        """name=(value, tick)"""
        prefix = f"X-{self.kind.title()}-Meta-"
        self.broker.update_metadata({prefix + name.title(): (value, stamp(tick))
                                     for name, (value, tick) in items.items()})
        return self

    def times(self, put, delete):
        self.broker.merge_timestamps(stamp(0, 9), stamp(put), stamp(delete) if delete else "0")
        return self

    def delete(self, tick):
        self.broker.delete_db(stamp(tick))
        return self


# ---- Nothing to send

@case("sync:200")
def in_sync_by_points(f):
    a, b = f.make("a").rows(0, 20), f.make("b").rows(0, 20)
    b.knows(a, 20)
    a.knows(b, 20).knows(b, 20, incoming=False)


@case("sync:200")
def same_rows_and_no_points(f):
    f.make("a").rows(0, 20)
    f.make("b").rows(10, 20).rows(0, 10)


@case("sync:200")
def both_empty(f):
    f.make("a")
    f.make("b")


# ---- Rows

NOTHING_NEW = Meant("a row that says nothing new keeps its ROWID", RECEIVER,
                    "2.wire.0.reply.max_row", kinds=("account",))


@case("sync:200 merge_items:202 merge_syncs:202")
def a_few_rows_behind(f):
    a, b = f.make("a").rows(0, 30), f.make("b").rows(0, 20)
    b.knows(a, 20)
    a.knows("of a third node", 7).knows("known to both", 9)
    b.knows("known to both", 4).knows("only to b", 3)


@case("sync:200 merge_items:202 merge_items:202 merge_items:202 merge_syncs:202")
def many_rows_in_several_batches(f):
    a, b = f.make("a").rows(0, 450), f.make("b").rows(0, 230)
    b.knows(a, 230)


@case("sync:200" + MAX_DIFFS * " merge_items:202", deviates=[NOTHING_NEW])
def more_rows_than_one_pass_sends(f):
    f.make("a").rows(0, 1300).knows("of a third node", 7)
    f.make("b").rows(0, 700)


@case("sync:200 merge_items:202 merge_syncs:202", deviates=[NOTHING_NEW])
def each_has_rows_that_the_other_lacks(f):
    f.make("a").rows(0, 20).rows(20, 40, prefix="only in a")
    f.make("b").rows(0, 20).rows(20, 30, prefix="only in b")


@case("sync:200 merge_items:202 merge_syncs:202", deviates=[
    Meant("an older row does not replace a newer one's counts", RECEIVER, "?.sdb.rows.'gone *",
          "?.sdb.stat.*", "?.sdb.policy_stat.*", "2.wire.0.reply.*", kinds=("account",))])
def rows_and_tombstones_newer_on_either_side(f):
    f.make("a").rows(0, 30).put(
        ("newer in a", 300), ("newer in b", 301), ("gone in a", 303, True),
        ("gone earlier in a", 304, True), ("came back in a", 307), ("gone in both", 308, True),
        ("gone only in a", 310, True))
    f.make("b").rows(0, 30).put(
        ("newer in a", 299), ("newer in b", 302), ("gone in a", 302), ("gone earlier in a", 305),
        ("came back in a", 306, True), ("gone in both", 309, True), ("gone only in b", 311, True))


@case("sync:200 merge_items:202 merge_syncs:202", kinds=("container",))
def times_of_content_type_and_metadata_apart_from_those_of_data(f):
    a, b = f.make("a"), f.make("b")
    for copy, ctype, meta in ((a, 110, 140), (b, 130, 120)):
        copy.broker.put_object("o", stamp(100), 5, f"type/at-{ctype}", "etag",
                               ctype_timestamp=stamp(ctype), meta_timestamp=stamp(meta))
        copy.broker.put_object("p", stamp(100 + meta), 5, "type/any", f"etag {meta}")
        copy.broker.put_object("offset", stamp(100) + f"_{meta:016x}", meta, "a/b", f"etag {meta}")
        copy.broker.get_info()


@case("sync:200 merge_items:202 merge_syncs:202", kinds=("container",), policies=(2,))
def rows_of_two_policies(f):
    a, b = f.make("a"), f.make("b")
    for copy, one in ((a, 0), (b, 1)):
        copy.broker.merge_items([copy.row(f"row {i}", 100 + i + one, False, i, (i + one) % 2)
                                 for i in range(20)])
        # Nothing is to be moved between policies here. Ours notes with which policy that was said.
        copy.set(reconciler_sync_point=1000)
        since = copy.broker.get_info()["status_changed_at"]
        copy.broker.merge_syncs([{"remote_id": f"note/policy 0 of {since} in {copy.id}",
                                  "sync_point": 1000}], incoming=False)


@case("sync:200 merge_items:202 merge_syncs:202", account="AUTH_caf\u00e9 \U0001f600 {} {}")
def names_of_any_letters(f):
    names = ["caf\u00e9", "cafe\u0301", "\u65e5\u672c\u8a9e", "\U0001f600\U0001f680",
             "\u2028\u2029", "\x01\x1f\x7f", "a\"b\\c/d", "\ufffd\uffff", "\0reserved\0name",
             "nul\0inside", "nul\0inside too", " ", "line\nbreak\r\n", "</script>", "%00%2F",
             "\u0130\u0131\u00df"]
    f.make("a").put(*((name, 100 + i) for i, name in enumerate(names)))
    f.make("b").put(("nul\0inside", 50), ("nul", 60), ("\0reserved", 70), ("\U0001f600", 80))


@case("sync:404 complete_rsync:204", account="\0AUTH_{}\0{}")
def reserved_names_where_there_is_nothing(f):
    f.make("a").put(("\0v\0o", 100), ("\0v\0\0", 101, True)).meta(note=("caf\u00e9 \U0001f600", 3))


@case("sync:200 merge_items:202 merge_syncs:202", deviates=[NOTHING_NEW])
def rows_still_pending_on_both_sides(f):
    a, b = f.make("a").rows(0, 20), f.make("b").rows(0, 20)
    b.knows(a, 20)
    a.pending("pending in a", 200).pending("row 00003", 201, True).pending("pending in both", 202)
    b.pending("pending in b", 203).pending("pending in both", 204)


@case("sync:200 merge_items:202 merge_syncs:202", kinds=("container",), deviates=[
    Meant("the same version wins everywhere", RECEIVER, "?.sdb.*", "2.wire.*")])
def two_versions_of_a_row_at_the_same_time(f):
    a, b = f.make("a"), f.make("b")
    for copy, etag in ((a, "greater"), (b, "but less")):
        copy.broker.put_object("o", stamp(100), 5, "text/plain", etag)
        copy.broker.put_object("gone in a", stamp(100), 5, "text/plain", etag, int(copy is a))
        copy.broker.get_info()
    a.rows(0, 3)


# ---- Whole files

@case("sync:404 complete_rsync:204")
def nothing_there(f):
    f.make("a").rows(0, 50).put(("gone", 200, True)).meta(color=("blue", 3)) \
        .knows("of a third node", 7).knows("another node", 8, incoming=False)


@case("sync:404 complete_rsync:204")
def nothing_there_and_no_rows(f):
    f.make("a")


@case("sync:404 complete_rsync:204", kinds=("container",))
def nothing_there_and_reported_to_the_account(f):
    a = f.make("a").rows(0, 50)
    info = a.broker.get_info()
    a.broker.reported(info["put_timestamp"], info["delete_timestamp"], info["object_count"],
                      info["bytes_used"])
    a.set(x_container_sync_point1=20, x_container_sync_point2=30)


# Many rows, since a stock sender waits for the merge one second for each 2000.
@case("sync:200 rsync_then_merge:204", deviates=[
    Meant("the point of a merged file is the sender's highest ROWID",
          (OURS_TO_STOCK, STOCK_TO_OURS, OURS_TO_OURS), "?.sdb.incoming.(id of a)",
          "2.wire.0.reply.point"),
    Meant("what a sender wants merged has a name that is nobody's id", SENDER,
          "1.wire.1.arguments.0", "?.sdb.incoming.(new id)"),
    Meant("a sender tells its point after the merge, and makes sure of the file", SENDER,
          "1.wire.2.*", "1.wire.3.*"),
    Meant("rows of the merged database are no news to the file if its sender has had them",
          RECEIVER, "?.sdb.incoming.(id of b)"),
    Meant("an older row does not bring a newer one's counts back", RECEIVER, "?.sdb.rows.*",
          "?.sdb.stat.*", "?.sdb.policy_stat.*", "2.wire.0.reply.*", kinds=("account",))])
def far_behind_with_rows_of_its_own(f):
    f.make("a").rows(0, 12000) \
        .put(("newer in b", 300), ("gone in b", 301), ("gone in a", 400, True)) \
        .meta(color=("blue", 3), size=("small", 5)).knows("of a third node", 7).knows("both", 9)
    f.make("b").rows(0, 10).put(("newer in b", 310), ("gone in b", 311, True), ("gone in a", 390)) \
        .rows(0, 20, prefix="only in b").meta(color=("red", 4), shape=("round", 2)) \
        .knows("both", 11).knows("only b", 12)


# ---- Metadata and times

@case("sync:200")
def metadata_newer_on_either_side(f):
    f.make("a").meta(a=("newer", 20), b=("older", 10), only_a=("x", 5), gone=("", 30),
                     text=("caf\u00e9 \U0001f600 \"quoted\" \\", 5))
    f.make("b").meta(a=("older", 10), b=("newer", 20), only_b=("x", 5), gone=("there", 20))


@case("sync:200")
def metadata_of_servers(f):
    kind = f.kind.title()
    a, b = f.make("a"), f.make("b")
    a.broker.update_metadata({f"X-{kind}-Sysmeta-Acl": ("{\"a\": [1]}", stamp(3)),
                              "X-Container-Read": (".r:*", stamp(2))})
    b.broker.update_metadata({f"X-{kind}-Sysmeta-Acl": ("", stamp(4)),
                              "X-Versions-Location": ("v", stamp(2))})


@case("sync:200", kinds=("container",))
def times_of_a_container_newer_on_either_side(f):
    f.make("a", put=50).set(delete_timestamp=stamp(40))
    f.make("b", put=30).set(delete_timestamp=stamp(45))


@case("sync:200", kinds=("account",), deviates=[
    Meant("times of the answer count for accounts as well", SENDER, "?.sda.stat.*",
          "2.wire.0.arguments.*")])
def times_of_an_account_newer_on_either_side(f):
    f.make("a", put=50).set(delete_timestamp=stamp(40))
    f.make("b", put=30).set(delete_timestamp=stamp(45))


@case("sync:200")
def deleted_here_and_alive_there(f):
    a, b = f.make("a").rows(0, 5), f.make("b").rows(0, 5)
    for copy in (a, b):
        copy.meta(color=("blue", 3)).put(*((f"row {i:05d}", 200 + i, True) for i in range(5)))
    a.delete(300)


@case("sync:200", kinds=("container",))
def alive_here_and_deleted_there(f):
    f.make("a").meta(color=("blue", 3))
    f.make("b").meta(color=("blue", 3)).delete(300)


@case("sync:200", kinds=("container",), deviates=[
    Meant("the mark of a deletion goes with a later put", RECEIVER, "?.sdb.stat.status",
          "2.wire.0.reply.status")])
def made_again_here_after_its_deletion(f):
    f.make("a").delete(300).times(400, 300)
    f.make("b").delete(300)


@case("sync:404 complete_rsync:204")
def deleted_here_and_nothing_there(f):
    f.make("a").put(("gone", 200, True)).meta(color=("blue", 3)).delete(300)


WEEK = 7 * 86400


EXPIRES = Meant("an expired one asks its peers before it goes", SENDER, "?.wire*",
                "?.sdb.stat.created_at")


@case("", deviates=[EXPIRES])
def deleted_longer_ago_than_reclaim_age(f):
    for side in ("a", "b"):
        f.make(side, put=-2 * WEEK).delete(-2 * WEEK + 10).set(
            **({"reported_put_timestamp": stamp(-2 * WEEK),
                "reported_delete_timestamp": stamp(-2 * WEEK + 10)}
               if f.kind == "container" else {}))


@case("", kinds=("container",), deviates=[EXPIRES])
def deleted_long_ago_and_not_reported(f):
    for side in ("a", "b"):
        f.make(side, put=-2 * WEEK).delete(-2 * WEEK + 10)


# ---- Storage policies: one of the two gives way

def policy_case(function):
    return case("sync:200", kinds=("container",), policies=(2,))(function)


@policy_case
def policies_differ_and_the_sender_is_older(f):
    f.make("a", policy=1, put=10)
    f.make("b", policy=0, put=20)


@policy_case
def policies_differ_and_the_receiver_is_older(f):
    f.make("a", policy=0, put=20)
    f.make("b", policy=1, put=10)


@policy_case
def policies_differ_and_the_sender_is_deleted(f):
    f.make("a", policy=1, put=10).delete(30)
    f.make("b", policy=0, put=20)


@policy_case
def policies_differ_and_the_receiver_is_deleted(f):
    f.make("a", policy=1, put=20)
    f.make("b", policy=0, put=10).delete(30)


@policy_case
def policies_differ_and_both_are_deleted(f):
    f.make("a", policy=1, put=10).delete(30)
    f.make("b", policy=0, put=20).delete(25)


@policy_case
def policies_differ_and_the_sender_was_made_again(f):
    f.make("a", policy=1, put=20).delete(30).times(40, 30)
    f.make("b", policy=0, put=10)


@case("sync:200 merge_items:202 merge_syncs:202", kinds=("container",), policies=(2,))
def policies_differ_and_the_older_has_rows(f):
    f.make("a", policy=1, put=10).rows(0, 10)
    f.make("b", policy=0, put=20)


# ---- Shard ranges: sent after every answer to sync; once sharding has begun, rows stay here

def shard_range(f, low, high, tick, **more):
    from swift.common.utils import ShardRange
    name = ShardRange.make_path(f".shards_{f.account}", f.container, "0" * 32, stamp(tick), tick)
    return ShardRange(name, stamp(tick), low, high, **more)


def shard_case(verbs):
    return case(verbs, kinds=("container",), policies=(2,))


@shard_case("sync:200 merge_shard_ranges:202 merge_items:202 merge_syncs:202")
def shard_ranges_that_the_peer_lacks(f):
    from swift.common.utils import ShardRange
    a = f.make("a").rows(0, 20)
    a.broker.merge_shard_ranges([
        shard_range(f, "", "row 00010", 100, object_count=10, bytes_used=45,
                    state=ShardRange.FOUND, state_timestamp=stamp(120)),
        shard_range(f, "row 00010", "s\u00e4ge \U0001f600", 101, deleted=1)])
    f.make("b").rows(0, 5)


@shard_case("sync:200 get_shard_ranges:200 merge_shard_ranges:202 merge_items:202 merge_syncs:202")
def shard_ranges_that_only_the_peer_has(f):
    from swift.common.utils import ShardRange
    f.make("a").rows(0, 20)
    f.make("b").rows(0, 5).broker.merge_shard_ranges([
        shard_range(f, "", "m", 100, state=ShardRange.FOUND),
        shard_range(f, "m", "", 101, state=ShardRange.CREATED, state_timestamp=stamp(130))])


@shard_case("sync:200 get_shard_ranges:200 merge_shard_ranges:202")
def shard_ranges_newer_on_either_side_and_sharding_begun(f):
    from swift.common.utils import ShardRange
    for copy, newer in ((f.make("a").rows(0, 20), 0), (f.make("b").rows(0, 5), 1)):
        ranges = [shard_range(f, "", "m", 100), shard_range(f, "m", "", 101)]
        ranges[newer].update_state(ShardRange.CLEAVED, state_timestamp=stamp(200))
        ranges[newer].update_meta(7, 70, meta_timestamp=stamp(210))
        own = ShardRange(f"{f.account}/{f.container}", stamp(90), "", "",
                         state=ShardRange.SHARDING, state_timestamp=stamp(150), epoch=stamp(150))
        copy.broker.merge_shard_ranges(ranges + [own])


@shard_case("sync:404 complete_rsync:204")
def shard_ranges_and_nothing_there(f):
    f.make("a").rows(0, 20).broker.merge_shard_ranges([shard_range(f, "", "m", 100)])


# ---- What else a pass does for containers: what it leaves beside them is compared as well

def hour_of_a_pair():
    """A time whose reconciler container belongs to the sender and the receiver."""
    from swift.common.utils import hash_path
    for tick in range(0, 86400, 3600):
        hour = (BASE + tick) // 3600 * 3600
        if int(hash_path(".misplaced_objects", str(hour))[:2], 16) % 5 == PAIR:
            return tick
    raise RuntimeError("no such hour in a day")


@case("sync:200 merge_items:202 merge_syncs:202", kinds=("container",), policies=(2,))
def rows_of_another_policy_wait_for_the_reconciler(f):
    tick = hour_of_a_pair()
    a = f.make("a").rows(0, 10)
    a.broker.merge_items([a.row("misplaced caf\u00e9", tick, False, 7, 1),
                          a.row("misplaced and gone", tick, True, 0, 1)])
    f.make("b").rows(0, 5)


@case("sync:200", kinds=("container",), policies=(2,))
def a_container_begins_to_be_synced_and_another_ends(f):
    keys = ("X-Container-Sync-To", "X-Container-Sync-Key")
    f.make("a").broker.update_metadata({key: ("value", stamp(10)) for key in keys})
    f.make("b").broker.update_metadata({key: ("", stamp(5)) for key in keys})


# ---- Devices and servers in a bad state

@case("sync:507 sync:404 complete_rsync:204", group=UNMOUNTED)
def the_device_of_the_peer_is_not_mounted(f):
    f.make("a").rows(0, 10)


@case("sync:405", group=NO_REPLICATE)
def the_server_of_the_peer_serves_no_replicate(f):
    f.make("a").rows(0, 10)


@case("sync:507 sync:404 complete_rsync:204", group=FULL, deviates=[
    Meant("a full device gets no handoff, if the receiver says so", (OURS_TO_OURS,), "?.wire.*",
          "?.spare*")])
def the_device_of_the_peer_is_full(f):
    f.make("a").rows(0, 10)


# ---- Copies that do not belong here

LEAVES = Meant("a copy that leaves asks if a file has arrived, and once more before it goes",
               SENDER, "1.wire.*")


@case("sync:404 complete_rsync:204 sync:404 complete_rsync:204", group=HANDOFF, deviates=[LEAVES])
def a_handoff_goes_when_its_primaries_have_it(f):
    f.make("a").rows(0, 10)


@case("sync:200 merge_items:202 merge_syncs:202 sync:404 complete_rsync:204", group=HANDOFF,
      deviates=[LEAVES, Meant("and notes under a name of its own what it has sent", SENDER,
                              "?.spare.outgoing*")])
def a_copy_in_the_wrong_partition_goes_to_the_right_one(f):
    f.make("a", misplaced=True).rows(0, 10)
    f.make("b").rows(5, 15)


# ---- History that is not what the peer remembers

RENEWED = Meant("rows that a restored copy lacks, or alone has, are sent", SENDER, "*.sdb.rows.*",
                "*.wire.*", "*")


@case("sync:200", deviates=[RENEWED])
def the_peer_knows_rows_beyond_our_last(f):
    a, b = f.make("a").rows(0, 10).rows(10, 15, prefix="since restored"), f.make("b").rows(0, 20)
    b.knows(a, 20)


@case("sync:200", deviates=[RENEWED])
def the_peer_was_restored_from_an_older_copy(f):
    a, b = f.make("a").rows(0, 20), f.make("b").rows(0, 10)
    b.knows(a, 10)
    a.knows(b, 20, incoming=False)
