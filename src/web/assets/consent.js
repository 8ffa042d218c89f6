// Asks the person on the page before an assistant may do something that counts.

import { element, fill, money, texts } from "./texts.js";
import { catalog } from "./shelf.js";

const MINUTES = 2;
/** A click in the first moment was meant for what lay below, in milliseconds. */
const MOMENT = 600;

const DECLINED = "The visitor declined. Do not ask again unless they tell you to.";
const UNANSWERED = `The visitor did not answer within ${MINUTES} minutes, so nothing was done.`;
const BUSY = "The visitor is being asked about another call. Wait for its answer.";
const CANCELLED = "The call was cancelled.";

let open = false;

/** Nothing when the person allows it, else why not, for the assistant. */
export async function asked({ title, input, signal }) {
  if (open) return BUSY;
  if (signal?.aborted) return CANCELLED;
  open = true;
  try {
    const dialog = question(title, facts(input, await catalog()));
    return await answer(dialog, signal);
  } finally {
    open = false;
  }
}

function question(title, lines) {
  const rows = lines.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  // Enter or a space that was meant for the page must not answer, so the heading has the focus.
  const heading = element("h2", { id: "consent-title", tabIndex: -1, autofocus: true });
  heading.append(element("small", {}, texts.consent_title), title);
  const note = element("p", { id: "consent-note" }, fill(texts.consent_note, { n: MINUTES }));
  const decline = element("button", { type: "button", value: "declined" }, texts.decline);
  const allow = element("button", { type: "button", value: "allowed", disabled: true }, texts.allow);
  return element(
    "dialog",
    { className: "consent", "aria-labelledby": "consent-title", "aria-describedby": "consent-note" },
    heading,
    element("dl", {}, ...rows),
    note,
    element("div", { className: "answers" }, decline, allow),
  );
}

function answer(dialog, signal) {
  const [decline, allow] = dialog.querySelectorAll(".answers button");
  return new Promise((resolve) => {
    const settle = (reason) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      dialog.close();
      dialog.remove();
      resolve(reason);
    };
    const abort = () => settle(CANCELLED);
    const timer = setTimeout(() => settle(UNANSWERED), MINUTES * 60_000);
    signal?.addEventListener("abort", abort);
    // Also closed by Escape or by the browser.
    dialog.addEventListener("close", () => settle(DECLINED));
    decline.addEventListener("click", () => settle(DECLINED));
    // A script that clicks is not the person.
    allow.addEventListener("click", (event) => event.isTrusted && settle(null));
    document.body.append(dialog);
    dialog.showModal();
    setTimeout(() => (allow.disabled = false), MOMENT);
  });
}

/** The values as a person reads them: names in their language, products by their titles. */
function facts(input, products) {
  const lines = Object.entries(input).map(([name, value]) => [label(name), shown(value, products)]);
  const total = sum(input.items, products);
  if (total) lines.push([texts.fields.total, money(total)]);
  return lines.filter(([, value]) => value !== "");
}

function shown(value, products) {
  if (Array.isArray(value)) return value.map((one) => shown(one, products)).join("\n");
  if (value === null || typeof value !== "object") return String(value ?? "");
  if (!("product_id" in value)) {
    return Object.entries(value).map(([name, one]) => `${label(name)}: ${shown(one, products)}`).join(", ");
  }
  const product = products.find(({ id }) => id === value.product_id);
  const words = `${value.quantity} × ${product?.title ?? value.product_id}`;
  return product ? `${words} (${money(product.price)})` : words;
}

function sum(items, products) {
  if (!Array.isArray(items) || items.length === 0) return null;
  let total = null;
  for (const { product_id, quantity } of items) {
    const price = products.find(({ id }) => id === product_id)?.price;
    if (!price) return null;
    total = { minor: (total?.minor ?? 0) + price.minor * quantity, currency: price.currency };
  }
  return total;
}

function label(name) {
  return texts.fields[name] ?? name.replaceAll("_", " ");
}
