"""Makes ring files with Swift's own tools and writes down what Swift's own Ring says of them.

Usage: ring.py DIRECTORY

For each ring NAME.ring.gz and NAME.json: the devices, the partitions of some names, and of every
partition (of large rings: of some) the ids of the primaries and of all handoffs in their order.
Rings that no builder makes, but that Swift reads, are written from tables of our own. Format 2 is
written here by Swift's description of it, since the Swift at hand does not know it; what is
expected of such a file is what Swift says of the same table in format 1.
"""
import array
import gzip
import hashlib
import itertools
import json
import os
import pickle
import random
import struct
import sys
import zlib

from swift.common import utils
from swift.common.ring import Ring, RingBuilder, RingData
from swift.common.ring.composite_builder import compose_rings

utils.HASH_PATH_SUFFIX = b'suffix'
utils.HASH_PATH_PREFIX = b'prefix'
EVERY = 1 << 12  # of rings of more partitions some are compared


def device(number, region, zone, node, weight=100.0, **more):
    found = {'region': region, 'zone': zone, 'ip': '10.%d.%d.%d' % (region, zone, node),
             'port': 6201, 'device': 'sd%d' % number, 'weight': weight, 'meta': ''}
    found.update(more)
    return found


def spread(regions, zones, nodes, disks, weight=lambda i: 100.0):
    """Devices all over the place."""
    places = [(r, z, n) for r in range(1, regions + 1) for z in range(1, zones + 1)
              for n in range(1, nodes + 1) for _ in range(disks)]
    return [device(i, *place, weight=weight(i)) for i, place in enumerate(places)]


def rebalance(builder):
    builder.pretend_min_part_hours_passed()
    builder.rebalance(seed=7)


def build(power, replicas, devices):
    builder = RingBuilder(power, replicas, 0)
    for dev in devices:
        builder.add_dev(dict(dev))
    rebalance(builder)
    return builder


def build_with_holes(power, replicas):
    """Devices that are gone leave their places empty; new ones come after them."""
    builder = build(power, replicas, spread(2, 2, 2, 2))
    for gone in (0, 5, 6, 15):
        builder.remove_dev(gone)
    rebalance(builder)
    builder.add_dev(device(90, 3, 1, 1, replication_ip='fe80::1', replication_port=6301,
                           meta='rack é'))
    rebalance(builder)
    builder.set_dev_weight(3, 0)  # drained, still there
    rebalance(builder)
    builder.add_dev(device(91, 4, 1, 1))  # not assigned anything yet
    return builder


def with_ids(devices, holes=()):
    listed = [dict(dev, id=i) for i, dev in enumerate(devices)]
    return [None if i in holes else dev for i, dev in enumerate(listed)]


def table_of_luck(power, rows, last, ids, seed):
    """Rows without any plan: a partition may have a device twice. Long ones repeat themselves."""
    luck = random.Random(seed)
    lengths = [1 << power] * (rows - 1) + [last]
    return [array.array('H', itertools.islice(itertools.cycle(luck.choices(ids, k=4099)), length))
            for length in lengths]


def rings():
    """Name and data of each ring."""
    for power in range(4, 11):
        yield 'power-%d' % power, build(power, 3, spread(2, 2, 2, 2)).get_ring()
    for replicas in (1, 1.25, 2, 2.5, 3.2, 5):
        yield 'replicas-%s' % replicas, build(6, replicas, spread(1, 3, 2, 2)).get_ring()
    yield 'smallest', build(0, 1, spread(1, 1, 1, 1)).get_ring()
    yield 'one-node', build(5, 3, spread(1, 1, 1, 7)).get_ring()
    yield 'weights', build(8, 3, spread(3, 1, 3, 3, lambda i: 1.5 + 40 * (i % 5))).get_ring()
    uneven = spread(1, 3, 1, 4) + spread(2, 1, 5, 1)[5:]
    yield 'uneven', build(7, 2.5, uneven).get_ring()
    for replicas in (2.5, 3):
        yield 'holes-%s' % replicas, build_with_holes(7, replicas).get_ring()
    yield 'composite', compose_rings(
        [build(6, 2, spread(1, 2, 2, 2)),
         build(6, 1, [dict(d, region=2, ip='10.9.9.%d' % i)
                        for i, d in enumerate(spread(1, 2, 2, 2))])])
    plain = with_ids(spread(2, 2, 2, 3), holes={2, 9})
    for seed in range(4):
        ids = [dev['id'] for dev in plain if dev]
        yield 'luck-%d' % seed, RingData(
            table_of_luck(6, 3, 40, ids, seed), plain, 32 - 6)
    # Devices that are met in one partition only, such as the first, which the walk leaves out.
    lonely = with_ids(spread(3, 2, 2, 1))
    for where in (0, 1, 63):
        table = table_of_luck(6, 2, 64, [0, 1, 2], 9)
        table[1][where] = 11
        yield 'lonely-%d' % where, RingData(table, lonely, 32 - 6)
    # Here the walk takes steps of 2, 4 and 16.
    for power in (17, 18, 20):
        table = table_of_luck(power, 3, 1 << power - 1, range(12), power)
        yield 'large-%d' % power, RingData(table, lonely, 32 - power)


def save_other_order(data, path):
    """As a machine of the other byte order would have written it."""
    other = 'big' if sys.byteorder == 'little' else 'little'
    text = json.dumps({'devs': data.devs, 'part_shift': data._part_shift, 'byteorder': other,
                       'replica_count': len(data._replica2part2dev_id)}).encode('ascii')
    with gzip.open(path, 'wb') as out:
        out.write(struct.pack('!4sHI', b'R1NG', 1, len(text)) + text)
        for row in data._replica2part2dev_id:
            swapped = array.array('H', row)
            swapped.byteswap()
            out.write(swapped.tobytes())


class Format2:
    """Sections behind flushes, so that each can be read alone, and an index at the end."""

    def __init__(self):
        self.packed = b''
        self.size = self.sum = 0
        self.index = {}
        self.level(0)
        self.packed = b'\x1f\x8b\x08\0\0\0\0\0\x02\xff'
        self.write(struct.pack('!4sH', b'R1NG', 2))
        self.flush()
        self.level(9)

    def level(self, level):
        self.deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)

    def write(self, data):
        self.packed += self.deflate.compress(data)
        self.size += len(data)
        self.sum = zlib.crc32(data, self.sum)

    def flush(self):
        self.packed += self.deflate.flush(zlib.Z_FULL_FLUSH)

    def section(self, name, content):
        starts = [len(self.packed), self.size]
        blob = struct.pack('!Q', len(content)) + content
        self.write(blob)
        self.flush()
        if name:
            self.index[name] = starts + [len(self.packed), self.size, 'sha256',
                                         hashlib.sha256(blob).hexdigest()]
        return starts

    def done(self):
        packed, plain = self.section(None, json.dumps(self.index).encode('ascii'))
        self.level(0)
        for number in (plain, packed):
            self.write(struct.pack('!Q', number))
            self.flush()
        self.packed += self.deflate.flush(zlib.Z_FINISH)
        return self.packed + struct.pack('<II', self.sum, self.size & 0xffffffff)


def save_format_2(data, path, id_bytes):
    code = {2: '!%dH', 4: '!%dI', 8: '!%dQ'}[id_bytes]
    out = Format2()
    out.section('swift/ring/metadata', json.dumps(
        {'part_shift': data._part_shift, 'dev_id_bytes': id_bytes, 'version': 4,
         'replica_count': data.replica_count}).encode('ascii'))
    out.section('somebody/else', b'a section of no concern to us')
    out.section('swift/ring/devices', json.dumps(data.devs).encode('ascii'))
    out.section('swift/ring/assignments', b''.join(
        struct.pack(code % len(row), *row) for row in data._replica2part2dev_id))
    with open(path, 'wb') as file:
        file.write(out.done())


def expectation(path):
    ring = Ring(path)
    step = max(ring.partition_count // EVERY, 1) * 37 if ring.partition_count > EVERY else 1
    names = ['AUTH_%d' % i for i in range(32)]
    return {
        'devices': [{key: dev[key] for key in (
            'id', 'region', 'zone', 'ip', 'port', 'replication_ip', 'replication_port', 'device',
            'weight', 'meta')} for dev in ring.devs if dev],
        'partition_count': ring.partition_count,
        'partition_of': {utils.hash_path(name): ring.get_part(name) for name in names},
        'partitions': [
            {'partition': part, 'primaries': [dev['id'] for dev in ring.get_part_nodes(part)],
             'handoffs': [dev['id'] for dev in ring.get_more_nodes(part)]}
            for part in list(range(0, ring.partition_count, step)) + [ring.partition_count - 1]]}


def main():
    os.chdir(sys.argv[1])  # where RingData.save makes its temporary files

    def put(name, expected):
        with open(name + '.json', 'w') as out:
            json.dump(expected, out)

    for name, data in rings():
        data.save(name + '.ring.gz')
        expected = expectation(name + '.ring.gz')
        put(name, expected)
        if name.startswith(('holes', 'luck-0')):
            save_other_order(data, name + '-swapped.ring.gz')
            put(name + '-swapped', expectation(name + '-swapped.ring.gz'))
        if name.startswith(('holes', 'luck-1', 'replicas', 'large-17', 'smallest')):
            for id_bytes in (2, 4, 8):
                save_format_2(data, '%s-v2-%d.ring.gz' % (name, id_bytes), id_bytes)
                put('%s-v2-%d' % (name, id_bytes), expected)

    data = build(4, 2, spread(1, 2, 1, 1)).get_ring()
    with gzip.open('old.pickle.gz', 'wb') as out:
        pickle.dump(data.to_dict(), out, protocol=2)


if __name__ == '__main__':
    main()
