"""Swift's own brokers and RPC servers as one side of a comparison.

The time is given: what Swift asks the system clock or SQLite for comes from `clock`. The classes
named Amended do what Swift does, except where doc/defects.md says that ours differ on purpose:
there they follow ours, so that a comparison can go on behind the difference. What unamended Swift
does in these cases is shown in deviations.py.
"""
import collections
import functools
import itertools
import json
import logging
import os
import sqlite3

import swift.common.db
import swift.common.utils
import swift.container.backend
from swift.account.backend import AccountBroker
from swift.common.db_replicator import ReplicatorRpc
from swift.common.utils import Timestamp, get_db_files, hash_path, storage_directory
from swift.container.backend import SHARDING, ContainerBroker
from swift.container.reconciler import incorrect_policy_index
from swift.container.replicator import ContainerReplicatorRpc

TICKS = 100000  # per second
PARTITION = '1'


class Clock:
    """Wall time in ticks of 10 microseconds."""

    def __init__(self):
        self.ticks = 1700000000 * TICKS

    def text(self, ticks=None, offset=0):
        ticks = self.ticks if ticks is None else ticks
        text = '%010d.%05d' % divmod(ticks, TICKS)
        return text + ('_%016x' % offset if offset else '')


clock = Clock()


def take_over():
    """Makes Swift's modules use the clock here, and no threads."""
    connect = swift.common.db.get_db_connection

    def connect_with_clock(*args, **kwargs):
        connection = connect(*args, **kwargs)
        # The triggers of the sync tables ask for the time.
        connection.create_function('strftime', 2, lambda form, when: str(clock.ticks // TICKS))
        return connection

    swift.common.db.get_db_connection = connect_with_clock
    Timestamp.now = classmethod(lambda cls, offset=0, delta=0: cls(clock.text()))
    swift.common.db._db_timeout = lambda timeout, db_file, call: call()  # nobody else is there
    swift.container.backend.tpool.execute = lambda call, *args: call(*args)
    swift.common.utils.HASH_PATH_PREFIX = b''
    swift.common.utils.HASH_PATH_SUFFIX = b'endcap'
    log = logging.getLogger('stock')
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log


logger = take_over()


class Place(collections.namedtuple('Place', 'device kind account container')):
    """Where a replica lies below a root. `container` is '' for an account."""

    @property
    def hash(self):
        return hash_path(self.account, self.container or None)

    def files(self, root):
        """The database files: two while a container is being sharded, the fresh one last."""
        return get_db_files(self.plain_path(root))

    def path(self, root):
        return (self.files(root) or [self.plain_path(root)])[-1]

    def plain_path(self, root):
        directory = storage_directory(self.kind + 's', PARTITION, self.hash)
        return os.path.join(root, self.device, directory, self.hash + '.db')

    def __str__(self):
        return '%s:%s/%s' % (self.device, self.account, self.container)


def set_point(broker, remote_id, point):
    with broker.get() as connection:
        connection.execute('INSERT OR REPLACE INTO incoming_sync (sync_point, remote_id)'
                           ' VALUES (?, ?)', (point, remote_id))
        connection.commit()


def drop_notes(broker, beyond):
    """What a database noted of its peers."""
    with broker.get() as connection:
        connection.execute('DELETE FROM outgoing_sync WHERE sync_point > ?', (beyond,))
        connection.commit()


class AmendedBroker:
    """Both kinds."""

    merged_from = None

    def newid(self, remote_id):
        """The point of the source is the highest ROWID ever given, not the highest still there.
        What the source noted of its peers goes if it is beyond that."""
        reached = self.get_max_row()
        super().newid(remote_id)
        set_point(self, remote_id, reached)
        drop_notes(self, reached)

    def merge_timestamps(self, created_at, put_timestamp, delete_timestamp):
        """The mark of a deletion goes with a later put."""
        before = self.get_info()
        super().merge_timestamps(created_at, put_timestamp, delete_timestamp)
        after = self.get_info()
        if any(before[key] != after[key]
               for key in ('created_at', 'put_timestamp', 'delete_timestamp')):
            was_deleted = self.is_deleted()
            with self.get() as connection:
                connection.execute("UPDATE %s_stat SET status = '' WHERE delete_timestamp <"
                                   " put_timestamp" % self.db_type)
                connection.commit()
            if was_deleted and not self.is_deleted():
                self.update_status_changed_at(Timestamp.now().internal)

    def mark_put(self, time):
        """As the servers' PUT. The status is cleared, so that a deleted account lives again."""
        was_deleted = self.is_deleted()
        self.update_put_timestamp(time)
        with self.get() as connection:
            connection.execute("UPDATE %s_stat SET status = '' WHERE delete_timestamp <"
                               " put_timestamp" % self.db_type)
            connection.commit()
        if was_deleted and not self.is_deleted():
            self.update_status_changed_at(time)


class AmendedContainer(AmendedBroker, ContainerBroker):
    def merge_items(self, item_list, source=None):
        """Rows get their ROWIDs in the order of their names; the point is the highest of all."""
        source = source or self.merged_from
        items = sorted(map(dict, item_list),
                       key=lambda row: (row['name'], row.get('storage_policy_index', 0)))
        if source:
            items[-1]['ROWID'] = max(row['ROWID'] for row in items)
        super().merge_items(items, source)

    merge_local = merge_items

    def set_storage_policy_index(self, policy_index, timestamp=None):
        """With another policy other rows are misplaced: the reconciler begins anew."""
        changed = self.get_info()['storage_policy_index'] != policy_index
        super().set_storage_policy_index(policy_index, timestamp)
        if changed:
            self.update_reconciler_sync(-1)

    def merge_shard_ranges(self, shard_ranges):
        """Ranges get their ROWIDs in the order of their names, too."""
        if not isinstance(shard_ranges, list):
            shard_ranges = [shard_ranges]
        held = {each['name']: each for each in self.get_all_shard_range_data()}
        joined = {}
        for news in sorted(map(dict, shard_ranges), key=lambda each: each['name']):
            name = news['name']
            before = joined.get(name) or held.get(name)
            after = self.joined(before, news) if before else news
            if after != before:
                joined[name] = after
        super().merge_shard_ranges(list(joined.values()))

    def joined(self, held, news):
        """An own range without epoch does not replace one with. `reported` counts for the sums and
        the state of which it was said."""
        if news['name'] == self.path and held['epoch'] and not news['epoch']:
            return held
        result = dict(news)
        if not swift.container.backend.merge_shards(result, held):
            return held
        if result['timestamp'] == held['timestamp']:
            said = ('object_count', 'bytes_used', 'tombstones', 'state', 'epoch')
            result['reported'] = int(any(
                each['reported'] and all(each[key] == result[key] for key in said)
                for each in (held, news)))
        return result


def newest(row):
    return max(Timestamp(row['put_timestamp']), Timestamp(row['delete_timestamp']))


def counts(row):
    return row['object_count'], row['bytes_used'], row['storage_policy_index']


class AmendedAccount(AmendedBroker, AccountBroker):
    """Rows are merged by time: Swift takes each for news, whatever its age, and writes it again."""

    def merge_items(self, item_list, source=None):
        source = source or self.merged_from
        known = self.get_sync(source) if source else None
        rows = sorted(map(dict, item_list), key=lambda row: row['name'])
        for row in rows:
            row.setdefault('storage_policy_index', 0)
        for name, group in itertools.groupby(rows, key=lambda row: row['name']):
            group = list(group)
            row = functools.reduce(self.joined, group)
            held = self.held(name)
            repeat = known is not None and group[-1]['ROWID'] <= known
            result = self.joined(held, row, not repeat) if held else row
            # After a tie the row is written again even if it stays as it was: others get it.
            tie = held and newest(held) == newest(row) and counts(held) != counts(row)
            if tie or held is None or any(result[each] != held[each] for each in held):
                super().merge_items([result])
        if source:
            reached = max(row['ROWID'] for row in rows)
            self.merge_syncs([{'remote_id': source, 'sync_point': reached}])

    merge_local = merge_items

    def held(self, name):
        with self.get() as connection:
            row = connection.execute('SELECT * FROM container WHERE name = ?', (name,)).fetchone()
        # A former Swift's has no policy.
        return {'storage_policy_index': 0, **{key: row[key] for key in row.keys()
                                              if key != 'ROWID'}} if row else None

    def joined(self, held, row, news=True):
        """Times are the newest of both, counts are those of the newer row; at equal times those of
        the row that came last, unless it has come before."""
        news = newest(row) > newest(held) or (news and newest(row) == newest(held))
        result = dict(row if news else held)
        for time in ('put_timestamp', 'delete_timestamp'):
            result[time] = max(held[time], row[time], key=Timestamp)
        result['deleted'] = int(Timestamp(result['delete_timestamp']) >
                                Timestamp(result['put_timestamp'])
                                and result['object_count'] == 0)
        return result


class AmendedRpc:
    """A file that is merged notes its sender's own highest ROWID, and keeps times, policy and the
    mark of a deletion. Rows of the database it replaces come from a replica, as those of any."""

    def rsync_then_merge(self, drive, db_file, args):
        upload = os.path.join(self.root, drive, 'tmp', args[0])
        if not self._db_file_exists(db_file) or not os.path.exists(upload):
            return super().rsync_then_merge(drive, db_file, args)
        sent = self.broker_class(upload).get_max_row()
        reached = max(sent, self.broker_class(db_file).get_sync(args[0]))
        AmendedBroker.merged_from = self.broker_class(db_file).get_info()['id']
        try:
            response = super().rsync_then_merge(drive, db_file, args)
        finally:
            AmendedBroker.merged_from = None
        set_point(self.broker_class(db_file), args[0], reached)
        drop_notes(self.broker_class(db_file), sent)
        return response

    def _post_rsync_then_merge_hook(self, existing_broker, new_broker):
        super()._post_rsync_then_merge_hook(existing_broker, new_broker)
        there, info = existing_broker.get_replication_info(), new_broker.get_replication_info()
        if 'status_changed_at' in there and incorrect_policy_index(info, there):
            new_broker.set_storage_policy_index(there['storage_policy_index'], clock.text())
        new_broker.merge_timestamps(*(there[time] for time in (
            'created_at', 'put_timestamp', 'delete_timestamp')))
        with existing_broker.get() as connection:
            mark, = connection.execute('SELECT status FROM %s_stat'
                                       % new_broker.db_type).fetchone()
        if mark:
            with new_broker.get() as connection:
                connection.execute('UPDATE %s_stat SET status = ? WHERE delete_timestamp >='
                                   ' put_timestamp' % new_broker.db_type, (mark,))
                connection.commit()


class AmendedContainerRpc(AmendedRpc, ContainerReplicatorRpc):
    pass


class AmendedAccountRpc(AmendedRpc, ReplicatorRpc):
    pass


class Stock:
    """Performs calls on the databases below a root, by Swift's code. The names of the calls and
    their arguments are those of differential.cpp."""

    def __init__(self, root, amended=True):
        self.root = root
        self.brokers = ({'container': AmendedContainer, 'account': AmendedAccount} if amended else
                        {'container': ContainerBroker, 'account': AccountBroker})
        self.servers = ({'container': AmendedContainerRpc, 'account': AmendedAccountRpc}
                        if amended else
                        {'container': ContainerReplicatorRpc, 'account': ReplicatorRpc})

    def broker(self, place):
        return self.brokers[place.kind](place.path(self.root), account=place.account,
                                        container=place.container or None, logger=logger)

    def perform(self, place, call, arguments):
        if call == 'rpc':
            return self.rpc(place, **arguments)
        return getattr(self, call)(self.broker(place), **arguments)

    def rpc(self, place, body, device=None):
        server = self.servers[place.kind](self.root, place.kind + 's', self.brokers[place.kind],
                                          mount_check=False, logger=logger)
        response = server.dispatch([device or place.device, PARTITION, place.hash], body)
        return [response.status_int, response.body.decode('utf8')]

    def create(self, broker, account, container, put_timestamp, policy):
        broker.initialize(put_timestamp, policy)

    def info(self, broker):
        return broker.get_replication_info()

    def put(self, broker, rows):
        broker.merge_local(rows)

    def leave_pending(self, broker, rows):
        """As a server does; whoever looks at the database next commits them."""
        for row in rows:
            row = {key: value for key, value in row.items() if key != 'ROWID'}
            if 'created_at' in row:
                broker.put_object(row['name'], row['created_at'], row['size'],
                                  row['content_type'], row['etag'], row['deleted'],
                                  row['storage_policy_index'], row.get('ctype_timestamp'),
                                  row.get('meta_timestamp'))
            else:
                broker.put_container(row['name'], row['put_timestamp'], row['delete_timestamp'],
                                     row['object_count'], row['bytes_used'],
                                     row['storage_policy_index'])

    def commit_pending(self, broker):
        broker._commit_puts_stale_ok()

    def merge_items(self, broker, rows, source):
        broker.merge_items(rows, source or None)

    def merge_shard_ranges(self, broker, ranges):
        broker.merge_shard_ranges(ranges)

    def shard_ranges(self, broker):
        return broker.get_all_shard_range_data()

    def merge_syncs(self, broker, points, incoming):
        broker.merge_syncs(points, incoming)

    def merge_timestamps(self, broker, created_at, put_timestamp, delete_timestamp):
        broker.merge_timestamps(created_at, put_timestamp, delete_timestamp)

    def merge_metadata(self, broker, metadata):
        broker.update_metadata(json.loads(metadata))

    def mark_deleted(self, broker, time):
        broker.delete_db(time)

    def mark_put(self, broker, time):
        broker.mark_put(time)

    def adopt(self, broker, source):
        broker.newid(source)

    def reclaim(self, broker, age, sync_age):
        broker.reclaim(float(age), float(sync_age))

    def set_storage_policy_index(self, broker, policy, time):
        broker.set_storage_policy_index(policy, time)

    def items_since(self, broker, point, count):
        return broker.get_items_since(point, count)

    def sync_point(self, broker, remote_id, incoming):
        return broker.get_sync(remote_id, incoming)

    def sync_points(self, broker, incoming):
        return broker.get_syncs(incoming)

    def state(self, broker):
        return [broker.is_deleted(), broker.empty()]

    def list(self, broker, prefix, marker, end_marker, delimiter, limit, policy):
        if broker.db_type == 'container':
            return [list(row[:5]) for row in broker.list_objects_iter(
                limit, marker, end_marker, prefix or None, delimiter or None,
                storage_policy_index=policy, transform_func=lambda row: row,
                allow_reserved=True)]
        return [list(row) for row in broker.list_containers_iter(
            limit, marker, end_marker, prefix or None, delimiter or None, allow_reserved=True)]

    # What only Swift's servers do.

    def sharding_initiated(self, broker):
        return broker.sharding_initiated()

    def begin_sharding(self, broker):
        """The sharder's first step: a second file, of the epoch that the own range gives."""
        epoch = broker.get_own_shard_range().epoch
        return bool(epoch and epoch > Timestamp(broker.db_epoch or 0) and
                    broker.set_sharding_state())

    def end_sharding(self, broker):
        """Its last step: the first file goes."""
        return broker.get_db_state() == SHARDING and broker.set_sharded_state()

    def report(self, broker, put_timestamp, delete_timestamp, object_count, bytes_used):
        broker.reported(put_timestamp, delete_timestamp, object_count, bytes_used)

    def set_container_sync_points(self, broker, first, second):
        broker.set_x_container_sync_points(first, second)

    def set_reconciler_point(self, broker, point):
        broker.update_reconciler_sync(point)


def is_note(remote_id):
    """What ours note in outgoing_sync for themselves. Swift's keep it and tell nobody."""
    return remote_id.startswith('note/')


def dump(path):
    """All tables: {(table, key): {column: value}}; the key is the ROWID, of sync points the id."""
    with sqlite3.connect('file:%s?mode=ro' % path, uri=True) as connection:
        connection.row_factory = sqlite3.Row
        rows = {}
        tables = [name for name, in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        for table in tables:
            for row in connection.execute('SELECT rowid AS at, * FROM %s' % table):
                row = dict(row)
                if 'remote_id' in row:
                    row['at'] = row['remote_id']
                elif table == 'sqlite_sequence':
                    row['at'] = row['name']
                rows[table, row.pop('at')] = row
    connection.close()
    return rows
