"""Every tool of the shop's page, used by an assistant in a real browser.

Usage: webmcp.py URL CHROMIUM [FOLDER for screenshots]. Exits with an assertion where a step fails. Leaves two tickets
and two payment links, one of each for either way of calling.
"""

import json
import re
import sys
import urllib.request

from assistant import FLAGS, Inside, Outside, until, words
from playwright.sync_api import expect, sync_playwright

url, chromium = sys.argv[1:3]
folder = sys.argv[3] if len(sys.argv) > 3 else None
FORMS = {"show_products", "send_message"}
READING = {
    "search_catalog": {"query": "moka", "limit": 3},
    "get_product": {"id": "moka-torretta-3"},
    "search_policies": {"query": "How do returns work?"},
}
TICKET = {"subject": "Broken handle", "summary": "The handle of my moka broke.\nI would like a new one."}
BASKET = {"items": [{"product_id": "moka-torretta-3", "quantity": 2}]}
CHANGING = {"open_ticket": TICKET, "payment_link": BASKET}
FAULTS = {
    "search_catalog": ({"query": "moka", "limit": 99}, "limit"),
    "get_product": ({}, "id"),
    "search_policies": ({"query": 7}, "query"),
    "open_ticket": ({"subject": "no"}, "summary"),
    "payment_link": ({"items": [{"product_id": "moka-torretta-3", "quantity": 0}]}, "quantity"),
}


def manifest():
    with urllib.request.urlopen(f"{url}/.well-known/webmcp.json") as answer:
        return {tool["name"]: tool for tool in json.load(answer)["tools"]}


def shot(page, name):
    if folder:
        page.screenshot(path=f"{folder}/{name}.png")


def opened(browser, language="en", **options):
    context = browser.new_context(locale=language, **{"viewport": {"width": 1280, "height": 860}, **options})
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: said.type in ("error", "warning") and page.faults.append(said.text))
    page.goto(f"{url}/?language={language}")
    return context, page


def ways(context, page, version):
    found = [Inside(page, version), Outside(context, page)]
    names = set(manifest()) | FORMS
    for way in found:
        until(page, f"{names} by {way}", lambda way=way: set(way.tools()) == names)
    return found


def dialog(page):
    return page.get_by_role("dialog")


def listed(inside, outside):
    """What is registered is what the manifest says, and what the forms say."""
    expected = manifest()
    assert set(expected) == set(READING) | set(CHANGING), set(expected)
    for name, tool in expected.items():
        for seen in (inside.tools()[name], outside.tools()[name]):
            assert seen["description"] == tool["description"], seen
            assert seen["inputSchema"] == tool["inputSchema"], seen
        reads = tool["annotations"]["readOnlyHint"]
        assert inside.tools()[name]["title"] == tool["title"]
        told = inside.tools()[name]["annotations"]
        assert (told["readOnlyHint"], told["consequentialHint"]) == (reads, not reads), told
        told = outside.tools()[name]["annotations"]
        assert (told["readOnly"], told["consequential"]) == (reads, not reads), told
    search, message = outside.tools()["show_products"], outside.tools()["send_message"]
    assert search["annotations"]["autosubmit"] and not message.get("annotations", {}).get("autosubmit")
    assert list(search["inputSchema"]["properties"]) == ["query"], search
    assert message["inputSchema"]["required"] == ["text"], message
    for tool in (search, message):
        assert tool["description"].startswith("Use this")
        assert all(field["description"] for field in tool["inputSchema"]["properties"].values())


def reads(page, way):
    note = page.locator("#agent-note")
    for name, arguments in READING.items():
        result = way.call(name, arguments)
        assert not result["isError"] and json.loads(words(result)), result
        expect(note).to_be_visible()
        expect(note).to_have_attribute("role", "status")
    expect(note).to_have_text("Your browser’s AI assistant used this page: Look up the shop’s rules")
    expect(dialog(page)).to_have_count(0)


def refuses_wrong_arguments(page, way):
    for name, (arguments, field) in FAULTS.items():
        result = way.call(name, arguments)
        assert result["isError"] and field in words(result), (name, result)
    expect(dialog(page)).to_have_count(0)


def asks_the_person(page, way):
    way.begin("open_ticket", TICKET)
    expect(dialog(page)).to_be_visible()
    expect(dialog(page)).to_have_accessible_name(re.compile("assistant asks you.*Send a request to the shop’s team"))
    expect(dialog(page)).to_have_accessible_description(re.compile("^Nothing happens unless you allow it"))
    expect(dialog(page).get_by_role("heading")).to_be_focused()
    expect(dialog(page)).to_contain_text("Broken handle")
    expect(dialog(page)).to_contain_text("I would like a new one.")
    # A question that was not seen coming is not answered by a key that was meant for the page, nor by a script.
    page.keyboard.press("Enter")
    page.evaluate("document.querySelectorAll('.consent button').forEach((button) => button.disabled = false)")
    page.evaluate("document.querySelectorAll('.consent button')[1].click()")
    expect(dialog(page)).to_be_visible()
    shot(page, "ticket")
    dialog(page).get_by_role("button", name="Decline").click()
    declined(way)
    way.begin("open_ticket", TICKET)
    expect(dialog(page)).to_be_visible()
    page.keyboard.press("Escape")
    declined(way)
    way.begin("open_ticket", TICKET)
    expect(dialog(page)).to_be_visible()
    way.give_up()
    expect(dialog(page)).to_have_count(0)
    assert way.end() is None

    way.begin("open_ticket", TICKET)
    # There is a conversation now, in which a colleague may answer.
    with page.expect_response(lambda answer: "/api/chat/events" in answer.url and answer.status == 200):
        dialog(page).get_by_role("button", name="Allow").click()
        result = way.end()
    assert not result["isError"] and json.loads(words(result))["ticket"], result
    expect(dialog(page)).to_have_count(0)

    way.begin("payment_link", BASKET)
    for part in ("Make a payment link", "2 × Torretta", "€24.90", "€49.80"):
        expect(dialog(page)).to_contain_text(part)
    shot(page, "payment")
    dialog(page).get_by_role("button", name="Allow").click()
    link = json.loads(words(way.end()))
    assert link["url"].startswith(f"{url}/pay/") and link["total"]["minor"] == 4980, link


def declined(way):
    result = way.end()
    assert result["isError"] and "declined" in words(result), result


def asks_one_thing_at_a_time(page, inside, outside):
    inside.begin("open_ticket", TICKET)
    expect(dialog(page)).to_be_visible()
    result = outside.call("payment_link", BASKET)
    assert result["isError"] and "another call" in words(result), result
    page.keyboard.press("Escape")
    declined(inside)


def searches_on_the_shelf(page, way):
    result = way.call("show_products", {"query": "moka for induction"})
    found = json.loads(words(result))
    assert not result["isError"] and found["products"][0]["price"].startswith("€"), result
    expect(page.locator("#query")).to_have_value("moka for induction")
    expect(page.locator("#products h3")).to_have_text([product["title"] for product in found["products"]])
    expect(page.locator("#agent-note")).to_contain_text("Search on the shelf")


def writes_what_the_person_sends(page, way):
    field, note = page.locator("#message"), page.locator("#draft")
    sent = page.locator("#log li.customer").count()
    field.fill("my own words")
    way.begin("send_message", {"text": "Do you sell a moka for three cups?"})
    expect(note).to_contain_text("wrote this message")
    expect(field).to_have_value("Do you sell a moka for three cups?")
    shot(page, "draft")
    note.get_by_role("button").click()
    assert way.end() is None, "a message that is discarded is refused"
    expect(field).to_have_value("my own words")
    expect(note).to_be_empty()

    way.begin("send_message", {"text": "Never mind"})
    expect(note).to_contain_text("wrote this message")
    way.give_up()
    expect(field).to_have_value("my own words")
    expect(note).to_be_empty()
    assert way.end() is None
    assert page.locator("#log li.customer").count() == sent, "nothing was sent so far"

    way.begin("send_message", {"text": "Do you sell a moka for three cups?"})
    expect(note).to_contain_text("wrote this message")
    page.click("#compose button[type=submit]")
    result = way.end()
    assert not result["isError"] and "The shop replied" in words(result) and "€" in words(result), result
    assert page.locator("#log li.customer").count() == sent + 1
    expect(field).to_have_value("")


def leaves_and_returns(page, outside):
    """A page that the browser keeps in memory offers nothing until it is shown again."""
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    until(page, "the tools to go", lambda: set(outside.tools()) == FORMS)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    until(page, "the tools to return", lambda: set(outside.tools()) == set(manifest()) | FORMS)


def everything(browser, version):
    for which in range(2):
        context, page = opened(browser)
        inside, outside = ways(context, page, version)
        way = (inside, outside)[which]
        listed(inside, outside)
        reads(page, way)
        refuses_wrong_arguments(page, way)
        asks_the_person(page, way)
        searches_on_the_shelf(page, way)
        writes_what_the_person_sends(page, way)
        assert page.faults == [], page.faults
        context.close()


def together(browser, version):
    """What is the same whichever way a call comes, and what both ways do to one another."""
    context, page = opened(browser)
    inside, outside = ways(context, page, version)
    asks_one_thing_at_a_time(page, inside, outside)
    outside.begin("show_products", {"colour": "red"})
    assert outside.response()["status"] == "Error", "the browser knows the form's fields"
    leaves_and_returns(page, outside)
    assert page.faults == [], page.faults
    context.close()


def trouble(browser, version):
    """A call that is given up ends its request; a server that is away is told of, and nothing is thrown."""
    context, page = opened(browser)
    inside, outside = ways(context, page, version)
    ended, held = [], []
    page.on("requestfailed", lambda request: ended.append(request.url))
    page.route("**/api/tools/get_product", lambda route: held.append(route))
    for way in (inside, outside):
        held.clear(), ended.clear()
        way.begin("get_product", READING["get_product"])
        until(page, "the request", lambda: held)
        way.give_up()
        until(page, "the request's end", lambda: ended)
        assert way.end() is None
    page.unroute("**/api/tools/get_product")
    context.set_offline(True)
    for way in (inside, outside):
        for name, arguments in {**READING, **CHANGING}.items():
            result = way.call(name, arguments)
            assert result["isError"] and "cannot be reached" in words(result), result
        assert not way.call("show_products", {"query": "moka"})["isError"], "the shelf is in the page"
    context.close()


def patience(browser, version):
    """A question that nobody answers declines itself, and the note goes when the assistant is done."""
    context, page = opened(browser)
    page.clock.install()
    inside, _ = ways(context, page, version)
    inside.begin("open_ticket", TICKET)
    expect(dialog(page)).to_be_visible()
    expect(dialog(page)).to_contain_text("after 2 minutes")
    page.clock.run_for(119_000)
    expect(dialog(page)).to_be_visible()
    page.clock.run_for(2_000)
    expect(dialog(page)).to_have_count(0)
    result = inside.end()
    assert result["isError"] and "did not answer within 2 minutes" in words(result), result
    expect(page.locator("#agent-note")).to_be_empty()
    inside.call("search_catalog", {"query": "moka"})
    expect(page.locator("#agent-note")).to_contain_text("used this page")
    page.clock.run_for(9_000)
    expect(page.locator("#agent-note")).to_be_empty()
    context.close()


def languages(browser, version):
    """Note, question and draft in the page's language, on a phone."""
    said = {
        "en": ("used this page", "asks you", "wrote this message"),
        "it": ("ha usato questa pagina", "ti chiede", "Questo messaggio l’ha scritto"),
        "es": ("ha usado esta página", "te pregunta", "Este mensaje lo ha escrito"),
        "pt": ("usou esta página", "pergunta", "Esta mensagem foi escrita"),
        "de": ("hat diese Seite benutzt", "fragt", "Diese Nachricht hat"),
    }
    for language, (note, question, draft) in said.items():
        context, page = opened(browser, language, viewport={"width": 390, "height": 844})
        inside, _ = ways(context, page, version)
        inside.call("search_catalog", {"query": "moka"})
        expect(page.locator("#agent-note")).to_contain_text(note)
        inside.begin("payment_link", BASKET)
        expect(dialog(page)).to_contain_text(question)
        box = dialog(page).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844, box
        shot(page, f"phone-{language}")
        page.keyboard.press("Escape")
        inside.end()
        # The shelf hides the chat on a phone, and what an assistant does is brought into view.
        inside.call("show_products", {"query": "moka"})
        expect(page.locator("#shelf-view")).to_be_visible()
        inside.begin("send_message", {"text": "moka?"})
        expect(page.locator("#draft")).to_contain_text(draft)
        expect(page.locator("#message")).to_be_visible()
        page.locator("#draft button").click()
        assert page.faults == [], page.faults
        context.close()


with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=chromium, args=[*FLAGS, "--enable-features=WebMCP"])
    version = int(re.match(r"\d+", browser.version)[0])
    for part in (everything, together, trouble, patience, languages):
        part(browser, version)
    browser.close()
print("ok")
