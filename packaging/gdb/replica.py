"""Shows Place, Timestamp and Result of replica in gdb as people read them.

In gdb or in ~/.gdbinit: source /usr/share/replica/gdb/replica.py, or where this file is
"""

import re

import gdb
import gdb.printing


def text_of(string):
    """A std::string, with the printers of libstdc++ or without."""
    shown = string.format_string(repeat_threshold=0, max_elements=0)
    return shown[1:-1] if shown.startswith('"') else shown


class TimestampPrinter:
    """1402464677.04188, and the offset behind an underscore if there is one."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        ticks, offset = int(self.value["ticks"]), int(self.value["offset"])
        text = f"{ticks // 100_000:010d}.{ticks % 100_000:05d}"
        return f"{text}_{offset:016x}" if offset else text


class PlacePrinter:
    """The path of a database, or of its hash directory while no file is known."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        file = text_of(self.value["file"])
        directory = text_of(self.value["directory"])
        rest = ", at rest" if bool(self.value["at_rest"]) else ""
        return f"{directory}/{file} (partition {int(self.value['partition'])}{rest})"


class ResultPrinter:
    """The value, or the text of the fault."""

    def __init__(self, value):
        self.value = value

    def held(self):
        """The alternative that the result holds. Boost's variant counts from 1, in one storage or,
        if a value could throw when it is moved, in one of two by turns."""
        variant = self.value["v_"]
        index, union = int(variant["ix_"]), variant["st_"]
        if union.type.code == gdb.TYPE_CODE_ARRAY:
            index, union = index // 2, union[index % 2]
        for _ in range(index):
            union = union["rest_"]
        return index - 1, union["first_"]

    def to_string(self):
        index, held = self.held()
        return "value" if index == 0 else f"fault: {text_of(held['what'])}"

    def children(self):
        index, held = self.held()
        if index == 0:
            yield "it", held


def lookup(value):
    name = value.type.strip_typedefs().unqualified().name or ""
    for pattern, printer in ((r"replica::(v\w+::)?Timestamp", TimestampPrinter),
                             (r"replica::(v\w+::)?Place", PlacePrinter),
                             (r"boost::system::result<.*, replica::(v\w+::)?Fault>",
                              ResultPrinter)):
        if re.fullmatch(pattern, name):
            return printer(value)
    return None


lookup.name = "replica"
lookup.enabled = True
gdb.printing.register_pretty_printer(gdb.current_objfile(), lookup, replace=True)
