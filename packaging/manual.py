#!/usr/bin/env python3
"""Writes what a package needs beside a daemon, out of what the daemon says of itself, so that no
option is described twice: NAME.1 and the completion from --help, NAME.conf and NAME.conf.5 from
--print-config.

Usage: manual.py PROGRAM NAME KIND DIRECTORY      KIND is "container" or "account"
       manual.py PROGRAM NAME DIRECTORY           the tool: NAME.1 and the completion
"""
import pathlib
import re
import subprocess
import sys

INTRODUCTION = """\
{name} keeps the replicas of OpenStack Swift's {kind} databases on all nodes of a cluster
identical. It reads the configuration and the rings of
.BR swift-{kind}-replicator (1)
and takes its place on one node or on all. Without
.B --once
it runs as a service: it makes a pass over all databases of the node's devices at an interval, sends
what has been written at once where the kernel tells it, and answers other nodes if
.B replica_port
is set."""

EXIT_STATUS = [
    ("0", "The pass or the service has ended, whatever the peers did."),
    ("1", "It could not start; standard error says why."),
    ("2", "The command line cannot be read."),
]

SIGNALS = [
    ("SIGTERM, SIGINT", "End the daemon within about a second. What was half done is repeated by "
                        "the next pass."),
    ("SIGHUP", "Has a service read its configuration again. A good one counts from the next pass "
               "on; one that is no good is logged and changes nothing. What needs a restart is "
               "logged by name. A single pass is ended."),
]


def said(program, option):
    return subprocess.run([program, option], check=True, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout


def escaped(text):
    """Text as groff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", "\\\\&.", text, flags=re.MULTILINE)


def page(name, section, version, what, parts):
    lines = [f'.TH "{name.upper()}" {section} "" "replica {version}" "replica"',
             ".SH NAME", f"{escaped(name)} \\- {escaped(what)}"]
    for heading, body in parts:
        lines += [f".SH {heading}", *body]
    return "\n".join(lines) + "\n"


def tagged(pairs):
    for tag, text in pairs:
        yield from (".TP", f".B {escaped(tag)}", escaped(text))


def command_line(text):
    """The arguments of --help: (their names, what is said of them)."""
    found = []
    for line in text.split("\nOptions of the configuration file")[0].split("\n"):
        if match := re.match(r"  (-\S*(?: [A-Z]+)?|CONFIG)(?: TEXT)?(?: \.\.\.)?(?:\s{2,}(.*))?$",
                             line):
            found.append((match[1], match[2] or ""))
        elif found and (match := re.match(r"\s{10,}(\S.*)$", line)):
            tag, so_far = found[-1]
            found[-1] = (tag, f"{so_far} {match[1]}".strip())
    return found


def options(text):
    """The options of --print-config: (name, default, what is said of it)."""
    for block in text.split("\n\n")[1:]:
        *words, last = block.strip().split("\n")
        name, default = re.fullmatch(r"#(\w+) =(?: (.*))?", last).groups()
        yield name, default or "", " ".join(line.removeprefix("# ") for line in words)


def first_page(name, kind, version, arguments):
    related = [f"{name}.conf (5)", f"swift-{kind}-replicator (1)", "swift-recon (1)", "rsync (1)"]
    return page(name, 1, version, f"keeps {kind} databases of OpenStack Swift identical", [
        ("SYNOPSIS", [f".B {escaped(name)}", ".I CONFIG", ".RI [ option ...]"]),
        ("DESCRIPTION", [INTRODUCTION.format(name=escaped(name), kind=kind)
                         .replace("--once", "\\-\\-once")]),
        ("OPTIONS", tagged((tag.replace(",", ", "), text) for tag, text in arguments)),
        ("SIGNALS", tagged(SIGNALS)),
        ("EXIT STATUS", tagged(EXIT_STATUS)),
        ("FILES", tagged([(f"/etc/swift/{kind}-server.conf", "the configuration that the unit "
                           "names"), ("/etc/swift/swift.conf", "what all nodes agree on")])),
        ("SEE ALSO", [" ,\n".join(f".BR {escaped(each)}" for each in related), ".PP",
                      f"/usr/share/doc/{escaped(name)}/operations.md.gz"]),
    ])


def fifth_page(name, kind, version, table):
    body = list(tagged((f"{option} = {default or '(empty)'}", text)
                       for option, default, text in table))
    return page(f"{name}.conf", 5, version, f"options of {name}", [
        ("DESCRIPTION", [escaped(
            f"All options stand in the section [{kind}-replicator] or in [DEFAULT] of the file "
            f"that {name} is given, usually /etc/swift/{kind}-server.conf, or in a directory of "
            "*.conf files. An option that is not in this list is ignored, as in Swift. A value out "
            "of bounds keeps the daemon from starting. Each is shown with its default.")]),
        ("OPTIONS", body),
        ("SEE ALSO", [f".BR {escaped(name)} (1)"]),
    ])


def completion(name, arguments):
    words = " ".join(sorted(word for tag, _ in arguments for word in re.findall(r"--[\w-]+", tag)))
    function = "_" + name.replace("-", "_")
    return f"""# bash completion for {name}
{function}()
{{
    local word=${{COMP_WORDS[COMP_CWORD]}} last=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
    case $word,$last in
    -*,*) COMPREPLY=($(compgen -W "{words}" -- "$word")) ;;
    *,--explain) COMPREPLY=($(compgen -f -X '!*.db' -- "$word") $(compgen -d -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -X '!*.conf' -- "$word") $(compgen -d -- "$word")) ;;
    esac
}}
complete -o filenames -F {function} {name}
"""


def tool_page(program, name, version):
    """All that the program says of itself and of each of its commands, word for word, and the
    examples of all commands together."""
    text = said(program, "--help").replace(program, name)  # which it takes from its command line
    commands = re.findall(r"^  (\w+) {2,}", text.split("\nSubcommands:\n")[1], re.MULTILINE)
    parts = [("SYNOPSIS", [f".B {escaped(name)}", ".I COMMAND", ".RI [ option ...]"]),
             ("DESCRIPTION", [".nf", escaped(text.strip()), ".fi"])]
    examples = []
    for command in commands:
        told = subprocess.run([program, command, "--help"], check=True, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL).stdout.replace(program, name)
        shown = re.search(rf"^Example, (.+):\n  ({name} {command} .+)\n", told, re.MULTILINE)
        if not shown:
            sys.exit(f"{program} {command} --help has no example")
        what = shown[1][0].upper() + shown[1][1:]
        examples += [".PP", f"{escaped(what)}:", ".PP", ".nf", f"  {escaped(shown[2])}", ".fi"]
        parts.append((escaped(command.upper()), [".nf", escaped(told.strip()), ".fi"]))
    parts.append(("EXAMPLES", examples))
    parts.append(("SEE ALSO", [f".BR replica\\-{kind}\\-replicator (1)"
                               for kind in ("container", "account")]))
    what = "looks into replicated databases and at their nodes"
    return page(name, 1, version, what, parts), commands


def tool_completion(name, commands):
    words = " ".join(commands)
    return f"""# bash completion for {name}
_{name}()
{{
    local word=${{COMP_WORDS[COMP_CWORD]}}
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "{words}" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _{name} {name}
"""


def main():
    if len(sys.argv) == 4:
        program, name, directory = sys.argv[1:]
        text, commands = tool_page(program, name, said(program, "--version").strip())
        (pathlib.Path(directory) / f"{name}.1").write_text(text, encoding="utf-8")
        (pathlib.Path(directory) / f"{name}.bash").write_text(tool_completion(name, commands),
                                                              encoding="utf-8")
        return 0
    if len(sys.argv) != 5:
        print(__doc__, file=sys.stderr)
        return 2
    program, name, kind, directory = sys.argv[1:]
    into = pathlib.Path(directory)
    sample = said(program, "--print-config")
    version = said(program, "--version").strip()
    arguments = command_line(said(program, "--help"))
    table = list(options(sample))
    (into / f"{name}.conf").write_text(sample, encoding="utf-8")
    (into / f"{name}.1").write_text(first_page(name, kind, version, arguments), encoding="utf-8")
    (into / f"{name}.conf.5").write_text(fifth_page(name, kind, version, table), encoding="utf-8")
    (into / f"{name}.bash").write_text(completion(name, arguments), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
