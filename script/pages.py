"""MkDocs' hooks: what the site has beside the files of docs/, and where their links lead."""

import json
import logging
import re
import subprocess
import sys
from os.path import relpath
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from script import reference
from socialapi.environment import Environment

# A warning fails the build.
log = logging.getLogger(f"mkdocs.hooks.{__name__}")

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# Pages that lie above docs/, where people look for them.
ABOVE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
# A link to a file, in Markdown: its text, path and anchor.
LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\(([^()\s:#]+)(#[^()\s]*)?\)")
# What a page loads by itself; a link that a reader may follow is none.
FOREIGN = re.compile(
    r"""<(?!a\b|link rel="canonical")[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>"""
)


def api() -> str:
    """Render the API from its OpenAPI document, which a process of its own makes anew."""
    command = [sys.executable, "manage.py", "spectacular", "--format", "openapi-json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return reference.api(json.loads(done.stdout))


def settings() -> str:
    """Render the settings from the class that reads them."""
    return reference.settings(Environment.model_json_schema())


# What follows the text of these pages.
RENDERED = {"api.md": api, "settings.md": settings}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that lie above docs/."""
    for name, uri in ABOVE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mend a page's links, and add what is rendered."""
    uri = page.file.src_uri
    text = mend_links(markdown, Path(str(page.file.abs_src_path)), uri)
    return f"{text}\n{RENDERED[uri]()}" if uri in RENDERED else text


def mend_links(markdown: str, source: Path, uri: str) -> str:
    """Return the text of a file as the site has it at `uri`.

    A link of docs/ may lead out of it, to code for instance, since it is read on GitHub as well.
    The site has no such file, and shows the link's text alone. What leads nowhere is left to
    MkDocs, which says so.
    """

    def mend(link: re.Match[str]) -> str:
        text, path, anchor = link.groups(default="")
        target = (source.parent / path).resolve()
        if target.parent == ROOT and target.name in ABOVE:
            target = DOCS / ABOVE[target.name]
        elif not target.is_relative_to(DOCS):
            return text if target.exists() else link[0]
        return f"[{text}]({relpath(target, (DOCS / uri).parent)}{anchor})"

    return LINK.sub(mend, markdown)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Warn of what a page would load from another host."""
    for tag in FOREIGN.findall(output):
        log.warning("%s loads something from another host: %s", page.file.src_uri, tag)
    return output
