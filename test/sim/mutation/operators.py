"""Makes mutants of a source file: one small change each, of the kinds in which rows get lost.

never    the condition of an if without else does not hold: a guard is gone
negate   any other condition, or a bool that is returned, is its opposite
part     one part of a && b, or of a || b, is left out
bound    < is <=, > is >=, + 1 and - 1 are left out
minmax   std::max is std::min
drop     a statement is left out
sync     the same, of a statement that makes something durable
swap     two statements in a row change places
unlock   a lock is given back at once, or a transaction is left out
late     a lock is taken one statement later
flip     return true is return false
enum     an enumerator is another one of its enumeration
"""

import dataclasses
import re

from mutation.source import ASSIGNMENTS

COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
LOCKS = re.compile(r"\b(lock_directory|try_hold|announce_leaving|exclusive|begin_write)\("
                   r"|\bTransaction \w+\(")
SYNC = re.compile(r"\.sync\(|\bmake_durable\w*\(")

# Told, counted or reserved, and nothing else: no row depends on it.
IDLE = re.compile(
    r"(\b\w*observer_?|\bcount(_failure)?|\bcounted|\bheartbeat_?\.expect|\.reserve|\breport\w*|"
    r"keep_database|\bbeat|\bset_deadline|\bsleep_until)\(|\bStats::|^what \+?=|^sent \+=|"
    r"^merged\.\w+ \+=|^\+\+(errors|count)\b")


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    function: str
    operator: str
    original: str
    mutated: str
    start: int
    end: int
    kind: str    # of the place: "statement", "bool" or "value"
    splice: str  # what stands there in the mutant


def flat(text):
    """In one line, for people."""
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r"\s+", " ", text).strip()


def enumerations(texts):
    """Enumerators by the name of their enumeration."""
    found = {}
    for text in texts:
        text = re.sub(r"//[^\n]*", "", text)
        for name, body in re.findall(r"enum class (\w+)[^{;]*\{([^}]*)\}", text):
            found[name] = re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", body.strip())
    return found


class Operators:
    """All mutants of one file, in the order of their places."""

    def __init__(self, source, enums, skipped=()):
        self.source = source
        self.enums = enums
        self.function = ""
        self.mutants = []
        for function in source.functions:
            if function.name not in skipped:
                self.function = function.name
                self._block(function.body)

    def _add(self, operator, first, last, splice, kind="bool", shown=None):
        start, end = self.source.span(first, last)
        original = self.source.text[start:end]
        if shown is None:
            shown = (original, splice)
        self.mutants.append(Mutant(
            self.source.path, self.source.line(start), self.function, operator, flat(shown[0]),
            flat(shown[1]), start, end, kind, splice))

    # ---- statements

    def _block(self, statements):
        for at, statement in enumerate(statements):
            self._statement(statement)
            if statement.kind == "declaration" and LOCKS.search(self._text(statement)):
                self._locks(statements, at)
        run = []
        for statement in [*statements, None]:
            if statement and statement.kind in ("expression", "if", "for", "while", "try", "block"):
                run.append(statement)
                continue
            self._swaps(run)
            run = []

    def _text(self, statement):
        return self.source.excerpt(statement.first, statement.last)

    def _is_idle(self, statement):
        text = self._text(statement)
        if statement.kind in ("if", "for", "while", "try", "block"):
            return all(self._is_idle(each) for block in statement.blocks for each in block)
        return statement.kind != "expression" or bool(IDLE.search(text))

    def _statement(self, statement):
        if statement.kind == "throw":
            self._enumerators(statement.first, statement.last)
            return
        if statement.kind == "expression" and IDLE.search(self._text(statement)):
            self._lambdas(statement.first, statement.last)
            return
        if statement.kind == "expression":
            operator = "sync" if SYNC.search(self._text(statement)) else "drop"
            self._add(operator, statement.first, statement.last, "", "statement")
        if statement.kind == "return":
            self._return(statement)
        for first, last in statement.conditions:
            if statement.is_guard and not self._matters(statement.blocks[0]):
                continue
            if statement.is_guard:
                self._add("never", first, last, "false")
            elif statement.kind == "if":
                self._add_negated(first, last)
            self._expression(first, last)
        for first, last in statement.expressions:
            self._expression(first, last)
        for block in statement.blocks:
            self._block(block)

    def _matters(self, block):
        leaves = block and block[-1].kind in ("return", "throw", "continue", "break")
        return leaves or not all(map(self._is_idle, block))

    def _return(self, statement):
        for first, last in statement.expressions:
            word = self.source.excerpt(first, last)
            if word in ("true", "false"):
                self._add("flip", first, last, "false" if word == "true" else "true")
            elif self._is_bool(first, last):
                self._add_negated(first, last)

    def _is_bool(self, first, last):
        signs = [i for i in self.source.top_level(first, last)
                 if self.source.is_(i, "&&", "||", "?", "<<", *COMPARISONS)
                 and self.source.is_spaced(i)]
        if any(self.source.is_(i, "?", "<<") for i in signs):
            return False
        return bool(signs) or self.source.is_(first, "!")

    def _swaps(self, run):
        if len(run) < 2:
            return
        texts = [self._text(each) for each in run]
        for at, (one, two) in enumerate(zip(run, run[1:])):
            if self._is_idle(one) or self._is_idle(two) or not self._is_order(one, two):
                continue
            swapped = [*texts[:at], texts[at + 1], texts[at], *texts[at + 2:]]
            shown = (f"{texts[at]} {texts[at + 1]}", f"{texts[at + 1]} {texts[at]}")
            self._add("swap", run[0].first, run[-1].last, "\n".join(swapped), "statement", shown)

    def _is_order(self, one, two):
        """Whether a reader would ask which of them comes first."""
        texts = [self._text(one), self._text(two)]
        calls = [each.kind == "expression" and not self._assigns(each) for each in (one, two)]
        return any(calls) and max(map(len, texts)) < 600

    def _assigns(self, statement):
        return any(self.source.is_(i, *ASSIGNMENTS)
                   for i in self.source.top_level(statement.first, statement.last))

    def _locks(self, statements, at):
        """The rest of the block in its own words, with another beginning."""
        lock, rest = statements[at], statements[at + 1:]
        if not rest or "lock_guard" in self._text(lock):
            return
        text = self._text(lock)
        name = re.search(r"(\w+)(?:\s*=\s|\()", text).group(1)
        inner = self.source.excerpt(rest[0].first, rest[-1].last)
        others = inner.replace(f"{name}.commit();", "")
        if re.search(rf"\b{name}\b", others):
            given_back = f"{{ const auto gone = std::move({name}); }}"
            unlocked = f"{text.removeprefix('const ')} {given_back}\n{inner}"
        else:
            unlocked = others
        last = rest[-1].last
        self._add("unlock", lock.first, last, unlocked, "statement", (text, ""))
        late = self._text(rest[0])
        if len(rest) > 1 and not re.search(rf"\b{name}\b", late):
            after = self.source.excerpt(rest[1].first, last)
            self._add("late", lock.first, last, f"{late}\n{text}\n{after}", "statement",
                      (f"{text} {late}", f"{late} {text}"))

    # ---- expressions

    def _add_negated(self, first, last):
        self._add("negate", first, last, f"!({self.source.excerpt(first, last)})")

    def _expression(self, first, last):
        source = self.source
        top = list(source.top_level(first, last))
        for i in top:
            if source.is_(i, "=", "+=", "-=", "|=", "&=", "^=") and source.is_spaced(i):
                self._expression(first, i)
                self._expression(i + 1, last)
                return
        if any(source.is_(i, "?") for i in top):
            self._ternary(first, last, top)
            return
        for sign in ("||", "&&"):
            signs = [i for i in top if source.is_(i, sign) and source.is_spaced(i)]
            if signs:
                self._chain(first, last, signs, sign)
                return
        for i in top:
            if source.is_(i, *COMPARISONS) and source.is_spaced(i):
                self._comparison(first, i, last)
                return
        self._leaf(first, last, top)

    def _ternary(self, first, last, top):
        question = next(i for i in top if self.source.is_(i, "?"))
        depth = 0
        for i in top:
            depth += self.source.is_(i, "?") - self.source.is_(i, ":")
            if i > question and depth == 0:
                break
        before = self.source.excerpt(first, question)
        if not re.search(r"<<|^return\b", before):
            self._add_negated(first, question)
        self._expression(first, question)
        self._expression(question + 1, i)
        self._expression(i + 1, last)

    def _chain(self, first, last, signs, sign):
        edges = [first, *[i + 1 for i in signs]], [*signs, last]
        parts = list(zip(*edges))
        for part in parts:
            left = [self.source.excerpt(*each) for each in parts if each != part]
            self._add("part", first, last, f" {sign} ".join(left))
        for part in parts:
            self._expression(*part)

    def _comparison(self, first, sign, last):
        other = BOUNDS.get(self.source.tokens[sign].text)
        if other:
            self._add("bound", first, last, f"{self.source.excerpt(first, sign)} {other} "
                                            f"{self.source.excerpt(sign + 1, last)}")
        self._expression(first, sign)
        self._expression(sign + 1, last)

    def _leaf(self, first, last, top):
        source = self.source
        i = first
        while i < last:
            if source.is_(i, "+", "-") and source.is_spaced(i) and source.is_(i + 1, "1"):
                start = i + 1
                self._add("bound", start, start + 1, "0", "value",
                          (source.excerpt(i - 1, i + 2), source.excerpt(i - 1, i)))
            if source.is_(i, "max", "min") and source.is_(i - 1, "::") and source.is_(i - 2, "std"):
                self._minmax(i, last)
            body = source.lambda_body(i)
            if body is not None:
                self._block(source.block(body))
                i = source.close[body] + 1
                continue
            if i in source.close:
                self._arguments(i)
            i = source.close.get(i, i) + 1
        self._enumerators(first, last, top)

    def _lambdas(self, first, last):
        for i in range(first, last):
            body = self.source.lambda_body(i)
            if body is not None:
                self._block(self.source.block(body))
                return

    def _arguments(self, opening):
        begin = opening + 1
        end = self.source.close[opening]
        for i in self.source.top_level(opening + 1, end):
            if self.source.is_(i, ",", ";"):
                if begin < i:
                    self._expression(begin, i)
                begin = i + 1
        if begin < end:
            self._expression(begin, end)

    def _minmax(self, i, last):
        source = self.source
        opening = next((at for at in range(i, last) if source.is_(at, "(")), None)
        if opening is None or source.close[opening] >= last:
            return
        other = "min" if source.is_(i, "max") else "max"
        call = source.excerpt(i - 2, source.close[opening] + 1)
        start, _ = source.span(i - 2, i)
        at = source.tokens[i].start - start
        self._add("minmax", i - 2, source.close[opening] + 1,
                  call[:at] + other + call[at + 3:], "value")

    def _enumerators(self, first, last, top=None):
        source = self.source
        for i in top or source.top_level(first, last):
            if i in source.close and top is None:
                self._enumerators(i + 1, source.close[i])
            if not source.is_(i, "::") or source.is_(i + 2, "::", "("):
                continue
            names = self.enums.get(source.tokens[i - 1].text, [])
            name = source.tokens[i + 1].text
            if name not in names or i + 2 > last:
                continue
            begin = i - 1
            while source.is_(begin - 1, "::") and source.tokens[begin - 2].kind == "name":
                begin -= 2
            if source.is_(begin - 1, *COMPARISONS) or source.is_(i + 2, *COMPARISONS):
                continue
            path = source.excerpt(begin, i + 1)
            self._add("enum", begin, i + 2, path + self._other(names, name), "value")

    @staticmethod
    def _other(names, name):
        """The next one; of many, the first: `done`, `ok`, whatever begins the list."""
        if "io" in names:  # of our errors, the one that nobody handles
            return "io" if name != "io" else "moved"
        return names[0] if names.index(name) > 0 else names[1]
