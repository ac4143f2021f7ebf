"""Lets Swift's own brokers leave rows in .pending files.

Usage: pending.py container|account OURS STOCK

OURS and STOCK are copies of one database. Both get the same rows, in every form that Swift reads.
Those of STOCK are then committed by Swift; those of OURS wait. What Swift says of STOCK is printed
as a line of JSON, and its rows as another.
"""
import base64
import json
import pickle
import sqlite3
import sys

from swift.account.backend import AccountBroker
from swift.container.backend import ContainerBroker


def stamp(i):
    return '%010d.%05d' % (1700000000 + i, i)


def append(broker, *fields):
    """As an older Swift wrote it."""
    with open(broker.pending_file, 'ab') as file:
        file.write(b':' + base64.b64encode(pickle.dumps(fields, protocol=2)))


def fill_container(broker):
    for i in range(120):
        name = ('o/%d', 'o\u00e9\U0001f600 %d', 'nul\0 %d')[i % 3] % (i % 90)
        broker.put_object(name, stamp(i), 1 << (i % 50), 'text/plain;swift_bytes=%d' % i,
                          'etag%d' % i, 0, i % 2)
    for i in range(0, 90, 9):
        broker.delete_object('o/%d' % i, stamp(200 + i), i % 2)
    broker.put_object('types', stamp(1), -1, 'a/b', 'e', 0, 0, stamp(3), stamp(2))
    broker.put_object('meta', stamp(1), 300, 'a/b', 'e', 0, 0, None, stamp(7))
    broker.put_object('offset', stamp(1) + '_00000000000000ab', 70000, 'a/b', 'e')
    append(broker, 'six', stamp(1), 1, 'a/b', 'e', 0)
    append(broker, 'seven', stamp(1), 2, 'a/b', 'e', False, 1)
    append(broker, 'eight', stamp(1), '3', 'a/b', 'e', 0, 0, stamp(2))
    append(broker, 'encoded', stamp(1) + '+5-2', 4, 'a/b', 'e', 0)
    append(broker, 'more than today', stamp(1), 4, 'a/b', 'e', 0, 0, None, None, 'later')
    return 'SELECT name, created_at, size, content_type, etag, deleted, storage_policy_index' \
        ' FROM object ORDER BY name, storage_policy_index'


def fill_account(broker):
    for i in range(120):
        # Counts come as text from a server: they are headers.
        broker.put_container('c%d\u00e9' % (i % 50), stamp(i), '0', str(i), str(1 << (i % 50)),
                             i % 2)
    for i in range(0, 50, 5):
        broker.put_container('c%d\u00e9' % i, stamp(i), stamp(300 + i), '0', '0', 0)
    broker.put_container('report', stamp(1), '0', 1, 10, 0)
    broker.put_container('report', stamp(1), '0', 0, 0, 0)
    append(broker, 'six', stamp(1), '0', 1, 2, 0)
    return 'SELECT name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,' \
        ' storage_policy_index FROM container ORDER BY name'


def main():
    kind, *paths = sys.argv[1:]
    for path in paths:
        broker = (ContainerBroker(path, account='AUTH_a', container='c') if kind == 'container'
                  else AccountBroker(path, account='AUTH_a'))
        query = fill_container(broker) if kind == 'container' else fill_account(broker)
    print(json.dumps(broker.get_replication_info(), sort_keys=True))
    with sqlite3.connect('file:%s?mode=ro' % paths[-1], uri=True) as connection:
        print(json.dumps(connection.execute(query).fetchall()))


if __name__ == '__main__':
    main()
