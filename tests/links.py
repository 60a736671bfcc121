#!/usr/bin/env python3
"""links.py [DIRECTORY…]: that all relative links in the *.md below them (default: this tree's) lead to a file or directory
that is there, and behind a "#" to one of its headings."""

import os
import re
import sys

HIDDEN = re.compile(r"^(\.git|build.*)$")


def prose(path):
    """The file without its blocks of code."""
    with open(path, encoding="utf-8") as file:
        return re.sub(r"^ *```.*?^ *```[ \t]*$", "", file.read(), flags=re.M | re.S)


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    seen, found = {}, set()
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", prose(path), flags=re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        found.add(f"{anchor}-{count}" if count else anchor)
    return found


def problems(page):
    text = re.sub(r"`[^`\n]*`(?!\])", "", prose(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = os.path.join(os.path.dirname(page), name) if name else page
        if not os.path.exists(path):
            yield f"{page}: {target}: there is no {os.path.normpath(path)}"
        elif anchor and (os.path.isdir(path) or anchor not in anchors(path)):
            yield f"{page}: {target}: {os.path.normpath(path)} has no heading of that name"


def pages(top):
    for directory, below, files in os.walk(top):
        below[:] = sorted(name for name in below if not HIDDEN.match(name))
        yield from (os.path.join(directory, name) for name in sorted(files) if name.endswith(".md"))


def main():
    tops = sys.argv[1:] or [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
    found = [page for top in tops for page in pages(top)]
    bad = [problem for page in found for problem in problems(page)]
    print("".join(problem + "\n" for problem in bad), end="")
    print(f"{len(found)} pages, {len(bad)} links that lead nowhere")
    return 1 if bad or not found else 0


sys.exit(main())
