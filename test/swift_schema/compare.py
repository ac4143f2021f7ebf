"""Compares databases that replica made with those that Swift's own brokers make.

Usage: compare.py OUR_CONTAINER OUR_ACCOUNT OUT_CONTAINER OUT_ACCOUNT

Structure: the columns of each table, the names of indexes, triggers and views. Effect: the same
calls through Swift's brokers on our file and on Swift's own end in the same sums and hash.
Swift's own files are left at OUT_CONTAINER and OUT_ACCOUNT, to be read by replica's brokers; what
Swift says of them is printed as one line of JSON each.
"""
import json
import os
import sqlite3
import sys

from swift.account.backend import AccountBroker
from swift.container.backend import ContainerBroker

BASE = 1700000000


def stamp(tick):
    return '%016.05f' % (BASE + tick)


def structure(path):
    connection = sqlite3.connect(path)
    found = {}
    for kind, name in connection.execute('SELECT type, name FROM sqlite_master'):
        if kind == 'table':
            columns = connection.execute('PRAGMA table_info(%s)' % name).fetchall()
            found[kind, name] = sorted(
                (c[1], c[2].upper(), str(c[4]).strip("'") if c[4] is not None else None, c[5])
                for c in columns)
        else:
            found[kind, name] = True
    return found


def fill_container(broker):
    for i in range(40):
        broker.put_object('name-%d' % (i % 25), stamp(i), i, 'text/plain', 'etag-%d' % i,
                          deleted=1 if i % 6 == 0 else 0)
    broker.merge_items([
        {'name': 'merged', 'created_at': stamp(50) + '+3+5', 'size': 7, 'content_type': 't',
         'etag': 'e', 'deleted': 0, 'storage_policy_index': 1, 'ROWID': 77}], source='peer')
    broker.update_metadata({'X-Container-Meta-A': ('b', stamp(60))})
    broker.merge_timestamps(stamp(-5), stamp(70), stamp(65))


def fill_account(broker):
    for i in range(30):
        gone = i % 5 == 0
        broker.put_container('name-%d' % (i % 20), '0' if gone else stamp(i),
                             stamp(i) if gone else '0', 0 if gone else i, 0 if gone else 10 * i, 0)
    broker.update_metadata({'X-Account-Meta-A': ('b', stamp(60))})


def main():
    ours = {'container': sys.argv[1], 'account': sys.argv[2]}
    stock = {'container': sys.argv[3], 'account': sys.argv[4]}
    bad = []
    brokers = {'container': lambda p: ContainerBroker(p, account='AUTH_a', container='c'),
               'account': lambda p: AccountBroker(p, account='AUTH_a')}
    fill = {'container': fill_container, 'account': fill_account}
    for kind in ('container', 'account'):
        os.makedirs(os.path.dirname(stock[kind]), exist_ok=True)
        broker = brokers[kind](stock[kind])
        broker.initialize(stamp(0), *([0] if kind == 'container' else []))
        a, b = structure(ours[kind]), structure(stock[kind])
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                bad.append('%s: %s differs:\n  ours  %s\n  stock %s'
                           % (kind, ' '.join(key), a.get(key), b.get(key)))
        infos = []
        for path in (ours[kind], stock[kind]):
            broker = brokers[kind](path)
            fill[kind](broker)
            info = broker.get_replication_info()
            info.update(status=None, id=None, created_at=None, status_changed_at=None)
            infos.append(info)
        if infos[0] != infos[1]:
            bad.append('%s: effects differ:\n  ours  %s\n  stock %s' % (kind, infos[0], infos[1]))
        print(json.dumps(brokers[kind](stock[kind]).get_replication_info(), sort_keys=True))
    for line in bad:
        print(line, file=sys.stderr)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
