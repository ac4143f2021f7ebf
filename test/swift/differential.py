#!/usr/bin/env python3
"""Random calls end in the same databases here and with Swift.

Usage: differential.py --program PROGRAM [--seed N] [--operations N] [--situations-only]

Each operation is drawn from the seed and performed twice: by Swift's own brokers and RPC servers
(stock.py), and by ours, through PROGRAM (differential.cpp). Answers and databases must be equal
after each, in all but ids. Where ours differ on purpose, deviations.py has a case for each.
"""
import argparse
import collections
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from urllib.parse import quote

import deviations
import old_schemas
import stock
from stock import TICKS, Place, clock
from swift.common.utils import ShardRange

DEVICES = ('sda', 'sdb', 'sdc')
POLICIES = (0, 1, 2)
NAMES = ('a', 'a/b', 'a/b/c', 'a/b/d', 'a/\u00e9', 'a0', 'b', 'b/a', 'b//a', '\u00e9',
         '\U0001f600/x', 'nul\0 and more', '\0reserved', ' ', '%', "it's", '"quoted"', 'Z',
         *('object-%02d' % i for i in range(24)))
BOUNDS = sorted(('a', 'a/b', 'b//a', '\u00e9', '\U0001f600/x', 'object-11'))
STATES = sorted(ShardRange.STATES)


class Difference(Exception):
    pass


def swap(value, mapping):
    """`value` with every text in it that is a key of `mapping` replaced. Rows hold no ids."""
    if isinstance(value, dict):
        return value if 'name' in value else {
            key: swap(each, mapping) for key, each in value.items()}
    if isinstance(value, list):
        return [swap(each, mapping) for each in value]
    return mapping.get(value, value) if isinstance(value, str) else value


def drawn(*what):
    """A number that depends on `what` alone: rows of one time must not differ in their values."""
    return zlib.crc32(repr(what).encode())


class Program:
    """The other end of differential.cpp. It works while Swift does; answers are read later."""

    def __init__(self, program, root):
        self.process = subprocess.Popen([program, 'serve', root], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, encoding='ascii')
        self.answers = queue.SimpleQueue()
        self.unsent = 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def send(self, place, path, call, arguments):
        line = {'kind': place.kind, 'call': call, 'now': clock.ticks, 'path': path, **arguments}
        self.process.stdin.write(json.dumps(line) + '\n')
        self.unsent += 1
        if self.unsent > 8:  # A line at a time, the two would do nothing but wake each other.
            self.flush()

    def flush(self):
        self.process.stdin.flush()
        self.unsent = 0

    def answer(self):
        line = self.answers.get()
        if line is None:
            raise Difference('our program has ended with %s' % self.process.wait())
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Pair:
    """Two roots with the same databases. Ids are random: each side's own is known by one symbol."""

    def __init__(self, directory, program):
        self.roots = {side: os.path.join(directory, side) for side in ('stock', 'ours')}
        for root in self.roots.values():
            for device in DEVICES:
                os.makedirs(os.path.join(root, device, 'tmp'))
        self.stock = stock.Stock(self.roots['stock'])
        self.guest = stock.Stock(self.roots['ours'])  # Swift's server on the same disk as ours
        self.program = Program(program, self.roots['ours'])
        self.ids = {side: {} for side in self.roots}  # symbol -> id
        self.symbols = {side: {} for side in self.roots}  # id -> symbol
        self.awaited = collections.deque()
        self.calls = 0
        self.said = collections.deque(maxlen=60)

    def close(self):
        return self.program.close()

    def exists(self, place):
        return os.path.exists(place.path(self.roots['stock']))

    def is_sharding(self, place):
        """Whether its rows are the sharder's."""
        return place.kind == 'container' and self.stock.perform(place, 'sharding_initiated', {})

    def id(self, place):
        """The symbol of a replica."""
        return self.symbols['stock'][self.stock.perform(place, 'info', {})['id']]

    def note_id(self, place):
        """To be called when a replica has got a new id."""
        self.catch_up()
        symbol = '<%d>' % len(self.ids['stock'])
        for side, root in self.roots.items():
            reader = self.stock if side == 'stock' else self.guest
            own = reader.perform(place, 'info', {})['id']
            if own in self.symbols[side]:
                raise Difference('%s: %s has kept its id %s' % (place, side, own))
            self.ids[side][symbol] = own
            self.symbols[side][own] = symbol

    def by_swift(self, side, place, call, arguments):
        """A call by Swift's code, on its own databases or on ours."""
        performer = self.stock if side == 'stock' else self.guest
        try:
            answer = performer.perform(place, call, swap(arguments, self.ids[side]))
        except Exception as failure:  # Whatever it is, the other side must do the same.
            return {'error': repr(failure)}
        return readable(call, answer, self.symbols[side])

    def by_ours(self, place, call, arguments, then):
        """A call by our program; `then` gets the answer when there is no way without."""
        if len(self.awaited) > 50:
            self.catch_up()
        arguments = swap(arguments, self.ids['ours'])
        if call == 'rpc':
            arguments = {'device': place.device, **arguments, 'partition': stock.PARTITION,
                         'hash': place.hash, 'body': json.dumps(arguments['body'])}
        self.program.send(place, place.path(self.roots['ours']), call, arguments)
        self.awaited.append((place, call, then))

    def catch_up(self):
        """Waits until our program has done all that it was asked for."""
        self.program.flush()
        while self.awaited:
            place, call, then = self.awaited.popleft()
            answer = self.program.answer()
            if 'error' not in answer:
                answer = answer['answer']
                if call == 'list':
                    answer = listing_of_ours(place, answer)
                answer = readable(call, answer, self.symbols['ours'])
            then(answer)

    def both(self, place, call, guest=False, **arguments):
        """Performs a call on both sides; the answers must be equal. Returns Swift's. With `guest`
        Swift does it on our database as well."""
        self.calls += 1
        said = '%d: %s %s%s %s' % (self.calls, place, call, ' by Swift on both' if guest else '',
                                   json.dumps(arguments))
        self.said.append(said)
        theirs = []

        def check(ours):
            if theirs[0] != ours or isinstance(ours, dict) and 'error' in ours:
                raise Difference('call %s: answers differ:\n  stock %s\n  ours  %s'
                                 % (said, theirs[0], ours))

        if guest:
            self.catch_up()
            theirs.append(self.by_swift('stock', place, call, arguments))
            check(self.by_swift('ours', place, call, arguments))
        else:
            self.by_ours(place, call, arguments, check)
            theirs.append(self.by_swift('stock', place, call, arguments))
        return theirs[0]

    def compare(self, place):
        """Every row of every table."""
        self.catch_up()
        if not self.exists(place):
            if os.path.exists(place.path(self.roots['ours'])):
                raise Difference('%s: is there, and not with Swift' % (place,))
            return
        files = {side: place.files(root) for side, root in self.roots.items()}
        names = {side: list(map(os.path.basename, paths)) for side, paths in files.items()}
        if names['stock'] != names['ours']:
            raise Difference('%s: other files:\n  stock %s\n  ours  %s'
                             % (place, names['stock'], names['ours']))
        for pair in zip(*files.values()):
            self.compare_files(place, dict(zip(files, pair)))

    def compare_files(self, place, paths):
        tables = {side: {key: row for key, row in
                         swap_rows(stock.dump(path), self.symbols[side]).items()
                         if key[0] != 'outgoing_sync' or not stock.is_note(key[1])}
                  for side, path in paths.items()}
        if tables['stock'] == tables['ours']:
            return
        lines = ['%s, %s differs:' % (place, os.path.basename(paths['stock']))]
        for key in sorted(set(tables['stock']) | set(tables['ours']), key=repr):
            theirs, ours = (tables[side].get(key) for side in ('stock', 'ours'))
            if theirs != ours:
                columns = set(theirs or ()) & set(ours or ())
                for each in columns:
                    if theirs[each] == ours[each]:
                        del theirs[each], ours[each]
                lines.append('  %s %s:\n    stock %s\n    ours  %s' % (*key, theirs, ours))
        raise Difference('\n'.join(lines))

    def copy_to_tmp(self, place, device, by_rows):
        """As rsync leaves it: under the sender's id. Returns that name's symbol."""
        name = self.id(place)
        target = {side: os.path.join(root, device, 'tmp', self.ids[side][name])
                  for side, root in self.roots.items()}
        self.catch_up()
        shutil.copy(place.path(self.roots['stock']), target['stock'])
        if os.path.exists(target['ours']):
            os.unlink(target['ours'])
        if by_rows:
            self.by_ours(place, 'copy_by_rows', {'target': target['ours']}, self.check_done)
        else:
            shutil.copy(place.path(self.roots['ours']), target['ours'])
        return name

    @staticmethod
    def check_done(answer):
        if answer is not None:
            raise Difference('ours failed: %s' % answer)

    def leave_pending(self, place, rows):
        """A server leaves rows beside both databases: beside Swift's in the order of their names,
        since ours commit them in that order."""
        self.catch_up()
        key = (lambda row: (row['name'], row['storage_policy_index'])) if (
            place.kind == 'container') else (lambda row: row['name'])
        self.by_swift('stock', place, 'leave_pending', {'rows': sorted(rows, key=key)})
        self.by_swift('ours', place, 'leave_pending', {'rows': rows})

    def remove(self, place):
        self.calls += 1
        self.catch_up()
        for root in self.roots.values():
            shutil.rmtree(os.path.dirname(place.path(root)))

    def compare_tmp(self):
        for device in DEVICES:
            left = [sorted(swap(os.listdir(os.path.join(self.roots[side], device, 'tmp')),
                                self.symbols[side])) for side in ('stock', 'ours')]
            if left[0] != left[1]:
                raise Difference('left in tmp of %s:\n  stock %s\n  ours  %s' % (device, *left))


def swap_rows(rows, mapping):
    return {(table, mapping.get(at, at)): row if 'name' in row else swap(row, mapping)
            for (table, at), row in rows.items()}


def readable(call, answer, symbols):
    """An answer in the form in which both can be compared."""
    if call == 'rpc':
        status, body = answer
        answer = [status, json.loads(body) if status == 200 else None]
    answer = swap(answer, symbols)
    if call == 'sync_points':
        answer = sorted((point for point in answer if not stock.is_note(point['remote_id'])),
                        key=lambda point: point['remote_id'])
    ranges = answer[1] if call == 'rpc' else answer if call == 'shard_ranges' else None
    if isinstance(ranges, list):
        ranges.sort(key=lambda each: each['name'])
    return answer


def listing_of_ours(place, answer):
    """In Swift's form."""
    fold = ['0', 0, None, ''] if place.kind == 'container' else [0, 0, '0', 1]
    columns = (('created_at', 'size', 'content_type', 'etag') if place.kind == 'container' else
               ('object_count', 'bytes_used', 'put_timestamp'))
    rest = [] if place.kind == 'container' else [0]
    return [[row['name'], *(fold if row['fold'] else [row[each] for each in columns] + rest)]
            for row in answer]


class Draw(random.Random):
    """Arguments at random. What two rows of one name and time say is always the same."""

    def chance(self, part):
        return self.random() < part

    def ticks(self):
        """Of the last few minutes, in steps that often meet."""
        grid = 10 * TICKS
        return clock.ticks // grid * grid - self.randrange(20) * grid

    def time(self):
        return '0' if self.chance(0.05) else clock.text(
            self.ticks(), self.randrange(1, 4) if self.chance(0.1) else 0)

    def object_row(self):
        name = self.choice(NAMES)
        data = self.ticks()
        offset = self.randrange(1, 20) if self.chance(0.15) else 0
        kind = data  # odd times are those of POSTs, so that no PUT has the same
        if self.chance(0.3):
            kind = self.ticks() + 1 if self.chance(0.2) else data + 10 * TICKS * self.randrange(
                5) + 1
        # Nor any PUT with an offset, which ours do not count for metadata.
        meta = kind if self.chance(0.7) else kind + self.randrange(-2, 9) * 5 * TICKS + 2
        deleted = int(drawn(name, data) % 4 == 0)
        row = {'ROWID': self.randrange(1, 1000), 'name': name, 'size': 0, 'etag': 'noetag',
               'deleted': deleted, 'storage_policy_index': self.choice(POLICIES)}
        content_type = 'application/deleted'
        if not deleted or kind != data:
            content_type = ('text/%d' if drawn(name, kind) % 3 else
                            'text/plain;charset=UTF-8;v=%d') % (drawn(name, kind) % 5)
        if not deleted:
            value = drawn(name, data, offset)
            row['etag'] = '%032x' % value
            row['size'] = value % (1 << (value % 32))
            if value % 5 == 0:
                content_type += ';swift_bytes=%d' % (value % 1000)
        row['content_type'] = content_type
        row['created_at'] = clock.text(data) + ('_%x' % offset if offset else '')
        if kind != data or meta != kind or self.chance(0.1):
            row['created_at'] += '%+x%+x' % (kind - data, meta - kind)
        return row

    def container_row(self):
        name = self.choice(NAMES)
        put, gone = ('0' if self.chance(0.1) else clock.text(self.ticks()) for _ in range(2))
        if self.chance(0.5):
            gone = '0'
        newest = max(put, gone)
        value = drawn(name, newest)
        deleted = int(gone > put)
        return {'ROWID': self.randrange(1, 1000), 'name': name, 'put_timestamp': put,
                'delete_timestamp': gone, 'object_count': 0 if deleted else value % 9,
                'bytes_used': 0 if deleted else value % 1000, 'deleted': deleted,
                'storage_policy_index': value % 3}

    def rows(self, place):
        count = self.randrange(1, 51) if self.chance(0.15) else self.randrange(1, 7)
        make = self.object_row if place.kind == 'container' else self.container_row
        rows = [make() for _ in range(count)]
        if self.chance(0.2):
            rows += [dict(row) for row in self.sample(rows, self.randrange(1, count + 1))]
        return rows

    def metadata(self, place):
        items = {}
        for _ in range(self.randrange(1, 4)):
            key = 'X-%s-%s' % (place.kind.title(), self.choice(
                ('Meta-A', 'Meta-\u00e9', 'Sysmeta-B', 'Read', 'Sysmeta-Shard-Quoted-Root')))
            when = clock.text(self.ticks())
            value = drawn(key, when)
            items[key] = ['' if value % 3 == 0 else 'value "%d" \u2713' % (value % 100), when]
        root = items.get('X-Container-Sysmeta-Shard-Quoted-Root')
        if root:
            root[0] = quote('%s/%s' % (place.account, place.container if drawn(root[1]) % 2 else
                                       'root of another'))
        return json.dumps(items)

    def shard_ranges(self, place):
        """Of a handful of names. Their times often meet, and then say different things."""
        own = '%s/%s' % place[2:]
        names = self.sample(['.shards_%s-%d' % (own, i) for i in range(6)], self.randrange(5))
        if self.chance(0.4):
            names.append(own)
        ranges = [self.shard_range(name) for name in names]
        if self.chance(0.1) and ranges:
            # Twice in one list. Swift takes a new range for one that was not reported even so.
            ranges[0]['reported'] = 0
            ranges.append({**self.shard_range(names[0]), 'reported': 0})
        self.shuffle(ranges)
        return ranges

    def shard_range(self, name):
        def time(seconds, many):
            grid = seconds * TICKS
            return clock.text(clock.ticks // grid * grid - self.randrange(many) * grid,
                              self.randrange(1, 3) if self.chance(0.1) else 0)
        at = self.randrange(len(BOUNDS))
        return {'name': name, 'timestamp': time(2000, 3), 'lower': self.choice(BOUNDS[:at] or ['']),
                'upper': self.choice(BOUNDS[at:] + ['']), 'object_count': self.randrange(4),
                'bytes_used': self.randrange(3), 'meta_timestamp': time(300, 8),
                'deleted': int(self.chance(0.3)), 'state': self.choice(STATES),
                'state_timestamp': time(300, 8),
                'epoch': time(10000, 2) if self.chance(0.5) else None,
                'reported': int(self.chance(0.4)), 'tombstones': self.randrange(-1, 2)}


class Run:
    """A sequence of operations on a few databases, each of them on several devices."""

    def __init__(self, pair, seed):
        self.pair = pair
        self.draw = Draw(seed)
        self.places = [Place(device, kind, account, container) for device in DEVICES
                       for kind, account, container in (
                           ('container', 'AUTH_a', 'c'), ('container', 'AUTH_a', '\u00e9 2'),
                           ('container', 'AUTH_empty', 'c'), ('account', 'AUTH_a', ''),
                           ('account', 'AUTH_empty', ''))]
        self.counts = collections.Counter()
        self.touched = set()
        operations = {
            self.put: 8, self.pending: 8, self.merge_items: 8, self.merge_syncs: 4,
            self.merge_timestamps: 5, self.merge_metadata: 6, self.mark_deleted: 2,
            self.mark_put: 2, self.adopt: 2, self.reclaim: 4, self.set_policy: 2,
            self.servers_only: 3, self.read: 8, self.list: 5, self.rpc_sync: 14,
            self.rpc_merge_items: 14, self.rpc_merge_syncs: 4, self.rpc_finish: 4,
            self.rpc_refused: 1, self.remove: 1, self.merge_shard_ranges: 4,
            self.rpc_merge_shard_ranges: 6, self.rpc_get_shard_ranges: 2, self.shard: 4}
        self.operations = [each for each, weight in operations.items() for _ in range(weight)]
        # Only what has no live row can be deleted.
        self.of_the_empty = [each for each in self.operations if each not in (
            self.put, self.pending, self.merge_items, self.rpc_merge_items)]

    def step(self):
        clock.ticks += self.draw.randrange(1, 6 * TICKS)
        if self.draw.chance(0.01):
            clock.ticks += self.draw.randrange(1000) * TICKS
        place = self.draw.choice(self.places)
        if not self.pair.exists(place):
            operation = self.draw.choice((self.create, self.create, self.rpc_finish,
                                          self.rpc_refused))
        else:
            operation = self.draw.choice(self.of_the_empty if place.account == 'AUTH_empty' else
                                         self.operations)
        before = self.pair.calls
        operation(place)
        self.counts[operation.__name__] += self.pair.calls - before
        self.touched.add(place)

    def compare(self):
        """The databases that were used since the last time."""
        for place in sorted(self.touched):
            self.pair.compare(place)
        self.touched.clear()

    def sibling(self, place):
        """Another replica of the same database that exists, or None."""
        others = [each for each in self.places if each[1:] == place[1:] and each != place
                  and self.pair.exists(each)]
        return self.draw.choice(others) if others else None

    def source(self):
        """Whose points these are: replicas that are or were, or strangers."""
        known = list(self.pair.ids['stock'])
        return self.draw.choice(known[-20:] + ['peer-%d' % i for i in range(4)])

    def write(self, place, call, **arguments):
        """By ours, or now and then by a Swift server on the same disk."""
        return self.pair.both(place, call, guest=self.draw.chance(0.1), **arguments)

    def create(self, place):
        arguments = {'account': place.account, 'container': place.container,
                     'put_timestamp': clock.text(self.draw.ticks()),
                     'policy': self.draw.choice(POLICIES)}
        self.write(place, 'create', **arguments)
        self.pair.note_id(place)

    def put(self, place):
        self.write(place, 'put', rows=self.draw.rows(place))

    def pending(self, place):
        """Rows that a Swift server has left for whoever comes next."""
        rows = self.draw.rows(place)
        self.pair.leave_pending(place, rows)
        self.pair.both(place, 'commit_pending')

    def merge_items(self, place):
        self.write(place, 'merge_items', rows=self.draw.rows(place),
                   source=self.draw.choice(('', self.source())))

    def merge_syncs(self, place):
        self.write(place, 'merge_syncs', points=self.points(),
                   incoming=self.draw.chance(0.5))

    def merge_shard_ranges(self, place):
        if place.kind == 'container':
            self.write(place, 'merge_shard_ranges', ranges=self.draw.shard_ranges(place))

    def points(self):
        return [{'sync_point': self.draw.randrange(500), 'remote_id': self.source()}
                for _ in range(self.draw.randrange(1, 5))]

    def merge_timestamps(self, place):
        self.write(place, 'merge_timestamps', created_at=self.draw.time(),
                   put_timestamp=self.draw.time(), delete_timestamp=self.draw.time())

    def merge_metadata(self, place):
        self.write(place, 'merge_metadata', metadata=self.draw.metadata(place))

    def mark_deleted(self, place):
        # Not the time of any metadata: of two values of one time ours lets the deletion win.
        self.write(place, 'mark_deleted', time=clock.text(self.draw.ticks() + 3))

    def mark_put(self, place):
        self.write(place, 'mark_put', time=clock.text(self.draw.ticks()))

    def adopt(self, place):
        self.write(place, 'adopt', source=self.source())
        self.pair.note_id(place)

    def reclaim(self, place):
        age = clock.ticks - self.draw.randrange(600 * TICKS)
        sync_age = clock.ticks - self.draw.randrange(1200 * TICKS)
        self.write(place, 'reclaim', age=clock.text(age), sync_age=clock.text(sync_age))

    def set_policy(self, place):
        if place.kind != 'container':
            return
        self.write(place, 'set_storage_policy_index', policy=self.draw.choice(POLICIES),
                          time=clock.text(self.draw.ticks()))

    def servers_only(self, place):
        """What our broker leaves to Swift's servers must not disturb it."""
        if place.kind != 'container':
            return
        info = self.pair.both(place, 'info')
        call, arguments = self.draw.choice((
            ('report', dict(put_timestamp=info['put_timestamp'],
                            delete_timestamp=info['delete_timestamp'],
                            object_count=info['count'], bytes_used=info['bytes_used'])),
            ('set_container_sync_points', dict(first=self.draw.randrange(100), second=None)),
            ('set_container_sync_points', dict(first=3, second=self.draw.randrange(100))),
            ('set_reconciler_point', dict(point=self.draw.randrange(100)))))
        self.pair.both(place, call, guest=True, **arguments)

    def shard(self, place):
        """The sharder begins or ends. What is in the first file need not have gone to shards."""
        if place.kind == 'container':
            call = self.draw.choice(('begin_sharding', 'end_sharding'))
            if self.pair.both(place, call, guest=True) and call == 'begin_sharding':
                self.pair.note_id(place)

    def read(self, place):
        call, arguments = self.draw.choice((
            ('info', {}), ('state', {}),
            ('items_since', dict(point=self.draw.randrange(-1, 300),
                                 count=self.draw.randrange(60))),
            ('sync_point', dict(remote_id=self.source(), incoming=self.draw.chance(0.5))),
            ('sync_points', dict(incoming=self.draw.chance(0.5)))))
        self.pair.both(place, call, **arguments)

    def list(self, place):
        def some(part, *names):
            return self.draw.choice(names or NAMES) if self.draw.chance(part) else ''
        self.pair.both(place, 'list', prefix=some(0.3, 'a', 'a/', 'a/b', 'object-', 'b/', '\u00e9'),
                       marker=some(0.3), end_marker=some(0.3),
                       delimiter=some(0.5, '/', '-', '-1', 'b', '//'),
                       limit=self.draw.randrange(30), policy=self.draw.choice(POLICIES))

    def rpc(self, place, *body, **arguments):
        return self.pair.both(place, 'rpc', body=list(body), **arguments)

    def rpc_sync(self, place):
        """What a sibling would say of itself, or what a stranger might."""
        sibling = self.sibling(place)
        mine = self.pair.both(place, 'info')
        info = dict(self.pair.both(sibling, 'info')) if sibling else dict(mine, id='peer-1')
        if self.draw.chance(0.2) and (info.get('storage_policy_index') ==
                                      mine.get('storage_policy_index')):
            info.update(hash=mine['hash'], count=mine['count'])
        if self.draw.chance(0.3):
            info['metadata'] = self.draw.choice(('', 'no JSON', self.draw.metadata(place)))
        for time_ in ('created_at', 'put_timestamp', 'delete_timestamp'):
            if self.draw.chance(0.2):
                info[time_] = self.draw.time()
        if self.draw.chance(0.3):
            info['max_row'] = self.draw.randrange(-1, 500)
        body = ['sync', *(info[key] for key in (
            'max_row', 'hash', 'id', 'created_at', 'put_timestamp', 'delete_timestamp',
            'metadata'))]
        if place.kind == 'container' and self.draw.chance(0.7):
            if info['hash'] == mine['hash'] and info['count'] != mine['count']:
                return  # equal hashes, other counts: see deviations.py
            body += [info[key] for key in ('status_changed_at', 'count', 'storage_policy_index')]
        self.rpc(place, *body)

    def rpc_merge_items(self, place):
        sibling = self.sibling(place)
        if sibling and self.draw.chance(0.7):
            point = self.draw.choice((-1, self.draw.randrange(300)))
            rows = self.pair.both(sibling, 'items_since', point=point,
                                  count=self.draw.randrange(1, 50))
            source = self.pair.id(sibling)
            if not rows:
                return
        else:
            rows = self.draw.rows(place)
            source = self.source()
            if self.draw.chance(0.2):
                for row in rows:
                    if row['storage_policy_index'] == 0:
                        del row['storage_policy_index']
        self.rpc(place, 'merge_items', rows, source)

    def rpc_merge_syncs(self, place):
        sibling = self.sibling(place)
        points = self.points()
        if sibling and self.draw.chance(0.5):
            points = self.pair.both(sibling, 'sync_points', incoming=True)
        # Ours makes no row for a point that says nothing: see deviations.py.
        self.rpc(place, 'merge_syncs', [each for each in points if each['sync_point'] >= 0])

    def rpc_merge_shard_ranges(self, place):
        """Those of a sibling, as the replicator sends them, or any."""
        if place.kind != 'container':
            return
        sibling = self.sibling(place)
        ranges = self.draw.shard_ranges(place)
        if sibling and self.draw.chance(0.5):
            ranges = self.pair.both(sibling, 'shard_ranges')
        self.rpc(place, 'merge_shard_ranges', ranges, self.source())

    def rpc_get_shard_ranges(self, place):
        if place.kind == 'container':
            self.rpc(place, 'get_shard_ranges')

    def rpc_finish(self, place):
        sibling = self.sibling(place)
        if not sibling:
            return
        verb = 'rsync_then_merge' if self.pair.exists(place) else 'complete_rsync'
        if verb == 'rsync_then_merge' and (self.pair.is_sharding(place) or
                                           self.pair.is_sharding(sibling)):
            return  # ours take no part in it: see deviations.py
        upload = self.pair.copy_to_tmp(sibling, place.device, self.draw.chance(0.3))
        name = [os.path.basename(sibling.path(self.pair.roots['stock']))]
        if name == [place.hash + '.db'] and self.draw.chance(0.3):
            name = []
        status, _ = self.rpc(place, verb, upload, *name)
        if status == 204:
            self.pair.note_id(place)

    def rpc_refused(self, place):
        """Requests that change nothing."""
        if self.pair.exists(place):
            self.rpc(place, 'rsync_then_merge', 'no-such-upload', place.hash + '.db')
        else:
            self.rpc(place, 'merge_items', [self.draw.rows(place)[0]], 'peer-1')
            self.rpc(place, 'merge_syncs', self.points())
            self.rpc(place, 'complete_rsync', 'no-such-upload', place.hash + '.db')
            self.rpc(place, 'rsync_then_merge', 'no-such-upload', place.hash + '.db')
        self.rpc(place, 'merge_syncs', self.points(), device='sdx')

    def remove(self, place):
        """One in three, so that there are some to be made again."""
        if not self.draw.chance(0.3):
            return
        self.pair.remove(place)


def begin_with_old_databases(pair, places):
    """Databases of former Swifts in all forms: brought up to date by Swift's code on its side, and
    by ours on the other. Some lie there, some are sent, some are sent to be merged."""
    clock.ticks += 7  # Of a time that no drawn row has.
    seen = collections.Counter()
    for place in places:
        forms = old_schemas.FORMS[place.kind]
        form = forms[seen[place.kind] % len(forms)]
        verb = (None, 'complete_rsync', 'rsync_then_merge')[seen[place.kind] // 2 % 3]
        seen[place.kind] += 1
        for root in pair.roots.values():
            name = old_schemas.make(place, root, form)
            if verb:
                upload = os.path.join(root, place.device, 'tmp', name)
                shutil.copy(place.path(root), upload)
            if verb == 'complete_rsync':
                shutil.rmtree(os.path.dirname(place.path(root)))
        if verb:
            pair.both(place, 'rpc', body=[verb, name, place.hash + '.db'])
        old_schemas.bring_up_to_date(pair.stock, place)
        for call, arguments in (
                ('merge_items', {'rows': [old_schemas.row(place)], 'source': ''}),
                ('merge_metadata', {'metadata': json.dumps(old_schemas.metadata(place))})):
            pair.by_ours(place, call, arguments, pair.check_done)
        pair.catch_up()
        pair.note_id(place)
        theirs, ours = (old_schemas.structure(place.path(root)) for root in pair.roots.values())
        if theirs != ours:
            raise Difference('%s without %s: another form:\n  stock %s\n  ours  %s' % (
                place, ' '.join(form), sorted(theirs - ours), sorted(ours - theirs)))
        pair.compare(place)


def compare(directory, program, options, operations, old=False):
    """Performs calls until there are enough, and looks at all tables after each `every` steps.
    Returns how many of each there were."""
    clock.__init__()
    pair = Pair(directory, program)
    run = Run(pair, options.seed)
    steps = 0
    try:
        if old:
            begin_with_old_databases(pair, run.places)
        while pair.calls < operations:
            run.step()
            steps += 1
            if steps % options.every == 0:
                run.compare()
        run.compare()
        pair.compare_tmp()
    except Difference as difference:
        raise Difference('%s\nThe last calls were:\n  %s\nAgain, with a look after each:'
                         ' differential.py --program %s --seed %d --operations %d --every 1%s'
                         % (difference, '\n  '.join(list(pair.said)[-12:]), program, options.seed,
                            pair.calls, ' --old' if old else '')) from None
    finally:
        pair.close()
    return run.counts


def main():
    parser = argparse.ArgumentParser(description='Compares our brokers with those of Swift.')
    parser.add_argument('--program', required=True)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--operations', type=int, default=10000)
    parser.add_argument('--every', type=int, default=40, help='steps between looks at all rows')
    parser.add_argument('--old', action='store_true', help='only databases of former Swifts')
    options = parser.parse_args()
    print('seed %d' % options.seed, flush=True)
    # Both sides sync their files after each call, which costs nothing in memory.
    memory = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix='replica-differential-', dir=memory) as directory:
        if not options.old:
            cases = deviations.check(lambda path: Pair(path, options.program),
                                     os.path.join(directory, 'deviations'))
            print('%d deviations' % cases, flush=True)
            report(compare, os.path.join(directory, 'new'), options.program, options,
                   options.operations)
        report(compare, os.path.join(directory, 'old'), options.program, options,
               options.operations if options.old else options.operations // 10, True)


def report(compared, *arguments):
    began = time.monotonic()
    counts = compared(*arguments)
    print('%d calls in %.1f s: %s' % (sum(counts.values()), time.monotonic() - began,
                                      ', '.join('%s %d' % each for each in
                                                sorted(counts.items()))), flush=True)


if __name__ == '__main__':
    try:
        main()
    except (Difference, AssertionError) as found:
        sys.exit(str(found))
