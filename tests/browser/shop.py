"""A customer and a colleague in a real browser, one that offers pages nothing for assistants.

Usage: shop.py URL DESK_PASSWORD CHROMIUM [FOLDER for screenshots]. Exits with an assertion where a step fails.
"""

import re
import sys

from assistant import FLAGS
from playwright.sync_api import expect, sync_playwright

url, password, chromium = sys.argv[1:4]
folder = sys.argv[4] if len(sys.argv) > 4 else None


def say(page, text):
    before = page.locator("#log li.agent").count()
    page.fill("#message", text)
    page.press("#message", "Enter")
    expect(page.locator("#log li.agent").nth(before)).to_be_visible(timeout=20_000)
    return page.locator("#log li.agent").last


def shot(page, name):
    if folder:
        page.screenshot(path=f"{folder}/{name}.png")


with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
    phone = browser.new_context(locale="it-IT", viewport={"width": 390, "height": 844})
    page = phone.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url + "/")
    assert page.evaluate("document.modelContext") is None
    answer = say(page, "Ciao, cerco una macchina da caffè sotto i 300 euro disponibile")
    expect(answer).to_contain_text("€")
    assert answer.locator("img").count() >= 1, "products are shown as cards"
    prices = [int(p.replace(".", "")) for p in re.findall(r"(\d[\d.]*),\d\d", answer.inner_text())]
    assert prices and max(prices) <= 300, prices
    answer = say(page, "prendo la prima, mi mandi il link di pagamento?")
    link = answer.locator("a[href*='/pay/']").first
    expect(link).to_be_visible()
    shot(page, "chat")
    pay = phone.new_page()
    pay.goto(link.get_attribute("href"))
    pay.click("#pay")
    order = pay.locator("#order").inner_text()
    assert order.isdigit(), order
    expect(page.locator("#log")).to_contain_text(order, timeout=10_000)
    answer = say(page, f"dov'è il mio ordine {order}?")
    expect(answer).to_contain_text(order)
    say(page, "È la TERZA volta che scrivo!!! vergogna, voglio parlare con una persona")

    page.click("[data-show=shelf]")
    page.fill("#query", "moka")
    page.press("#query", "Enter")
    expect(page.locator("#products h3").first).to_contain_text("Moka")
    expect(page.locator("#agent-note")).to_be_empty()
    page.click("[data-show=chat]")
    assert faults == [], faults

    office = browser.new_context(viewport={"width": 1280, "height": 800})
    desk = office.new_page()
    desk.goto(url + "/desk")
    desk.fill("#password", password)
    desk.click("button[type=submit]")
    first = desk.locator("#waiting li").first
    expect(first).to_be_visible(timeout=10_000)
    first.locator("button, a").first.click()
    expect(desk.locator("#detail")).to_contain_text("vergogna")
    shot(desk, "desk")
    desk.locator("#detail textarea").fill("Buongiorno, sono Marta. Ci penso io.")
    desk.locator("#detail form button[type=submit]").first.click()
    expect(page.locator("#log")).to_contain_text("sono Marta", timeout=10_000)
    browser.close()
print("ok")
