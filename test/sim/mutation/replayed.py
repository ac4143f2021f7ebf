"""Mistakes of the past, put back one at a time: a table of (name, file, original, replacement).

The original is found by its tokens, so that the line breaks of a formatter do not matter. It must
be there once: a text that is gone, or there twice, is an error, and its row must follow the tree.
"""

from mutation import operators, source

ROWS = [
    # The greater counts of a container won at equal times.
    ("defect 67", "replica/rows/merge.hpp",
     "newest < other_newest || (undecided && origin == RowOrigin::news)",
     "newest < other_newest || (undecided && held < other_held)"),
    # A row that has come before undid what came after it.
    ("defect 67", "replica/sqlite/merge.hpp",
     "repeat ? RowOrigin::repeat : RowOrigin::news",
     "RowOrigin::news"),
    # What came since the first peer was asked was reclaimed too: rows, and deletions of keys.
    ("defect 68", "replica/send/replicate.hpp",
     "turn.database().reclaim(confirmed, turn.reclaim_limit(), turn.reclaim_limit(2))",
     "turn.database().reclaim(turn.database().info(), turn.reclaim_limit(), "
     "turn.reclaim_limit(2))"),
    # A push without a last row ended with the point of the last row that was sent.
    ("defect 69", "replica/send/usync.hpp", "std::max(point, turn.info.max_row)", "point"),
    # A copy that is about to leave vouched for others.
    ("defect 70", "replica/rpc.hpp",
     "storage::is_leaving(broker.disk(), place.directory)", "false"),
    # An expired database went whatever its peers had said.
    ("defect 71", "replica/send/departure.hpp",
     "!asked.all_done() || !turn.settled || turn.renumbered ||"
     " !is_expired(pass, turn.info, turn.now())",
     "!is_expired(pass, turn.info, turn.now())"),
    # A wrong hash of a file that came, or of our own, stayed.
    ("defect 72", "replica/receive/finish.hpp",
     "detail::mend(*upload, info.hash, path, observer)", "true"),
    ("defect 72", "replica/send/peer_turn.hpp", "mend_own(remote)", "false"),
    # Entries of the schema under names of SQLite's own were passed over, and values not looked at.
    ("defect 73", "replica/sqlite/known_schema.hpp",
     "expected == own.end() && !statistics",
     "expected == own.end() && !key.second.starts_with(\"sqlite_\")"),
    ("defect 73", "replica/sqlite/check.hpp",
     "!typed || !found_by || !timed || name.empty() || !is_utf8(name) ||"
     " (deleted != 0 && deleted != 1)",
     "false"),
    # The mark of a deletion was lost with the file that was replaced.
    ("defect 74", "replica/receive/finish.hpp", "upload.merge_status(existing);", ""),
    # An old deletion of what is not here came again and again.
    ("defect 75", "replica/rows/metadata.hpp",
     "item.value.empty() && timestamp_or_zero(item.time) < forgotten", "false"),
    ("defect 75", "replica/container/shards.hpp",
     "range.deleted != 0 && range.name != own_name && "
     "timestamp_or_zero(range.timestamp) < forgotten", "false"),
    # A new id came with the points that others had of the old one.
    ("defect 76", "replica/sqlite/database.hpp",
     "sync_table(Direction::outgoing).drop_all_but(notes::agreed());", ""),
    # Notes were in memory only.
    ("defect 77", "replica/send/database_turn.hpp",
     "database().set_sync_point({value, key}, Direction::outgoing); "
     "pass.memory.drop_note(memory_key(key));",
     "pass.memory.keep_note(memory_key(key), value);"),
]


class Misplaced(Exception):
    """A row of the table does not fit the tree any more."""


def place(read, name, original, replacement):
    """The mutant of a row in a source."""
    wanted = [token.text for token in source.tokenize(original)]
    have = [token.text for token in read.tokens]
    found = [at for at in range(len(have) - len(wanted) + 1)
             if have[at:at + len(wanted)] == wanted]
    if len(found) != 1:
        where = "is not there any more" if not found else f"is there {len(found)} times"
        raise Misplaced(f"{read.path}: the text of '{name}' {where}: {original}")
    start, end = read.span(found[0], found[0] + len(wanted))
    kind = "statement" if original.endswith(";") else "value"
    return operators.Mutant(read.path, read.line(start), "", name, operators.flat(original),
                            operators.flat(replacement), start, end, kind, replacement)
