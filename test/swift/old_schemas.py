"""Databases as Swift made them before storage policies (2.0, in 2014), and accounts before they
counted containers by policy (2.3). Each is what Swift makes today without what came later. Swift
converts such a file when it writes to it."""
import os
import re
import sqlite3

import stock

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
    return re.sub(r',\s*(%s) \w+( DEFAULT \S+?)?(?=[,)\s])' % '|'.join(columns), '', sql)


def former_container(schema):
    """The sums stood in container_stat, a table."""
    stat = without(schema['container_info'], 'storage_policy_index', 'reconciler_sync_point')
    stat = stat.replace('container_info', 'container_stat', 1).rstrip(' \n)')
    stat += ', object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0)'
    return [without(schema['object'], 'storage_policy_index'), stat,
            schema['ix_object_deleted_name'], schema['object_update'],
            *triggers('object', ('object_insert', 'object_delete'), SUMS)]


def former_account(schema, with_policies):
    table = schema['container']
    kept = [schema[name] for name in ('account_stat', 'ix_container_deleted_name',
                                      'container_update', 'container_insert', 'container_delete')]
    if not with_policies:
        return [without(table, 'storage_policy_index'), *kept]
    return [table, *kept, without(schema['policy_stat'], 'container_count'),
            *triggers('container', ('container_insert_ps', 'container_delete_ps'), POLICY_SUMS,
                      'INSERT OR IGNORE INTO policy_stat (storage_policy_index)'
                      ' VALUES (new.storage_policy_index);')]


def make(place, root, with_policies=False):
    """A database with three rows, made at the time of the clock. `with_policies`: an account of
    Swift 2.0 to 2.2."""
    path = place.path(root)
    now = stock.clock.text()
    stock.Stock(root, amended=False).broker(place).initialize(now, 0)
    with sqlite3.connect(path) as connection:
        schema = dict(connection.execute('SELECT name, sql FROM sqlite_master'))
    connection.close()
    os.unlink(path)
    connection = sqlite3.connect(path)
    connection.create_function('chexor', 3, stock.swift.common.db.chexor)
    statements = [sql for name, sql in schema.items()
                  if name.startswith(('outgoing_sync', 'incoming_sync'))]
    statements += (former_container(schema) if place.kind == 'container' else
                   former_account(schema, with_policies))
    for statement in statements:
        connection.execute(statement)
    names = ['account', 'created_at', 'id', 'put_timestamp', 'status_changed_at']
    values = [place.account, now, place.hash + place.device, now, now]
    if place.kind == 'container':
        names, values = ['container', *names], [place.container, *values]
        row = 'INSERT INTO object (name, created_at, size, content_type, etag, deleted)' \
            " VALUES (?, ?, 7, 'text/plain', 'etag', 0)"
    else:
        names, values = ['container_count', *names], [0, *values]
        row = 'INSERT INTO container (name, put_timestamp, delete_timestamp, object_count,' \
            " bytes_used, deleted) VALUES (?, ?, '0', 2, 9, 0)"
    connection.execute('INSERT INTO %s_stat (%s) VALUES (%s)' % (
        place.kind, ', '.join(names), ', '.join('?' * len(values))), values)
    for name in ('kept', 'a', 'a/b'):
        connection.execute(row, (name, now))
    connection.commit()
    connection.close()
