#!/usr/bin/env bash
# Makes the site: the documents, and the reference of the public headers.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

usage() {
    cat <<'EOF'
Usage: doc/build.sh [--out DIRECTORY]

Makes the documents and the reference of the public headers into HTML, in DIRECTORY (build/site),
which is replaced if it is a site. Nothing on its pages is loaded from another host. The pages can
be read as files; only their search needs a web server.

Exit status: 0, the site is there; 1, something is wrong with it, and is named: a warning of a
tool, a public entity or a value without a comment, a class that does not say which threads may use it, a link
that leads nowhere, an asset of another host; 2, wrong arguments; 77, Doxygen or MkDocs is not
installed.
EOF
}

out="$root/build/site"
while [ $# -gt 0 ]; do
    case "$1" in
    --out) [ $# -ge 2 ] || { usage >&2; exit 2; }; out=$2; shift 2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done
if [ -e "$out" ] && [ ! -e "$out/reference/doxygen.css" ]; then
    echo "$out is there, and no site" >&2
    exit 2
fi
for tool in doxygen mkdocs; do
    command -v "$tool" >/dev/null || { echo "not made: $tool is not installed (apt install $tool)"; exit 77; }
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

# Doxygen sees a copy of the headers, below a directory whose name is taken out of its warnings.
mkdir "$scratch/headers" "$scratch/docs"
python3 "$root/doc/site/threads.py" "$root" || status=1
python3 "$root/doc/site/enumerators.py" "$root" "$scratch/headers/enumerators.md" || status=1
python3 "$root/doc/site/headers.py" "$root" "$scratch/headers"
cp "$root/doc/site/reference.md" "$scratch/headers/"
doxygen -l "$scratch/headers/layout.xml" >/dev/null
# A way back; and no lists of all members by their first letter, which the search makes needless.
sed -i 's|<navindex>|&<tab type="user" url="../index.html" title="Documents"/>|
        /type="classmembers"/s|visible="yes"|visible="no"|' "$scratch/headers/layout.xml"
version=$(sed -n 's/.*version_[a-z]* = \([0-9]*\);.*/\1/p' "$root/include/replica/version.hpp" | paste -sd.)
(
    cat "$root/doc/site/Doxyfile"
    echo "PROJECT_NUMBER = $version"
) >"$scratch/Doxyfile"
(cd "$scratch/headers" && doxygen "$scratch/Doxyfile") >"$scratch/log" 2>&1 || status=1
if [ -s "$scratch/log" ]; then
    sed "s|$scratch/headers/||" "$scratch/log" | LC_ALL=C sort -u
    status=1
fi
[ -d "$scratch/headers/html" ] || exit 1
rm -f "$scratch"/headers/html/functions*.html # written even if no tab leads there
# Doxygen 1.9.4 leads to a list of classes where all of them are private, and the list is not there.
{ grep -rLZ 'name="nested-classes"' "$scratch/headers/html" --include='*.html' || true; } |
    xargs -0r sed -i 's|<a href="#nested-classes">Classes</a> &#124;||'

python3 "$root/doc/site/documents.py" "$root" "$scratch/docs" "$scratch/headers/tags.xml"
mv "$scratch/headers/html" "$scratch/docs/reference"
cp "$root/doc/site/mkdocs.yml" "$scratch/"
cp "$root/doc/site/site.css" "$scratch/docs/"
(cd "$scratch" && mkdocs build --quiet) >"$scratch/log" 2>&1 || status=1
if [ -s "$scratch/log" ]; then
    cat "$scratch/log"
    status=1
fi
[ -d "$scratch/site" ] || exit 1

python3 "$root/doc/site/check.py" "$scratch/site" || status=1
rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$scratch/site" "$out"
[ "$status" = 0 ] && echo "The site begins at $out/index.html"
exit "$status"
