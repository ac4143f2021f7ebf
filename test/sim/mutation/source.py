"""Reads C++ as this tree writes it: formatted by clang-format, with braces around every block.

That makes a small reader enough. A comparison has blanks around it, a template's bracket has none;
every branch is a block. What the reader does not know is left alone: a statement that it takes for
another costs a mutant that does not compile, which the build notices.
"""

import bisect
import dataclasses
import re

TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r'|(?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>'(?:\\.|[^'\\\n])+')"
    r"|(?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign><=>|<<=|>>=|->\*|\.\.\.|::|->|\+\+|--|&&|\|\||[=!<>+\-*/%&|^]=|<<|.)", re.DOTALL)
CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
NOT_EXPRESSIONS = {"const", "auto", "constexpr", "static", "typename", "using", "static_assert",
                   "struct", "class", "enum", "union", "namespace", "typedef", "template", "goto",
                   "break", "continue", "unsigned", "extern", "friend"}


class Unreadable(Exception):
    """The source is not of the form that this reader knows."""


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclasses.dataclass
class Statement:
    """`first` and `last` are the numbers of its tokens; `last` is one beyond."""
    kind: str  # expression, declaration, if, while, for, switch, do, try, block, return, throw, ...
    first: int
    last: int
    conditions: list = dataclasses.field(default_factory=list)   # (first, last)
    expressions: list = dataclasses.field(default_factory=list)  # (first, last)
    blocks: list = dataclasses.field(default_factory=list)       # of lists of statements
    is_guard: bool = False  # an if without an else


@dataclasses.dataclass
class Function:
    name: str
    body: list  # of statements


def tokenize(text):
    tokens = []
    at = 0
    while at < len(text):
        if text[at] == "#" and not text[text.rfind("\n", 0, at) + 1:at].strip():
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
            continue
        match = TOKEN.match(text, at)
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), at, match.end()))
        at = match.end()
    return tokens


class Source:
    """One file: its tokens, which bracket closes which, and its functions."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.tokens = tokenize(text)
        self.close = {}
        self._lines = [i for i, char in enumerate(text) if char == "\n"]
        self._match_brackets()
        self.functions = []
        self._scope(0, len(self.tokens))

    # ---- what others ask for

    def is_(self, i, *texts):
        return 0 <= i < len(self.tokens) and self.tokens[i].text in texts

    def span(self, first, last):
        """Where the tokens lie in the text."""
        return self.tokens[first].start, self.tokens[last - 1].end

    def excerpt(self, first, last):
        start, end = self.span(first, last)
        return self.text[start:end]

    def line(self, offset):
        return bisect.bisect_left(self._lines, offset) + 1

    def is_spaced(self, i):
        """Whether the sign has blanks around it, as between two operands."""
        token = self.tokens[i]
        return self.text[token.start - 1].isspace() and self.text[token.end].isspace()

    def is_spaced_before(self, i):
        return self.text[self.tokens[i].start - 1].isspace()

    def top_level(self, first, last):
        """The numbers of the tokens outside of all brackets."""
        i = first
        while i < last:
            yield i
            i = self.close.get(i, i) + 1

    def lambda_body(self, i):
        """The opening brace of the body, if a lambda begins here."""
        if not self.is_(i, "["):
            return None
        before = self.tokens[i - 1]
        if before.kind in ("name", "number", "text") and before.text != "return":
            return None
        if before.text in (")", "]") or self.is_(i + 1, "["):
            return None
        i = self.close[i] + 1
        if self.is_(i, "("):
            i = self.close[i] + 1
        while i < len(self.tokens) and not self.is_(i, "{"):
            if self.is_(i, ";", ",", ")", "]", "}"):
                return None
            i = self.close.get(i, i) + 1
        return i

    def block(self, opening):
        """The statements between an opening brace and its end."""
        statements = []
        i = opening + 1
        while i < self.close[opening]:
            statement = self._statement(i)
            statements.append(statement)
            i = statement.last
        return statements

    # ---- scopes of namespaces and classes

    def _match_brackets(self):
        opened = []
        for i, token in enumerate(self.tokens):
            if token.text in CLOSED_BY:
                opened.append(i)
            elif token.text in CLOSED_BY.values():
                if not opened or CLOSED_BY[self.tokens[opened[-1]].text] != token.text:
                    raise Unreadable(f"{self.path}:{self.line(token.start)}: '{token.text}'")
                self.close[opened.pop()] = i
        if opened:
            raise Unreadable(f"{self.path}: a bracket is not closed")

    def _scope(self, first, last):
        head = i = first
        while i < last:
            if self.is_(i, ";"):
                head = i + 1
            elif self.is_(i, "(", "["):
                i = self.close[i]
            elif self.is_(i, "{"):
                if self._opens(head, i):
                    head = self.close[i] + 1
                i = self.close[i]
            i += 1

    def _opens(self, head, brace):
        """Looks into a brace of a scope. False if it is only part of a declaration."""
        words = [self.tokens[i].text for i in self.top_level(head, brace)]
        while words[:1] == ["template"]:
            words = words[self._after_template(words):]
        if "concept" in words or "enum" in words or "requires" == self.tokens[brace - 1].text:
            return False
        if "namespace" in words or (words and words[0] in ("struct", "class", "union")):
            self._scope(brace + 1, self.close[brace])
            return True
        if "(" not in words:
            return False
        before = self.tokens[brace - 1]
        in_initializer = ":" in words and "->" not in words
        if in_initializer and before.kind == "name" and before.text not in ("const", "noexcept"):
            return False
        self.functions.append(Function(self._name_of(head, brace), self.block(brace)))
        return True

    @staticmethod
    def _after_template(words):
        depth = 0
        for i, word in enumerate(words):
            depth += word.count("<") - (word.count(">") if word in (">", ">>") else 0)
            if depth == 0 and i > 0:
                return i + 1
        return len(words)

    def _name_of(self, head, brace):
        for i in self.top_level(head, brace):
            if self.is_(i + 1, "(") and self.tokens[i].kind == "name" and self.tokens[
                    i].text not in ("requires", "noexcept", "decltype"):
                return self.tokens[i].text
        return "operator"

    # ---- statements

    def _statement(self, i):
        first = i
        if self.is_(i, "["):  # an attribute
            i = self.close[i] + 1
        word = self.tokens[i].text
        reader = getattr(self, "_read_" + word, None) if self.tokens[i].kind == "name" else None
        if word == "{":
            return Statement("block", first, self.close[i] + 1, blocks=[self.block(i)])
        if reader:
            return reader(i)
        if word in ("case", "default") or (self.tokens[i].kind == "name" and self.is_(i + 1, ":")):
            while not self.is_(i, ":"):
                i += 1
            return Statement("label", first, i + 1)
        if word in ("struct", "class") and self._brace_before_end(i):
            brace = self._brace_before_end(i)
            self._scope(brace + 1, self.close[brace])
            return Statement("type", first, self._end(brace))
        last = self._end(i)
        kind = "expression" if self._is_expression(i, last) else "declaration"
        if word in ("return", "throw", "break", "continue"):
            kind = word
        if word in ("using", "static_assert", "enum"):
            return Statement("type", first, last)
        begin = i + 1 if kind in ("return", "throw") else i
        parts = [(begin, last - 1)] if begin < last - 1 else []
        return Statement(kind, first, last, expressions=parts)

    def _brace_before_end(self, i):
        end = self._end(i)
        return next((at for at in self.top_level(i, end) if self.is_(at, "{")), None)

    def _end(self, i):
        """One beyond the semicolon that ends the statement."""
        while not self.is_(i, ";"):
            i = self.close.get(i, i) + 1
            if i >= len(self.tokens) or self.is_(i, "}"):
                raise Unreadable(f"{self.path}:{self.line(self.tokens[i - 1].start)}: no end")
        return i + 1

    def _is_expression(self, i, last):
        token = self.tokens[i]
        if token.text in ("++", "--", "*", "("):
            return True
        if token.kind != "name" or token.text in NOT_EXPRESSIONS:
            return False
        i += 1
        while self.is_(i, "::"):
            i += 2
        if self.is_(i, "<") and not self.is_spaced(i):
            depth = 0
            while i < last:
                depth += self.is_(i, "<") - self.is_(i, ">")
                i = self.close.get(i, i) + 1
                if depth == 0:
                    break
            while self.is_(i, "::"):
                i += 2
        if self.is_(i, "(") and self.is_spaced_before(i):
            return False  # of a pointer to a function
        return self.is_(i, "(", ".", "->", "[", "++", "--", *ASSIGNMENTS)

    def _body(self, statement, i):
        """Reads the block that must stand here, and returns what comes after it."""
        if not self.is_(i, "{"):
            raise Unreadable(f"{self.path}:{self.line(self.tokens[i].start)}: no braces")
        statement.blocks.append(self.block(i))
        return self.close[i] + 1

    def _read_if(self, i):
        statement = Statement("if", i, i, is_guard=True)
        i += 1
        constant = self.is_(i, "constexpr")
        i += constant
        if not constant:
            self._condition(statement, i)
        i = self._body(statement, self.close[i] + 1)
        if self.is_(i, "else"):
            statement.is_guard = False
            if self.is_(i + 1, "if"):
                other = self._read_if(i + 1)
                statement.blocks.append([other])
                i = other.last
            else:
                i = self._body(statement, i + 1)
        statement.last = i
        return statement

    def _condition(self, statement, opening):
        """The condition between parentheses, without what is declared before a semicolon."""
        first, last = opening + 1, self.close[opening]
        for i in self.top_level(first, last):
            if self.is_(i, ";"):
                statement.expressions.append((first, i))
                first = i + 1
        if not any(self.is_(i, "=") for i in self.top_level(first, last)):
            statement.conditions.append((first, last))

    def _read_while(self, i):
        statement = Statement("while", i, i)
        self._condition(statement, i + 1)
        statement.last = self._body(statement, self.close[i + 1] + 1)
        return statement

    def _read_for(self, i):
        statement = Statement("for", i, i)
        first, last = i + 2, self.close[i + 1]
        parts = [at for at in self.top_level(first, last) if self.is_(at, ";")]
        if len(parts) == 2:
            statement.expressions.append((first, parts[0]))
            statement.conditions.append((parts[0] + 1, parts[1]))
            statement.expressions.append((parts[1] + 1, last))
            statement.conditions = [each for each in statement.conditions if each[0] < each[1]]
        statement.last = self._body(statement, last + 1)
        return statement

    def _read_switch(self, i):
        statement = Statement("switch", i, i)
        statement.last = self._body(statement, self.close[i + 1] + 1)
        return statement

    def _read_do(self, i):
        statement = Statement("do", i, i)
        i = self._body(statement, i + 1)
        statement.last = self._end(i)
        return statement

    def _read_try(self, i):
        statement = Statement("try", i, i)
        i = self._body(statement, i + 1)
        while self.is_(i, "catch"):
            i = self._body(statement, self.close[i + 1] + 1)
        statement.last = i
        return statement
