"""Databases as Swift made them before storage policies (2.0, in 2014), and accounts before they
counted containers by policy (2.3). Each is what Swift makes today without what came later. Swift
converts such a file piece by piece: bring_up_to_date() makes it do all of it."""
import os
import re
import sqlite3

import stock
from stock import clock

# What they are without.
FORMS = {
    'container': (('policies',), ('policies', 'metadata'), ('policies', 'points'),
                  ('policies', 'metadata', 'points')),
    'account': (('policies',), ('counts',), ('policies', 'metadata'), ('metadata',),
                ('counts', 'metadata'), ('policies', 'counted since'))}

SUMS = '''UPDATE container_stat SET object_count = object_count {sign} (1 - {row}.deleted),
    bytes_used = bytes_used {sign} {row}.size, hash = chexor(hash, {row}.name, {row}.created_at)'''
POLICY_SUMS = '''UPDATE policy_stat SET object_count = object_count {sign} {row}.object_count,
    bytes_used = bytes_used {sign} {row}.bytes_used
    WHERE storage_policy_index = {row}.storage_policy_index'''


def triggers(table, names, sums, before_insert=''):
    return ['CREATE TRIGGER %s AFTER %s ON %s BEGIN %s %s; END' % (
        name, event, table, before_insert if row == 'new' else '',
        sums.format(sign=sign, row=row))
        for name, event, sign, row in zip(names, ('INSERT', 'DELETE'), '+-', ('new', 'old'))]


def without(sql, *columns):
    for column in columns:
        sql = re.sub(r',\s*%s \w+( DEFAULT \S+?)?(?=[,)\s])' % column, '', sql)
    return sql


def former_container(schema, lacks):
    """The sums stood in container_stat, a table."""
    stat = without(schema['container_info'], 'storage_policy_index', 'reconciler_sync_point',
                   *('metadata',) * ('metadata' in lacks),
                   *('x_container_sync_point1', 'x_container_sync_point2') * ('points' in lacks))
    stat = stat.replace('container_info', 'container_stat', 1).rstrip(' \n)')
    stat += ', object_count INTEGER, bytes_used INTEGER)'
    return [without(schema['object'], 'storage_policy_index'), stat,
            schema['ix_object_deleted_name'], schema['object_update'],
            *triggers('object', ('object_insert', 'object_delete'), SUMS)]


def former_account(schema, lacks):
    kept = [schema[name] for name in ('ix_container_deleted_name', 'container_update',
                                      'container_insert', 'container_delete')]
    kept.append(without(schema['account_stat'], *('metadata',) * ('metadata' in lacks)))
    if 'policies' in lacks:
        return [without(schema['container'], 'storage_policy_index'), *kept]
    by_policy = ('policy_stat', 'container_insert_ps', 'container_delete_ps')
    if 'counts' not in lacks:
        return [schema['container'], *kept, *(schema[name] for name in by_policy)]
    return [schema['container'], *kept, without(schema['policy_stat'], 'container_count'),
            *triggers('container', by_policy[1:], POLICY_SUMS,
                      'INSERT OR IGNORE INTO policy_stat (storage_policy_index, object_count,'
                      ' bytes_used) VALUES (new.storage_policy_index, 0, 0);')]


def make(place, root, lacks):
    """A database with a few rows, one of them deleted, made at the time of the clock, that is
    without what FORMS says. Returns its id."""
    path = place.path(root)
    now = clock.text()
    stock.Stock(root, amended=False).broker(place).initialize(now, 0)
    with sqlite3.connect(path) as connection:
        schema = dict(connection.execute('SELECT name, sql FROM sqlite_master'))
    connection.close()
    os.unlink(path)
    connection = sqlite3.connect(path)
    connection.create_function('chexor', 3, stock.swift.common.db.chexor)
    statements = [sql for name, sql in schema.items()
                  if name.startswith(('outgoing_sync', 'incoming_sync'))]
    former = former_container if place.kind == 'container' else former_account
    for statement in statements + former(schema, lacks):
        connection.execute(statement)
    stat = {'account': place.account, 'created_at': now, 'id': place.hash + place.device,
            'put_timestamp': now, 'status_changed_at': now}
    if place.kind == 'container':
        stat.update(container=place.container, object_count=0, bytes_used=0,
                    reported_put_timestamp=now, reported_object_count=1, reported_bytes_used=2)
        insert = 'INSERT INTO object (name, created_at, deleted, size, content_type, etag)' \
            " VALUES (?, ?, ?, 7, 'text/plain', 'etag')"
    else:
        stat.update(container_count=0)
        insert = 'INSERT INTO container (name, put_timestamp, deleted, delete_timestamp,' \
            " object_count, bytes_used) VALUES (?, ?, ?, iif(?3, '1800000000.00000', '0')," \
            ' 2 * (1 - ?3), 9 * (1 - ?3))'
    connection.execute('INSERT INTO %s_stat (%s) VALUES (%s)' % (
        place.kind, ', '.join(stat), ', '.join('?' * len(stat))), list(stat.values()))
    for name, deleted in (('kept', 0), ('gone', 1), ('a', 0), ('a/b', 0)):
        connection.execute(insert, (name, now, deleted))
    if 'counts' in lacks:
        connection.execute('INSERT INTO container (name, put_timestamp, delete_timestamp,'
                           ' object_count, bytes_used, storage_policy_index)'
                           " VALUES ('other', ?, '0', 3, 4, 1)", (now,))
    connection.commit()
    connection.close()
    if 'counted since' in lacks:
        stock.Stock(root, amended=False).broker(place).get_policy_stats(do_migrations=True)
    return stat['id']


def row(place):
    """One that any of them can take."""
    return dict(name='new', created_at=clock.text(), size=1, content_type='a/b', etag='e',
                deleted=0, ROWID=7) if place.kind == 'container' else dict(
                    name='new', put_timestamp=clock.text(), delete_timestamp='0', object_count=1,
                    bytes_used=2, deleted=0, ROWID=7)


def metadata(place):
    return {'X-%s-Meta-A' % place.kind.title(): ('b', clock.text())}


def bring_up_to_date(server, place):
    """By Swift's code: rows and metadata bring what they need when they are written, an auditor
    what is counted."""
    broker = server.broker(place)
    broker.merge_items([row(place)])
    broker.update_metadata(metadata(place))
    if place.kind == 'account':
        broker.get_policy_stats(do_migrations=True)


def structure(path):
    """All that is in the schema by name, and each column of a table or view."""
    connection = sqlite3.connect(path)
    found = {(kind, name) for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")}
    for kind, name in list(found):
        found.update((kind, name, column, form, str(default).strip("'"), key)
                     for _, column, form, _, default, key in
                     connection.execute('PRAGMA table_info(%s)' % name))
    connection.close()
    return found
