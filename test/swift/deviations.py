"""Where ours differ from Swift on purpose: what both do, in one situation for each line of
the table in doc/defects.md that speaks of databases or requests.

A case's decorator names the line. What a sender decides is tested with the flow; every other line
has a case here or is one of ELSEWHERE.
"""
import copy
import json
import os
import shutil
import sqlite3

import old_schemas
import stock
from stock import TICKS, Place, clock
from swift.common.utils import ShardRange

ELSEWHERE = {
    # unit.storage.storage: it takes a rename at one moment
    "Another file takes the place of one that is replaced or removed, as a stock server's merge "
    'renames one there under no lock',
    'A lock that is waited for while the directory is locked',  # unit.storage.storage
    # unit.storage.leaving, unit.send.departure, scenario.ways
    'Two nodes have different rings, and each takes the other for the owner',
    'The end of a commit that a peer was told of',  # would take a power cut
    # unit.words.json, unit.rpc, unit.beast.server_state
    'A body that would take gigabytes once it is parsed',
    # unit.words.seed, unit.rpc, scenario.ways
    'A process is started again while a file that it sent or took is merged',
    'Disks of a receiver hang',  # unit.beast.server, unit.beast.crew, unit.daemon.run
    # unit.send.peer_turn, unit.send.departure, scenario.real
    'Its own hash does not agree with its rows',
    'Many damaged databases on a device',  # unit.storage.brakes, unit.rpc
    # unit.storage.brakes
    'A daemon that is started again and again, or a single pass beside the service',
    'Stored metadata that cannot be read',  # unit.rows.metadata, unit.sqlite.database
}

HERE = Place('sda', 'container', 'AUTH_a', 'c')
PEER = HERE._replace(device='sdb')
ACCOUNT = Place('sda', 'account', 'AUTH_a', '')
CASES = []


def case(line):
    def add(function):
        CASES.append((function, line))
        return function
    return add


def at(seconds, offset=0):
    return clock.text((1700000000 + seconds) * TICKS, offset)


def row(name, seconds=0, **values):
    return {'ROWID': 1, 'name': name, 'created_at': at(seconds), 'size': 1, 'etag': 'etag',
            'content_type': 'text/plain', 'deleted': 0, 'storage_policy_index': 0, **values}


def shard_range(name, made=0, counted=0, changed=0, **values):
    """Its three times are in seconds."""
    return {'name': name, 'timestamp': at(made), 'lower': '', 'upper': 'm', 'object_count': 1,
            'bytes_used': 1, 'meta_timestamp': at(counted), 'deleted': 0,
            'state': ShardRange.ACTIVE, 'state_timestamp': at(changed), 'epoch': None,
            'reported': 0, 'tombstones': 0, **values}


OWN = '%s/%s' % HERE[2:]
SHARD = '.shards_AUTH_a/c'
SHARDING = [shard_range(OWN, epoch=at(0), state=ShardRange.SHARDING), shard_range(SHARD)]


def container(name, put, gone=None, count=1):
    return {'ROWID': 1, 'name': name, 'put_timestamp': at(put),
            'delete_timestamp': '0' if gone is None else at(gone), 'object_count': count,
            'bytes_used': 10 * count, 'deleted': 0, 'storage_policy_index': 0}


class Sides:
    """Swift as it is, and ours, each with databases of its own. Made of a Pair."""

    def __init__(self, pair):
        self.pair = pair
        pair.stock = stock.Stock(pair.roots['stock'], amended=False)
        pair.guest = stock.Stock(pair.roots['ours'], amended=False)
        self.roots = pair.roots

    def swift(self, place, call, **arguments):
        # Swift writes into the rows that it is given.
        return self.pair.by_swift('stock', place, call, copy.deepcopy(arguments))

    def ours(self, place, call, **arguments):
        answers = []
        self.pair.by_ours(place, call, arguments, answers.append)
        self.pair.catch_up()
        return answers[0]

    def both(self, place, call, **arguments):
        return self.swift(place, call, **arguments), self.ours(place, call, **arguments)

    def rpc(self, place, *body):
        """Both statuses."""
        return tuple(answer.get('error', '') and 500 if isinstance(answer, dict) else answer[0]
                     for answer in self.both(place, 'rpc', body=list(body)))

    def create(self, *places):
        for place in places:
            self.both(place, 'create', account=place.account, container=place.container,
                      put_timestamp=at(0), policy=0)
            self.pair.note_id(place)

    def merge(self, place, *rows, source=''):
        self.both(place, 'merge_items', rows=list(rows), source=source)

    def sql(self, place, statement):
        for root in self.roots.values():
            with sqlite3.connect(place.path(root)) as connection:
                connection.execute(statement)
            connection.close()

    def column(self, place, name, table=None):
        """One column of all rows in the order of their ROWIDs, on both sides."""
        found = []
        table = table or ('object' if place.kind == 'container' else 'container')
        for root in self.roots.values():
            rows = {at: values for (each, at), values in stock.dump(place.path(root)).items()
                    if each == table}
            found.append([rows[at][name] for at in sorted(rows)])
        return tuple(found)

    def ranges(self, place, *ranges):
        self.both(place, 'merge_shard_ranges', ranges=list(ranges))

    def range_column(self, place, name):
        """As column, of shard ranges in the order of their names."""
        return tuple([each[name] for each in ranges] for ranges in self.both(place, 'shard_ranges'))

    def upload(self, place, device='sda'):
        return self.pair.copy_to_tmp(place, device, by_rows=False)

    def points(self, place, remote_id):
        return self.both(place, 'sync_point', remote_id=remote_id, incoming=True)


def same(found, swift, ours):
    """Both must do what is said of them; where both do the same there is no deviation."""
    if found != (swift, ours):
        raise AssertionError('expected %r with Swift and %r with ours, found %r and %r'
                             % (swift, ours, *found))


def sync_body(info, **changes):
    return ['sync', *({**info, **changes}[key] for key in (
        'max_row', 'hash', 'id', 'created_at', 'put_timestamp', 'delete_timestamp', 'metadata',
        'status_changed_at', 'count', 'storage_policy_index'))]


@case('Equal hashes, other counts or bytes')
def equal_hashes_with_other_counts_are_not_in_sync(s):
    s.create(HERE)
    s.merge(HERE, row('a'))
    info, _ = s.both(HERE, 'info')
    s.rpc(HERE, *sync_body(info, id='peer', count=2, max_row=7))
    same(s.points(HERE, 'peer'), 7, -1)


@case('Hashes that are no 32 hexadecimal digits')
def two_equal_hashes_that_are_none_are_not_in_sync(s):
    s.create(HERE)
    s.sql(HERE, "UPDATE container_info SET hash = 'none'")
    info, _ = s.both(HERE, 'info')
    s.rpc(HERE, *sync_body(info, id='peer', max_row=7))
    same(s.points(HERE, 'peer'), 7, -1)


@case('The info of a database')
def an_info_is_of_one_moment_while_rows_are_written(s):
    s.create(HERE)
    s.merge(HERE, row('row-0'))
    broker = s.pair.stock.broker(HERE)
    read_metadata = broker.get_raw_metadata

    def write_before_it_is_read():
        s.swift(HERE, 'merge_items', rows=[row('between')], source='')
        return read_metadata()

    broker.get_raw_metadata = write_before_it_is_read
    info = broker.get_replication_info()
    assert (info['count'], info['max_row']) == (1, 2), info
    infos = []
    for i in range(1, 100):
        s.pair.by_ours(HERE, 'info', {}, infos.append)
        s.pair.program.flush()
        until_done(lambda: s.pair.guest.perform(
            HERE, 'merge_items', {'rows': [row('row-%d' % i)], 'source': ''}))
    s.pair.catch_up()
    assert all(info['count'] == info['max_row'] for info in infos), infos


def until_done(call):
    """A Swift server beside ours waits for SQLite's locks."""
    while True:
        try:
            return call()
        except sqlite3.OperationalError as failure:
            if 'locked' not in str(failure):
                raise


@case('Two versions of a row at the same time')
def the_same_one_of_two_versions_wins_in_whatever_order_they_come(s):
    s.create(HERE, PEER)
    one, other = row('a', etag='one'), row('a', etag='other')
    for place, rows in ((HERE, (one, other)), (PEER, (other, one))):
        for each in rows:
            s.merge(place, each)
    same(s.column(HERE, 'etag'), ['one'], ['other'])
    same(s.column(PEER, 'etag'), ['other'], ['other'])


@case('Two versions of a row at the same time')
def a_tombstone_of_the_same_time_wins(s):
    s.create(HERE)
    s.merge(HERE, row('a'))
    s.merge(HERE, row('a', deleted=1))
    same(s.column(HERE, 'deleted'), [0], [1])


@case('An account with the mark of a deletion learns of a later put')
def the_mark_of_a_deletion_goes_when_a_replica_knows_of_a_later_put(s):
    s.create(ACCOUNT)
    s.both(ACCOUNT, 'mark_deleted', time=at(5))
    s.both(ACCOUNT, 'merge_timestamps', created_at=at(0), put_timestamp=at(9),
           delete_timestamp=at(5))
    marks = []
    for side in ('stock', 'ours'):
        with sqlite3.connect(ACCOUNT.path(s.roots[side])) as connection:
            marks.append(connection.execute('SELECT status FROM account_stat').fetchone()[0])
        connection.close()
    same(tuple(marks), 'DELETED', '')


@case('Two values of metadata at the same time')
def the_same_one_of_two_values_wins_in_whatever_order_they_come(s):
    s.create(HERE)
    for value in ('one', ''):
        s.both(HERE, 'merge_metadata', metadata=json.dumps({'X-A': [value, at(0)]}))
    infos = s.both(HERE, 'info')
    same(tuple(json.loads(info['metadata'])['X-A'][0] for info in infos), 'one', '')


@case('The deletion of a metadata key, or of a shard range, that is older than what reclaim drops '
      'and is not known here')
def an_old_deletion_of_an_unknown_key_is_no_news(s):
    s.create(HERE)
    info, _ = s.both(HERE, 'info')
    old = json.dumps({'X-Gone': ['', '0000000001.00000']})
    s.rpc(HERE, *sync_body(info, id='peer', metadata=old))
    infos = s.both(HERE, 'info')
    same(tuple(json.loads(each['metadata'] or '{}') for each in infos), json.loads(old), {})


@case('A tombstone that is older than what reclaim drops, of a name that is not here, has come '
      'from the same replica before')
def a_tombstone_that_was_reclaimed_here_is_no_news(s):
    s.create(HERE)
    gone = row('gone', deleted=1, created_at='0000000001.00000')
    s.both(HERE, 'merge_items', rows=[{**row('kept'), 'ROWID': 2}], source='peer')
    s.rpc(HERE, 'merge_items', [gone], 'peer')
    same(s.column(HERE, 'name'), ['kept', 'gone'], ['kept'])
    s.rpc(HERE, 'merge_items', [{**gone, 'ROWID': 3}], 'peer')
    same(s.column(HERE, 'name'), ['kept', 'gone'], ['kept', 'gone'])


@case('A received file')
def a_file_with_a_strange_trigger_is_not_installed(s):
    s.create(PEER)
    upload = s.upload(PEER)
    for side, root in s.roots.items():
        path = os.path.join(root, 'sda', 'tmp', s.pair.ids[side][upload])
        with sqlite3.connect(path) as connection:
            connection.execute('CREATE TRIGGER strange AFTER INSERT ON object BEGIN'
                               ' DELETE FROM object; END')
        connection.close()
    same(s.rpc(HERE, 'complete_rsync', upload, HERE.hash + '.db'), 204, 500)
    same(tuple(os.path.exists(HERE.path(root)) for root in s.roots.values()), True, False)


@case('A received file has what no server writes')
def a_trigger_under_a_name_of_sqlites_own_is_not_installed(s):
    s.create(PEER)
    upload = s.upload(PEER)
    for side, root in s.roots.items():
        path = os.path.join(root, 'sda', 'tmp', s.pair.ids[side][upload])
        with sqlite3.connect(path) as connection:
            connection.execute('CREATE TRIGGER strange AFTER INSERT ON object BEGIN'
                               ' DELETE FROM incoming_sync; END')
            connection.execute('PRAGMA writable_schema = ON')
            connection.execute("UPDATE sqlite_master SET name = 'sqlite_stat1',"
                               " sql = replace(sql, 'strange', 'sqlite_stat1')"
                               " WHERE name = 'strange'")
        connection.close()
    same(s.rpc(HERE, 'complete_rsync', upload, HERE.hash + '.db'), 204, 500)


@case('A received file whose hash is not that of its rows')
def a_file_whose_hash_is_wrong_gets_its_own_and_its_sender_sends_rows(s):
    s.create(PEER)
    s.merge(PEER, row('a'))
    right = s.swift(PEER, 'info')['hash']
    s.sql(PEER, "UPDATE container_info SET hash = '%032x'" % 5)
    upload = s.upload(PEER)
    same(s.rpc(HERE, 'complete_rsync', upload, HERE.hash + '.db'), 204, 503)
    same(s.column(HERE, 'hash', 'container_info'), ['%032x' % 5], [right])
    same(s.points(HERE, upload), 1, -1)


@case('A received file whose counts, bytes or index are not those of its rows')
def a_file_that_says_it_is_empty_is_not_believed(s):
    s.create(PEER)
    s.merge(PEER, row('a'))
    s.sql(PEER, 'UPDATE policy_stat SET object_count = 0')
    upload = s.upload(PEER)
    same(s.rpc(HERE, 'complete_rsync', upload, HERE.hash + '.db'), 204, 204)
    same(tuple(info['count'] for info in s.both(HERE, 'info')), 0, 1)


@case('A received file')
def the_file_of_another_container_is_not_installed(s):
    other = PEER._replace(container='other')
    s.create(other)
    upload = s.upload(other)
    same(s.rpc(HERE, 'complete_rsync', upload, HERE.hash + '.db'), 204, 500)


@case('What lies in tmp is a link or a FIFO')
def a_link_in_tmp_does_not_make_one_file_two_databases(s):
    other = PEER._replace(container='other')
    s.create(other)
    for root in s.roots.values():
        os.makedirs(os.path.join(root, 'sda', 'tmp'), exist_ok=True)
        os.symlink(other.path(root), os.path.join(root, 'sda', 'tmp', 'upload'))
    same(s.rpc(HERE, 'complete_rsync', 'upload', HERE.hash + '.db'), 204, 500)
    same(tuple(os.path.islink(HERE.plain_path(root)) for root in s.roots.values()), True, False)


@case('A link or a FIFO in the place of a database, its journal or its pending rows')
def a_link_in_the_place_of_a_database_is_not_followed(s):
    s.create(PEER)
    for root in s.roots.values():
        os.makedirs(os.path.dirname(HERE.plain_path(root)))
        os.symlink(PEER.path(root), HERE.plain_path(root))
    same(s.rpc(HERE, 'merge_items', [row('a')], None), 202, 500)
    same(s.column(PEER, 'name'), ['a'], [])
    same(tuple(os.path.islink(HERE.plain_path(root)) for root in s.roots.values()), True, True)


def with_rows_in_both(s, count):
    """HERE and PEER with `count` rows each, and PEER's file uploaded to HERE's device."""
    s.create(HERE, PEER)
    for place in (HERE, PEER):
        s.merge(place, *(row('%s-%05d' % (place.device, i)) for i in range(count)))
    return s.upload(PEER)


@case('A retry replaces an upload under a merge')
def a_late_retry_does_not_take_the_place_of_a_merged_upload(s):
    upload = with_rows_in_both(s, 3000)
    path = os.path.join(s.roots['stock'], 'sda', 'tmp', s.pair.ids['stock'][upload])
    server = s.pair.stock.servers['container'](
        s.roots['stock'], 'containers', s.pair.stock.brokers['container'], mount_check=False,
        logger=stock.logger)

    aborts = server._abort_rsync_then_merge
    looks = []

    def retry_before_the_last_look(db_file, upload):
        looks.append(upload)
        if len(looks) == 2:
            shutil.copy(PEER.path(s.roots['stock']), path + '.new')
            os.rename(path + '.new', path)
        return aborts(db_file, upload)

    server._abort_rsync_then_merge = retry_before_the_last_look
    body = ['rsync_then_merge', s.pair.ids['stock'][upload], HERE.hash + '.db']
    assert server.dispatch(['sda', stock.PARTITION, HERE.hash], body).status_int == 204
    path = os.path.join(s.roots['ours'], 'sda', 'tmp', s.pair.ids['ours'][upload])
    answers = []
    s.pair.by_ours(HERE, 'rpc', {'body': ['rsync_then_merge', upload, HERE.hash + '.db']},
                   answers.append)
    s.pair.program.flush()
    while s.pair.program.answers.empty():
        shutil.copy(PEER.path(s.roots['ours']), path + '.new')
        os.rename(path + '.new', path)
    s.pair.catch_up()
    assert answers == [[204, None]], answers
    same(tuple(len(names) for names in s.column(HERE, 'name')), 3000, 6000)


@case('Rows written while a file is merged')
def a_row_that_is_written_during_a_merge_is_not_lost(s):
    upload = with_rows_in_both(s, 3000)
    server = s.pair.stock.servers['container'](
        s.roots['stock'], 'containers', s.pair.stock.brokers['container'], mount_check=False,
        logger=stock.logger)
    server._post_rsync_then_merge_hook = lambda existing, new: existing.merge_items(
        [row('meanwhile')])
    body = ['rsync_then_merge', s.pair.ids['stock'][upload], HERE.hash + '.db']
    assert server.dispatch(['sda', stock.PARTITION, HERE.hash], body).status_int == 204
    assert 'meanwhile' not in s.column(HERE, 'name')[0]
    answers = []
    s.pair.by_ours(HERE, 'rpc', {'body': ['rsync_then_merge', upload, HERE.hash + '.db']},
                   answers.append)
    s.pair.program.flush()
    written = 0
    while s.pair.program.answers.empty():
        s.pair.guest.perform(HERE, 'leave_pending', {'rows': [row('meanwhile-%d' % written)]})
        written += 1
    s.pair.catch_up()
    assert answers == [[204, None]], answers
    s.ours(HERE, 'commit_pending')
    found = set(s.column(HERE, 'name')[1])
    assert len(found) == 6000 + written, (len(found), written)


@case('`complete_rsync` races with a PUT or another sender')
def a_database_that_was_made_meanwhile_is_merged_and_not_replaced(s):
    s.create(PEER)
    s.merge(PEER, row('theirs'))
    upload = s.upload(PEER)
    newid = stock.ContainerBroker.newid

    def put_meanwhile(broker, remote_id):
        s.create(HERE)
        s.merge(HERE, row('put'))
        newid(broker, remote_id)

    stock.ContainerBroker.newid = put_meanwhile
    try:
        assert s.swift(HERE, 'rpc', body=['complete_rsync', upload, HERE.hash + '.db'])[0] == 204
    finally:
        stock.ContainerBroker.newid = newid
    assert s.ours(HERE, 'rpc', body=['complete_rsync', upload, HERE.hash + '.db'])[0] == 204
    names = s.column(HERE, 'name')
    same((sorted(names[0]), sorted(names[1])), ['theirs'], ['put', 'theirs'])


@case('The point a merged file notes for its sender')
def the_point_of_a_merged_file_is_not_beyond_its_sender(s):
    upload = with_rows_in_both(s, 5)
    same(s.rpc(HERE, 'rsync_then_merge', upload, HERE.hash + '.db'), 204, 204)
    same(s.points(HERE, upload), 10, 5)


@case('The point of an installed file whose last rows were reclaimed')
def the_point_of_an_installed_file_is_the_highest_row_ever(s):
    s.create(HERE)
    s.merge(HERE, row('a'), row('b', deleted=1))
    s.both(HERE, 'reclaim', age=at(100), sync_age=at(0))
    s.both(HERE, 'adopt', source='peer')
    same(s.points(HERE, 'peer'), 1, 2)


@case('Times and policy of a database that a merged file replaces')
def a_merged_file_keeps_the_times_of_the_database_it_replaces(s):
    upload = with_rows_in_both(s, 1)
    s.both(HERE, 'merge_timestamps', created_at=at(0), put_timestamp=at(50),
           delete_timestamp=at(40))
    same(s.rpc(HERE, 'rsync_then_merge', upload, HERE.hash + '.db'), 204, 204)
    infos = s.both(HERE, 'info')
    same(tuple(info['put_timestamp'] for info in infos), at(0), at(50))


@case('The mark of a deletion in an account that a merged file replaces')
def a_merged_file_keeps_the_mark_of_a_deletion(s):
    peer = ACCOUNT._replace(device='sdb')
    s.create(ACCOUNT, peer)
    s.merge(peer, container('theirs', 0))
    s.both(ACCOUNT, 'mark_deleted', time=at(5))
    upload = s.upload(peer)
    same(s.rpc(ACCOUNT, 'rsync_then_merge', upload, ACCOUNT.hash + '.db'), 204, 204)
    same(s.column(ACCOUNT, 'status', 'account_stat'), [''], ['DELETED'])


@case('The policy of a container changes')
def misplaced_rows_are_looked_for_again_after_a_change_of_policy(s):
    s.create(HERE)
    s.sql(HERE, 'UPDATE container_info SET reconciler_sync_point = 5')
    s.both(HERE, 'set_storage_policy_index', policy=1, time=at(1))
    same(tuple(stock.dump(HERE.path(root))['container_info', 1]['reconciler_sync_point']
               for root in s.roots.values()), 5, -1)


@case('A peer below its space reserve (507)')
def a_device_below_its_reserve_takes_nothing(s):
    s.create(HERE)
    body = ['merge_items', [row('a')], 'peer']
    theirs = s.swift(HERE, 'rpc', body=body)
    s.pair.by_ours(HERE, 'rpc_when_full', {
        'device': HERE.device, 'partition': stock.PARTITION, 'hash': HERE.hash,
        'body': json.dumps(body)}, lambda answer: same((theirs[0], answer[0]), 202, 507))
    s.pair.catch_up()
    same(s.column(HERE, 'name'), ['a'], [])


@case('An unknown operation, wrong types, unsafe names')
def a_request_that_is_none_is_answered_with_400(s):
    s.create(HERE)
    for body in (['no_such_operation', 1], ['merge_items', 5, 'peer'], ['merge_syncs', [5]]):
        same(s.rpc(HERE, *body), 500, 400)


@case('A sync point or ROWID below zero, an id that is no plain name')
def a_point_that_is_none_is_not_stored(s):
    s.create(HERE)
    point = {'sync_point': -7, 'remote_id': 'x'}
    same(s.rpc(HERE, 'merge_syncs', [point, {'sync_point': 3, 'remote_id': 'y'}]), 202, 400)
    same(s.rpc(HERE, 'merge_items', [row('a', ROWID=-7)], 'z'), 202, 400)
    same(s.rpc(HERE, 'merge_items', [row('b')], '../x'), 202, 400)
    nothing = {'sync_point': -1, 'remote_id': 'empty'}  # of a database that was empty
    same(s.rpc(HERE, 'merge_syncs', [nothing]), 202, 202)
    same(tuple(sorted(each['remote_id'] for each in points)
               for points in s.both(HERE, 'sync_points', incoming=True)),
         ['../x', 'empty', 'x', 'y', 'z'], [])


@case('An unknown operation, wrong types, unsafe names')
def an_upload_outside_of_tmp_is_not_taken(s):
    s.create(PEER)
    paths = [os.path.join(root, 'elsewhere') for root in s.roots.values()]
    for root, path in zip(s.roots.values(), paths):
        shutil.copy(PEER.path(root), path)
    same(s.rpc(HERE, 'complete_rsync', '../../elsewhere', HERE.hash + '.db'), 204, 400)
    same(tuple(map(os.path.exists, paths)), False, True)


@case('Rows of one batch')
def rows_of_a_batch_are_numbered_in_the_order_of_their_names(s):
    s.create(HERE)
    s.merge(HERE, row('b'), row('a'))
    same(s.column(HERE, 'name'), ['b', 'a'], ['a', 'b'])
    s.ranges(HERE, shard_range('a/b'), shard_range('a/a'))
    same(s.column(HERE, 'name', 'shard_range'), ['a/b', 'a/a'], ['a/a', 'a/b'])


@case('A batch whose last row is not its highest')
def the_point_of_a_batch_is_its_highest_row(s):
    s.create(HERE)
    s.merge(HERE, row('a', ROWID=9), row('b', ROWID=3), source='peer')
    same(s.points(HERE, 'peer'), 3, 9)


@case('An older report about a container')
def an_older_report_does_not_replace_newer_counts(s):
    s.create(ACCOUNT)
    s.merge(ACCOUNT, container('a', 9, count=5))
    s.merge(ACCOUNT, container('a', 1, count=2))
    same(s.column(ACCOUNT, 'object_count'), [2], [5])


@case('Two reports of a container under one put time')
def a_report_that_comes_once_more_does_not_replace_a_later_one(s):
    s.create(ACCOUNT)
    first = container('a', 1, count=5)
    s.merge(ACCOUNT, first, source='peer')
    s.merge(ACCOUNT, container('a', 1, count=7))
    assert s.column(ACCOUNT, 'object_count') == ([7], [7])
    s.merge(ACCOUNT, first, source='peer')  # its answer was lost
    same(s.column(ACCOUNT, 'object_count'), [5], [7])


@case('A row of an account that says nothing new')
def a_row_that_is_no_news_stays_where_it_is(s):
    s.create(ACCOUNT)
    for _ in range(3):
        s.merge(ACCOUNT, container('a', 1))
    same(s.column(ACCOUNT, 'ROWID'), [3], [1])


@case('`deleted` of an account\'s row contradicts its times')
def a_container_is_deleted_when_its_times_say_so(s):
    s.create(ACCOUNT)
    s.merge(ACCOUNT, container('a', 1, gone=2, count=0))
    same(s.column(ACCOUNT, 'deleted'), [0], [1])


@case('Blanks between the parameters of a content type')
def a_content_type_stays_as_it_was_written(s):
    s.create(HERE)
    s.merge(HERE, row('a', 1))
    s.merge(HERE, row('a', 2, content_type='text/plain; charset=UTF-8'))
    same(s.column(HERE, 'content_type'), ['text/plain;charset=UTF-8'],
         ['text/plain; charset=UTF-8'])


@case('A PUT of a deleted account')
def a_deleted_account_can_be_put_again(s):
    s.create(ACCOUNT)
    s.both(ACCOUNT, 'mark_deleted', time=at(5))
    s.pair.stock.broker(ACCOUNT).update_put_timestamp(at(9))
    s.ours(ACCOUNT, 'mark_put', time=at(9))
    same(tuple(answer[0] for answer in s.both(ACCOUNT, 'state')), True, False)


@case("A container of Swift before 2.0 gets today's tables")
def a_reported_deletion_stays_reported(s):
    for root in s.roots.values():
        old_schemas.make(HERE, root, ('policies',))
    s.sql(HERE, "UPDATE container_stat SET reported_delete_timestamp = '%s'" % at(-9))
    s.merge(HERE, row('new', 5))
    found = (dict(stock.dump(HERE.path(root)))['container_info', 1]['reported_delete_timestamp']
             for root in s.roots.values())
    same(tuple(found), '0', at(-9))


@case('A database of the first Swifts, whose names are unique in it')
def names_are_not_unique_once_there_are_policies(s):
    for root in s.roots.values():
        old_schemas.make(HERE, root, ('policies',))
    s.sql(HERE, 'DROP INDEX ix_object_deleted_name')
    s.sql(HERE, 'CREATE UNIQUE INDEX names ON object (name)')
    s.sql(HERE, 'CREATE INDEX ix_object_deleted ON object (deleted)')
    same(s.rpc(HERE, 'merge_items', [row('new', 5)], 'peer'), 202, 500)
    same(s.column(HERE, 'name'), ['kept', 'gone', 'a', 'a/b', 'new'], ['kept', 'gone', 'a', 'a/b'])


@case('An own shard range without epoch meets one with')
def an_epoch_is_not_lost_to_a_replica_that_has_none(s):
    s.create(HERE)
    for merge in (s.ranges, lambda place, each: s.rpc(place, 'merge_shard_ranges', [each], 'peer')):
        merge(HERE, shard_range(OWN, epoch=at(0), state=ShardRange.SHARDED))
        merge(HERE, shard_range(OWN, made=1, counted=1, changed=1))
        same(s.range_column(HERE, 'epoch'), [None], [at(0)])
        same(s.range_column(HERE, 'state'), [ShardRange.ACTIVE], [ShardRange.SHARDED])


@case('`reported` of a shard range that two replicas know differently')
def sums_that_were_never_reported_are_not_taken_for_reported(s):
    s.create(HERE)
    s.ranges(HERE, shard_range(SHARD, counted=5, object_count=7))
    s.ranges(HERE, shard_range(SHARD, counted=1, object_count=2, reported=1))
    same(s.range_column(HERE, 'reported'), [1], [0])
    assert s.range_column(HERE, 'object_count') == ([7], [7])


@case('`reported` of a shard range that two replicas know differently')
def an_older_state_does_not_make_reported_sums_unreported(s):
    s.create(HERE)
    s.ranges(HERE, shard_range(SHARD, changed=5, reported=1))
    s.ranges(HERE, shard_range(SHARD, counted=5, state=ShardRange.CREATED))
    same(s.range_column(HERE, 'reported'), [0], [1])


@case('Shard ranges of Swift before 2.28')
def what_an_older_swift_does_not_know_of_a_shard_range_has_its_default(s):
    s.create(HERE)
    older = shard_range(SHARD)
    del older['reported'], older['tombstones']
    same(s.rpc(HERE, 'merge_shard_ranges', [older], 'peer'), 500, 202)
    same(s.range_column(HERE, 'tombstones'), [], [-1])


@case('A file is to be merged, and sharding has begun')
def a_file_is_not_merged_into_a_database_that_is_being_sharded(s):
    upload = with_rows_in_both(s, 5)
    s.ranges(HERE, *SHARDING)
    same(s.rpc(HERE, 'rsync_then_merge', upload, HERE.hash + '.db'), 404, 503)
    assert [len(names) for names in s.column(HERE, 'name')] == [5, 5]


@case('A file is to be merged, and sharding has begun')
def a_file_that_is_being_sharded_is_not_merged(s):
    s.create(HERE, PEER)
    s.merge(HERE, row('here'))
    s.merge(PEER, row('there'))
    s.ranges(PEER, *SHARDING)
    same(s.rpc(HERE, 'rsync_then_merge', s.upload(PEER), HERE.hash + '.db'), 204, 500)
    same(tuple(map(sorted, s.column(HERE, 'name'))), ['here', 'there'], ['here'])


def table():
    """{situation: side} of the table in doc/defects.md."""
    path = os.path.join(os.path.dirname(__file__), '..', '..', 'doc', 'defects.md')
    with open(path, encoding='utf8') as file:
        section = file.read().partition('\n## Where the answers differ on purpose\n')[2]
    rows = [line.strip('| ').split(' | ') for line in section.splitlines() if line.startswith('| ')]
    return {row[0]: row[-1] for row in rows[1:] if row[0] != '---'}


def check(make_pair, directory):
    """Runs all cases; returns how many."""
    sides = table()
    named = {line for _, line in CASES}
    for line in named - set(sides):
        raise AssertionError('doc/defects.md has no line "%s"' % line)
    for line in sorted(set(sides) - named - ELSEWHERE):
        if sides[line] != 'sender':
            raise AssertionError('"%s" of doc/defects.md has no case in deviations.py' % line)
    failed = []
    for function, _ in CASES:
        clock.__init__()
        pair = make_pair(os.path.join(directory, function.__name__))
        try:
            function(Sides(pair))
        except AssertionError as failure:
            failed.append('%s: %s' % (function.__name__, failure))
        finally:
            pair.close()
    if failed:
        raise AssertionError('\n'.join(failed))
    return len(CASES)
