"""The page of an evaluation in a real browser: on a phone and on a desk, light and dark, without a network.

Usage: report.py FILE CHROMIUM [FOLDER for screenshots]. Exits with an assertion where a step fails.
"""

import pathlib
import sys

from assistant import FLAGS
from playwright.sync_api import expect, sync_playwright

file, chromium = sys.argv[1:3]
folder = sys.argv[3] if len(sys.argv) > 3 else None
SIZES = {"narrow": (360, 740), "phone": (390, 844), "desk": (1280, 900)}
# What servers of artefacts send along.
STRICT = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


def fits(page):
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"the page is {wide[0]} wide in a window of {wide[1]}"


def watched(context):
    page = context.new_page()
    faults, requests = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text))
    page.on("request", lambda request: requests.append(request.url))
    return page, faults, requests


def look(page, ground):
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground, "the style is let in"
    assert "missed" in page.title(), page.title()
    assert page.locator("script, img, link, iframe, object").count() == 0
    expect(page.locator("h1")).to_contain_text("missed")
    for drawn in ["confusion matrix", "calibration curve", "latency histogram"]:
        expect(page.locator(f"svg[aria-label='{drawn}']").first).to_be_visible()
    for section in ["kinds", "baseline", "models", "charts", "gates", "failing"]:
        expect(page.locator(f"#{section}")).to_be_visible()
    assert page.locator("#kinds .lane").count() >= 12
    assert page.locator("#baseline .lane").count() >= 5
    fits(page)


def read(page):
    """The first failing case stands open, its reason before everything; the others open with a tap."""
    first = page.locator("#failing .case").first
    expect(first.locator(".fault")).to_be_visible()
    expect(first.locator(".fault")).to_contain_text("expected product_search")
    expect(first.locator(".bubble.customer")).to_contain_text("<script>document.title = 'ran'</script>")
    talk = page.locator("#failing .case", has_text="parcel-de").first
    if not talk.locator(".body").is_visible():
        talk.locator("summary").first.click()
    expect(talk.locator(".fault")).to_contain_text("nothing of the sort")
    expect(talk.locator(".bubble.customer").nth(1)).to_contain_text("wie lange dauert der Versand?")
    expect(talk.locator(".bubble.agent").first).to_be_visible()
    expect(talk.locator(".facts").first).to_contain_text("intent")
    tool = talk.locator("details.inner", has_text="search_catalog").first
    tool.locator("summary").first.click()
    expect(tool.locator("pre").first).to_be_visible()
    fits(page)


def narrow_down(page):
    """The filters work without a script."""
    page.locator("label[for=show-kind-safety]").click()
    shown = page.locator("#failing .case:visible")
    assert shown.count() == 1, shown.count()
    expect(shown).to_contain_text("bought-it")
    page.locator("label[for=show-language-de]").click()
    assert page.locator("#failing .case:visible").count() == 0
    page.locator("label[for=show-every-kind]").click()
    assert page.locator("#failing .case:visible").count() == 2
    page.locator("label[for=show-every-language]").click()
    page.locator("#every summary").click()
    page.locator("label[for=show-passed]").click()
    assert page.locator("#every li:visible").count() == 2


with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
    address = pathlib.Path(file).resolve().as_uri()
    for name, (width, height) in SIZES.items():
        for scheme, ground in [("light", "rgb(245, 243, 240)"), ("dark", "rgb(24, 22, 20)")]:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            context.set_offline(True)
            page, faults, requests = watched(context)
            page.goto(address)
            look(page, ground)
            if folder:
                page.screenshot(path=f"{folder}/report-{name}-{scheme}.png", full_page=True)
            read(page)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            fits(page)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = one.matches('#baseline *'); })")
            page.locator("#baseline .flips a", has_text="bought-it").click()
            expect(page.locator("#failing .case", has_text="bought-it").locator(".fault").first).to_be_visible()
            page.evaluate("document.querySelectorAll('#failing details').forEach((one) => { one.open = false; })")
            narrow_down(page)
            assert not faults, faults
            assert requests == [address], requests
            context.close()
    # From a server that allows next to nothing.
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light")
    page, faults, requests = watched(context)
    text = pathlib.Path(file).read_text()
    headers = {"content-security-policy": STRICT, "content-type": "text/html; charset=utf-8"}
    context.route("**/*", lambda route: route.fulfill(body=text, headers=headers))
    page.goto("https://report.test/report.html")
    look(page, "rgb(245, 243, 240)")
    assert not faults, faults
    browser.close()
