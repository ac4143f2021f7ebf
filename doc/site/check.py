#!/usr/bin/env python3
"""Looks at a site: every link leads somewhere, to a place on the page as well, and nothing is
loaded from another host. Links to other hosts are not followed.

Usage: check.py SITE       prints `page: what is wrong` and exits with 1 if there is anything.
"""

import html.parser
import pathlib
import re
import sys
import urllib.parse

LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "audio": "src",
          "video": "src", "embed": "src", "object": "data", "input": "src"}
RELATIONS = {"stylesheet", "icon", "shortcut", "preload", "prefetch", "manifest"}
IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
IN_MENU = re.compile(r'\burl:"([^"]*)"')


class Page(html.parser.HTMLParser):
    """What a page refers to, what it loads, and the places on it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.places = [], [], {""}
        self.in_style = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.places.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and RELATIONS & set(given.get("rel", "").split()):
            self.loads.append(given.get("href", ""))
        if tag in LOADED and LOADED[tag] in given:
            self.loads.append(given[LOADED[tag]])
        self.loads += styled(given.get("style", ""))
        self.in_style = tag == "style"

    def handle_data(self, data):
        if self.in_style:
            self.loads += styled(data)


def styled(text):
    return [first or second for first, second in IN_STYLE.findall(text)]


def check(site):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    problems = set()

    def look(page, link, loaded):
        try:
            parts = urllib.parse.urlsplit(link)
        except ValueError:
            problems.add((page, f"{link}: is no address"))
            return
        if parts.scheme in ("http", "https", "mailto") or parts.netloc:
            if loaded:
                problems.add((page, f"{link}: is loaded from another host"))
            return
        if parts.scheme in ("javascript", "data"):
            return
        path = urllib.parse.unquote(parts.path)
        # The page of an error is shown at any address, so its links begin at the root.
        start = site if path.startswith("/") else page.parent
        target = (start / path.lstrip("/")).resolve() if path else page
        if target.is_dir():
            target = target / "index.html"
        if not target.is_file():
            problems.add((page, f"{link}: leads nowhere"))
        elif target in pages and not loaded:
            if urllib.parse.unquote(parts.fragment) not in pages[target].places:
                problems.add((page, f"{link}: there is no such place on the page"))

    for path, page in pages.items():
        for link in page.links:
            look(path, link, False)
        for link in page.loads:
            look(path, link, True)
    for path in site.rglob("*.css"):
        for link in styled(path.read_text(encoding="utf-8")):
            look(path, link.partition("#")[0], True)
    for path in site.rglob("menudata.js"):
        for link in IN_MENU.findall(path.read_text(encoding="utf-8")):
            look(path, link, False)
    if not pages:
        problems.add((site, "has no page"))
    return sorted((path.relative_to(site).as_posix(), what) for path, what in problems)


def main():
    problems = check(pathlib.Path(sys.argv[1]).resolve())
    for page, what in problems:
        print(f"{page}: {what}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
