#!/usr/bin/env python3
"""The web page in Debian's Chromium: what an administrator, a reader and a stranger see and do.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout). SCREENSHOTS names a directory
for pictures of every view. LOAD=full also looks at 5,000 repositories and at every view in each colour and language.
"""

import atexit
import functools
import gzip
import http.client
import os
import pathlib
import re
import subprocess
import time

import page_content
from browser import Browser, axe_path, need_browser
from harness import Skip, case, main
from plain_registry import PROGRAM, TIMEOUT_S, Server, line

PASSWORD = "secret"
RULES = "allow admin all **\nallow admin health **\nallow reader pull team/web\n"
WIDTHS = (360, 768, 1440)
PAGE_MAX = 100 << 10  # bytes, compressed
VIEWS = {
    "sign-in": "#sign-in", "repositories": "#/", "path": "#/team/", "search": "#/?search=app", "tags": "#/team/app",
    "index": "#/team/app:2.0", "image": "#/team/app:1.1", "chart": "#/charts/shop:0.3.0", "space": "#space",
    "repository-space": "#space/team/app", "comparison": "#compare/team/app?left=1.1&right=2.1-amd64", "health": "#health",
    "missing": "#nowhere/x", "hostile": "#/hostile/app:x", "hostile-chart": "#/hostile/app:chart",
}


def is_full():
    return os.environ.get("LOAD") == "full"


# --- the registry and the browser that the cases share ------------------------------------------


def start(fill=None, rules=RULES):
    server = Server("".join(line(user, PASSWORD) for user in ("admin", "reader")), files={"access": rules},
                    STORAGE_DELETE_ENABLED="true", AUTH_HTPASSWD_ACCESS="access").__enter__()
    atexit.register(server.__exit__)
    if fill:
        fill(page_content.Content(server))
    return server


@functools.cache
def shared_server():
    def fill(content):
        page_content.push_three(content)
        page_content.push_hostile(content)
    return start(fill)


@functools.cache
def shared_browser():
    browser = Browser().__enter__()
    atexit.register(browser.__exit__)
    return browser


def address(server):
    return f"http://127.0.0.1:{server.port}/"


def visit(server, user=None, place="", width=1440, **look):
    """Opens the page anew, as a person does, and signs in."""
    need_browser()
    browser = shared_browser()
    browser.connection.events.clear()
    browser.resize(width, 900)
    browser.look(**look)
    browser.open("about:blank")
    browser.open(address(server) + ("#sign-in" if user else place))
    browser.wait_until_idle()
    if user:
        browser.fill("User", user)
        browser.fill("Password or token", PASSWORD)
        browser.key("Enter", 13)
        browser.wait_for_text(f"Signed in as {user}")
        browser.wait_until("!document.querySelector('.signin')")
        browser.wait_until_idle()
        if place:
            browser.go(place)
    return browser


def rows(browser):
    """The text of each row of the list, without its heading."""
    return browser.evaluate("[...document.querySelectorAll('main .list tbody tr')].map((row) => row.innerText)")


def assert_clean(browser):
    """The policy of the page refused nothing, and no script failed."""
    assert browser.violations() == [], browser.violations()
    assert browser.errors() == [], browser.errors()
    assert not browser.evaluate("window.hacked"), "a hostile text was run"


def assert_harmless(browser):
    """No text has become an element that could do something."""
    assert browser.evaluate("document.querySelectorAll('img, main script, iframe, a[href^=javascript]').length") == 0


# --- five tasks -----------------------------------------------------------------------------------


@case("five tasks by visible labels alone: the newest arm64 image, what fills the disk, a pull command, a signature, a deletion")
def _():
    server = shared_server()
    browser = visit(server, "admin")
    # 1. the newest image for arm64
    browser.click("team/")
    browser.click("app")
    browser.choose("Architecture", "arm64")
    browser.wait_until("document.querySelectorAll('main .list tbody tr').length === 2")
    assert rows(browser)[0].startswith("2.0"), rows(browser)
    # 3. the command that pulls it
    browser.click("2.0")
    browser.click("Copy", around="docker pull")
    browser.wait_for_clipboard(f"docker pull 127.0.0.1:{server.port}/team/app:2.0")
    # 4. is it signed
    browser.wait_for_text("Yes, 1 signature")
    # 2. what fills the disk
    browser.click("Space")
    browser.wait_for_text("By repository")
    assert rows(browser)[0].startswith("team/app"), rows(browser)
    # 5. delete a tag
    browser.click("Repositories")
    browser.click("team/")
    browser.click("app")
    browser.click("Delete", around="1.0")
    browser.wait_for_text("This cannot be undone.")
    browser.click("Delete for ever")
    browser.wait_until("!document.querySelector('dialog')")
    assert not any(row.startswith("1.0") for row in rows(browser)), rows(browser)
    assert server.status("admin", PASSWORD, "/v2/team/app/manifests/1.0") == 404
    assert_clean(browser)


@case("a deletion that is not confirmed deletes nothing; Escape closes the question, and the focus returns")
def _():
    server = shared_server()
    browser = visit(server, "admin", "#/team/app")
    browser.click("Delete", around="1.1")
    browser.wait_for_text("This cannot be undone.")
    browser.key("Escape", 27)
    browser.wait_until("!document.querySelector('dialog')")
    assert browser.evaluate("document.activeElement.innerText") == "Delete"
    browser.click("Delete", around="1.1")
    browser.wait_for_text("This cannot be undone.")
    browser.click("Keep it")
    browser.wait_until("!document.querySelector('dialog')")
    assert server.status("admin", PASSWORD, "/v2/team/app/manifests/1.1") == 200
    assert_clean(browser)


# --- views ------------------------------------------------------------------------------------------


@case("an image shows its layers with their commands, its configuration and what refers to it; an SBOM is a list")
def _():
    browser = visit(shared_server(), "admin", "#/team/app:2.0")
    for text in ("RUN apt-get update", "COPY app /usr/bin/app", "/usr/bin/app --serve", "PATH=/usr/bin", "linux/arm64",
                 "The second version", "skopeo copy docker://", "kubectl run app --image="):
        browser.wait_for_text(text)
    browser.choose("Show platform", "linux/arm64")
    browser.wait_until("location.hash.includes('platform=linux%2Farm64')")
    browser.evaluate("document.querySelectorAll('.referrers details').forEach((one) => { one.open = true; })")
    for text in ("SPDX-2.3", "package-7", "250 packages", "CycloneDX 1.5", "org.example/parser", "MIT OR ISC",
                 "https://slsa.dev/provenance/v1", "https://example.com/builder", "Signed digest"):
        browser.wait_for_text(text)
    assert_clean(browser)


@case("a chart shows what it is; two tags are compared by layers and configuration; a search narrows the lists while typing")
def _():
    browser = visit(shared_server(), "admin", "#/charts/shop:0.3.0")
    for text in ("Helm chart", "Sells things", "postgresql", "helm pull oci://"):
        browser.wait_for_text(text)
    browser.go("#/team/app")
    for tag in ("1.1", "2.1-amd64"):
        browser.tick(tag)
    browser.click("Compare 1.1 with 2.1-amd64")
    for text in ("1 layer is the same", "only in 1.1", "Environment MODE", "fast"):
        browser.wait_for_text(text)
    browser.go("#/")
    browser.fill("Search repositories", "web")
    browser.wait_until("document.querySelectorAll('main .list tbody tr').length === 1")
    assert rows(browser)[0].startswith("team/web"), rows(browser)
    assert browser.evaluate("location.hash") == "#/?search=web"
    browser.fill("Search repositories", "no such")
    browser.wait_for_text("No repository matches")
    assert_clean(browser)


@case("hostile names, labels, annotations, media types and documents are shown as they are and do nothing")
def _():
    browser = visit(shared_server(), "admin", "#/hostile/app:x")
    browser.wait_for_text(page_content.HOSTILE)
    open_all(browser)
    for place in ("#/hostile/app:chart", "#/hostile/app:odd", "#/hostile/app", "#/hostile/app:<img>", "#/%3Cscript%3E",
                  "#/?search=%3Cimg%20src%3Dx%20onerror%3Dhacked%3D1%3E", "#compare/hostile/app?left=x&right=../../x", "#/%E0%A4%A"):
        browser.go(place)
    assert_harmless(browser)
    assert_clean(browser)


# --- users --------------------------------------------------------------------------------------------


@case("a user with few rights sees only what they may pull, no way to delete, and no health")
def _():
    browser = visit(shared_server(), "reader")
    browser.wait_for_text("team/web")
    assert len(rows(browser)) == 1, rows(browser)
    browser.click("team/web")
    browser.wait_for_text("latest")
    text = browser.text()
    assert "Delete" not in text and "Health" not in text, text
    browser.go("#/team/app")
    assert "2.0" not in browser.text(), browser.text()
    browser.go("#space")
    assert "team/app" not in browser.text(), browser.text()
    assert_clean(browser)


@case("a stranger sees the login only; a wrong password says so; a reload signs out; nothing is kept in the browser")
def _():
    server = shared_server()
    browser = visit(server)
    browser.wait_for_text("Password or token")
    for hidden in ("team", "Space", "Health", "Repositories"):
        assert hidden not in browser.text(), browser.text()
    browser.fill("User", "admin")
    browser.fill("Password or token", "wrong")
    browser.click("Sign in")
    browser.wait_for_text("The user or the password is wrong.")
    browser.fill("Password or token", PASSWORD)
    browser.click("Sign in")
    browser.wait_for_text("Signed in as admin")
    browser.wait_for_text("team/")
    assert browser.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    browser.open("about:blank")
    browser.open(address(server))
    browser.wait_for_text("Password or token")
    assert_clean(browser)


def tokens_of_page(server):
    """How many identity tokens the page has."""
    listed = subprocess.run([PROGRAM, "token", "list", "--config", server.config], env=server.env, cwd=server.dir, text=True,
                            capture_output=True, check=True).stdout
    return listed.count("registryd-page")


def wait_for_tokens(server, count):
    end = time.monotonic() + TIMEOUT_S
    while tokens_of_page(server) != count:
        assert time.monotonic() < end, (tokens_of_page(server), count)
        time.sleep(0.1)


@case("the page's token ends at the server when the user signs out, and when the tab goes elsewhere or is reloaded")
def _():
    server = shared_server()
    visit(server).wait_for_text("Password or token")
    wait_for_tokens(server, 0)
    browser = visit(server, "reader")
    assert tokens_of_page(server) == 1
    browser.click("Sign out")
    browser.wait_for_text("Password or token")
    wait_for_tokens(server, 0)
    assert_clean(browser)
    visit(server, "reader")
    assert tokens_of_page(server) == 1
    browser.open("about:blank")
    wait_for_tokens(server, 0)
    visit(server, "reader")
    browser.reload()
    wait_for_tokens(server, 0)
    browser.wait_for_text("Password or token")


@case("an empty registry shows the three commands that push a first image, but not to those who may not push")
def _():
    server = start()
    browser = visit(server, "admin")
    host = f"127.0.0.1:{server.port}"
    for text in (f"docker login {host}", f"docker tag hello {host}/hello:1.0", f"docker push {host}/hello:1.0"):
        browser.wait_for_text(text)
    browser.go("#space")
    browser.wait_until_idle()
    assert_clean(browser)
    if os.environ.get("SCREENSHOTS"):
        take_pictures_of(browser, {"empty": "#/", "empty-space": "#space"})
    browser = visit(server, "reader")
    browser.wait_for_text("There is no repository that you may pull.")
    assert "docker push" not in browser.text(), browser.text()


# --- for everybody --------------------------------------------------------------------------------------


def open_all(browser):
    """Opens what is folded, and waits for what it fetches."""
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.wait_until("[...document.querySelectorAll('.inside')].every((one) => one.querySelector('a, .note'))")


def look_at(browser, place):
    """Shows a view with everything open."""
    browser.go(place)
    open_all(browser)


def ask_axe(browser):
    """What axe finds in this view, as a list of texts."""
    return browser.evaluate("axe.run().then((found) => found.violations.map((one) => one.id + ': ' + "
                            "one.nodes.map((node) => node.target + ' ' + node.failureSummary).join('; ')))")


def load_axe(browser):
    browser.evaluate(axe_path().read_text(encoding="utf-8") + "; 0")


LOOKS = [(1440, False, "en", "ltr"), (360, True, "zh-CN", "rtl")]  # width, dark, language, direction


def choose_look(browser, width, is_dark, language, direction):
    browser.resize(width, 900)
    browser.look(is_dark)
    browser.choose("Language" if "Language" in browser.text() else "语言", {"en": "English", "zh-CN": "中文"}[language])
    browser.wait_until(f"document.documentElement.lang === '{language}'")
    browser.wait_until_idle()
    browser.evaluate(f"document.documentElement.dir = '{direction}'")


@case("axe finds no violation in any view: light and dark, wide and narrow, English and Chinese, also from right to left")
def _():
    looks = LOOKS
    if is_full():
        looks = [(width, is_dark, *reading) for width in WIDTHS for is_dark in (False, True)
                 for reading in (("en", "ltr"), ("zh-CN", "ltr"), ("en", "rtl"))]
    browser = visit(shared_server(), "admin", "#/")
    load_axe(browser)
    for look in looks:
        choose_look(browser, *look)
        for view, place in VIEWS.items():
            look_at(browser, place)
            found = ask_axe(browser)
            assert found == [], (view, look, found)
    assert_clean(browser)


@case("what these tests look for would be found: violations of axe and of the policy, scripts and elements from texts")
def _():
    browser = visit(shared_server(), "admin", "#/team/app")

    def is_found(check):
        try:
            check(browser)
        except AssertionError:
            return True
        return False

    assert not is_found(assert_clean) and not is_found(assert_harmless)
    load_axe(browser)
    assert ask_axe(browser) == []
    browser.evaluate("document.querySelector('main').append(document.createElement('button')); 0")
    assert [one for one in ask_axe(browser) if one.startswith("button-name")], ask_axe(browser)
    browser.evaluate("document.querySelector('main').append(document.createElement('iframe')); 0")
    assert is_found(assert_harmless)
    browser.evaluate("window.hacked = 1")
    assert is_found(assert_clean)
    browser = visit(shared_server())
    # The policy forbids that texts become HTML, and styles and scripts in the document.
    refused = browser.evaluate("(() => { try { document.querySelector('main').innerHTML = '<b>x</b>'; } catch (error) "
                               "{ return error.name; } return ''; })()")
    assert refused == "TypeError" and is_found(assert_clean), refused
    browser = visit(shared_server())
    browser.evaluate("document.querySelector('main').append(document.createElement('style')); "
                     "document.querySelector('main style').textContent = 'body { display: none }'; 0")
    browser.wait_until("window.violations.length > 0")
    assert is_found(assert_clean) and browser.evaluate("getComputedStyle(document.body).display") != "none"


def too_wide(browser):
    """How many pixels the view is wider than the window."""
    return browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def take_pictures(browser, view, width):
    for name, is_dark in (("dark", True), ("light", False)):
        browser.look(is_dark)
        browser.screenshot(pathlib.Path(os.environ["SCREENSHOTS"]) / f"{view}-{width}-{name}.png")


def take_pictures_of(browser, views):
    for width in WIDTHS:
        browser.resize(width, 900)
        for view, place in views.items():
            browser.go(place)
            take_pictures(browser, view, width)


@case("no view is wider than a phone, a tablet or a screen, from left to right and from right to left")
def _():
    browser = visit(shared_server(), "admin", "#/")
    for view, place in VIEWS.items():
        look_at(browser, place)
        for width in WIDTHS:
            browser.resize(width, 900)
            if os.environ.get("SCREENSHOTS"):
                take_pictures(browser, view, width)
            for direction in ("rtl", "ltr"):
                browser.evaluate(f"document.documentElement.dir = '{direction}'")
                assert too_wide(browser) == 0, f"{view} at {width} pixels, {direction}: {too_wide(browser)} too wide"
    assert_clean(browser)


@case("everything can be reached with the keyboard, and the heading of a new view has the focus")
def _():
    browser = visit(shared_server(), "admin", "#/")
    browser.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(12):
        browser.key("Tab", 9)
        seen.append(browser.evaluate("(document.activeElement.innerText || document.activeElement.type || '').trim()"))
    for text in ("Skip to content", "Space", "Sign out", "search", "team/"):
        assert text in seen, (text, seen)
    browser.evaluate("[...document.querySelectorAll('a')].find((one) => one.innerText === 'team/').focus()")
    browser.key("Enter", 13)
    browser.wait_until("document.activeElement.tagName === 'H1' && document.activeElement.innerText === 'team/'")
    assert_clean(browser)


# --- cost -------------------------------------------------------------------------------------------------


def fetch(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    connection.request("GET", path, headers={"Accept": "text/html,*/*", "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200 and answer.headers["Content-Encoding"] == "gzip", (path, answer.status)
    return body


@case("the whole page has less than 100 KiB compressed, with every language")
def _():
    server = shared_server()
    page = fetch(server, "/")
    paths = set(re.findall(r'(?:href|src)="(_page/[^"]+)"', gzip.decompress(page).decode()))
    assert len(paths) > 20, paths
    size = len(page) + sum(len(fetch(server, f"/{path}")) for path in paths)
    print(f"# {size} bytes in {len(paths) + 1} files")
    assert size < PAGE_MAX, size


def push_many(server, count):
    """Makes repositories by hard links to the first one's files, which is much faster than pushes."""
    page_content.Content(server).image("first", "latest", [b"layer"])
    repositories = server.dir / "data/docker/registry/v2/repositories"
    links = [path for path in (repositories / "first").rglob("*") if path.is_file()]
    for number in range(count - 1):
        for path in links:
            copy = repositories / f"team{number % 40:02}/service{number:04}" / path.relative_to(repositories / "first")
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)


@case("5,000 repositories: how long the first list takes after the answer, and a search finds one (only with LOAD=full)")
def _():
    if not is_full():
        raise Skip("only with LOAD=full")
    server = start()
    push_many(server, 5000)
    browser = visit(server, "admin", "#health")
    browser.evaluate("""
        window.drawn = 0;
        new MutationObserver(() => {
          if (!window.drawn && document.querySelector('main .list tbody tr')) window.drawn = performance.now();
        }).observe(document.body, {childList: true, subtree: true}); performance.clearResourceTimings()""")
    browser.go("#/?search=service")
    took = browser.evaluate("window.drawn - performance.getEntriesByType('resource').filter((one) =>"
                            " one.name.includes('_page/repositories')).pop().responseEnd")
    print(f"# {took:.0f} ms from the answer to the list of {len(rows(browser))}")
    assert took > 0, took
    browser.fill("Search repositories", "service4321")
    browser.wait_until("document.querySelectorAll('main .list tbody tr').length === 1")
    if os.environ.get("SCREENSHOTS"):
        take_pictures_of(browser, {"many": "#/", "many-found": "#/?search=service", "many-space": "#space"})
    assert_clean(browser)


main()
