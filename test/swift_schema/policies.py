"""What Swift's own functions make of misplaced rows.

Usage: policies.py ROOT

Makes containers below ROOT that have rows of several policies, and asks Swift which of them are
misplaced, which queue each belongs in and what its entry there is; puts the entries into queues as
Swift's replicator does. Prints one object of JSON:

    names: [[created_at, name of the queue or null], ...]
    containers: [{path, misplaced: [row, ...], queue_rows: [row, ...]}, ...]
    queues: [{path, put_timestamp, policy, rows: [row, ...]}, ...]
    left_behind: how many rows Swift finds after a change of policy that makes all misplaced
"""
import json
import os
import sqlite3
import sys

from swift.common.utils import encode_timestamps, Timestamp
from swift.container.backend import ContainerBroker
from swift.container.reconciler import get_reconciler_container_name, \
    get_row_to_q_entry_translator, MISPLACED_OBJECTS_ACCOUNT

BASE = 1402464677
COLUMNS = ('name', 'created_at', 'size', 'content_type', 'etag', 'deleted', 'storage_policy_index')

ODD = ['0', '5', '3599', '3600', '', 'x', '-5', 'nan', 'inf', '1402464677.04188+',
       '1402464677.04188+zz', '1402464677.04188+-5', '1402464677.04188_', '1402464677.04188_a',
       '1402464677.04188_a+0+0', '1402464677.04188_a_b', '1402464677.04188-ffffffffff',
       '0000000001.00000-fffffff', '9999999999.99999', '9999999999.99999+1', '10000000000.00000',
       '1402464677', '1402466399.999996', '14024_64677.0', '1402464677.04188+A+B',
       '1402464677.04188+5+5+5', ' 1402464677.04188', '1402464677.04188 ', '1e9',
       '1402464677.04188+0x10', '1402464677.04188+1_0', '+1402464677.04188', '.5']


def queue_of(created_at):
    try:
        return get_reconciler_container_name(created_at)
    except (ValueError, OverflowError):
        return None


def times():
    """Around full hours, with and without later types and metadata, some of them from the past."""
    result = []
    for hours in range(-3, 4):
        for ticks in (-100001, -1, 0, 1, 99999):
            for offset in (0, 171):
                t1 = Timestamp((BASE // 3600 + hours) * 3600 + ticks * 1e-5, offset=offset)
                result.append(t1.internal)
                for d2, d3 in ((1, 0), (0, 1), (-1, 2), (360000000, 0), (0, -360000000), (5, -5)):
                    t2 = Timestamp(t1, delta=d2) if d2 else t1
                    t3 = Timestamp(t2, delta=d3) if d3 else t2
                    result.append(encode_timestamps(t1, t2, t3))
    return result


def make(root, container, metadata=None):
    broker = ContainerBroker(os.path.join(root, container, container + '.db'), account='AUTH_a',
                             container=container)
    os.makedirs(os.path.dirname(broker.db_file))
    broker.initialize(Timestamp(BASE).internal, 0)
    if metadata:
        broker.update_metadata({metadata[0]: (metadata[1], Timestamp(BASE).internal)})
    rows = [{'name': 'o\u00e9/%d' % i, 'created_at': created_at, 'size': i, 'content_type': 't/p',
             'etag': 'e%d' % i, 'deleted': int(i % 5 == 0), 'storage_policy_index': i % 3}
            for i, created_at in enumerate(times())]
    broker.merge_items(rows)
    return ContainerBroker(broker.db_file)


def row_of(item):
    item = dict({'storage_policy_index': 0}, **item)
    return [item[column] for column in COLUMNS]


def rows_of(path):
    with sqlite3.connect('file:%s?mode=ro' % path, uri=True) as connection:
        return connection.execute('SELECT %s FROM object ORDER BY name' % ', '.join(COLUMNS)
                                  ).fetchall()


def left_behind(root):
    """A container that was right up to its last row, and is wrong from the first one on."""
    broker = make(root, 'changed')
    broker.update_reconciler_sync(broker.get_max_row())
    broker.set_storage_policy_index(7)
    return len(broker.get_misplaced_since(broker.get_reconciler_sync(), 1000))


def main():
    root = sys.argv[1]
    containers, batches = [], {}
    for container, metadata in (
            ('plain', None),
            ('shard', ('X-Container-Sysmeta-Shard-Root', 'AUTH_r/ro ot')),
            ('quoted', ('X-Container-Sysmeta-Shard-Quoted-Root', 'AUTH_r/ro%20ot%C3%A9%2'))):
        broker = make(root, container, metadata)
        misplaced = broker.get_misplaced_since(-1, 10000)
        translate = get_row_to_q_entry_translator(broker)
        for item in misplaced:
            batches.setdefault(queue_of(item['created_at']), []).append(translate(item))
        containers.append({'path': broker.db_file, 'misplaced': [row_of(i) for i in misplaced],
                           'queue_rows': [row_of(translate(i)) for i in misplaced]})
    queues = []
    for name, items in sorted(batches.items()):
        broker, made = ContainerBroker.create_broker(
            root, 1, MISPLACED_OBJECTS_ACCOUNT, name, put_timestamp=name, storage_policy_index=0)
        assert made
        broker.merge_items(items)
        info = broker.get_info()
        queues.append({'path': broker.db_file, 'name': name, 'account': info['account'],
                       'put_timestamp': info['put_timestamp'],
                       'policy': info['storage_policy_index'], 'rows': rows_of(broker.db_file)})
    print(json.dumps({'names': [[t, queue_of(t)] for t in times() + ODD],
                      'containers': containers, 'queues': queues,
                      'left_behind': left_behind(root)}))


if __name__ == '__main__':
    main()
