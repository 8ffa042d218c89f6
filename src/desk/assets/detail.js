// One conversation: summary first, then how it stands, the transcript and the reply.

import { REASONS, call, channel, clock, element, language, money, who } from "./elements.js";

const detail = document.getElementById("detail");
const SPEAKERS = { customer: "Customer", agent: "Assistant", human: "Desk" };
let opened = null;

export function current() {
  return opened?.id ?? null;
}

/** Opens a conversation; `changed` is called after an act, `back` to return to the list. */
export async function open(id, { changed, back }) {
  opened = { id, changed, back, ...frame() };
  await refresh();
  if (current() === id) detail.focus({ preventScroll: true });
}

export function close() {
  opened = null;
  detail.replaceChildren(element("p", { className: "empty" }, "Choose a conversation to read it."));
}

/** Reads the conversation again; what is being written stays. */
export async function refresh() {
  const view = opened;
  if (!view) return;
  let conversation;
  try {
    conversation = await call(`conversations/${encodeURIComponent(view.id)}`);
  } catch (error) {
    if (view === opened) view.fault.textContent = error.message;
    return;
  }
  if (view !== opened) return;
  view.head.replaceChildren(...headParts(conversation.overview));
  const near = view.body.scrollHeight - view.body.scrollTop - view.body.clientHeight < 200;
  const first = view.messages.childElementCount === 0;
  view.facts.replaceChildren(...factParts(conversation));
  view.messages.replaceChildren(...conversation.messages.map(message));
  if (near && !first) view.body.scrollTop = view.body.scrollHeight;
}

function frame() {
  const head = element("div", { className: "detail-head" });
  const facts = element("div", { className: "facts" });
  const messages = element("ol", { className: "messages", "aria-label": "Transcript" });
  const body = element("div", { className: "detail-body", tabIndex: 0 }, facts, messages);
  const text = element("textarea", { id: "reply", rows: 2, maxLength: 4000, required: true, placeholder: "Write to the customer" });
  const button = element("button", { type: "submit", className: "primary" }, "Send");
  const fault = element("p", { className: "error", role: "alert" });
  const form = element("form", { className: "reply" }, element("label", { className: "hidden", htmlFor: "reply" }, "Reply"), text, button, fault);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(text, button);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  detail.replaceChildren(head, body, form);
  return { head, facts, messages, body, fault };
}

async function send(text, button) {
  const written = text.value.trim();
  if (written === "") return;
  button.disabled = true;
  if (await act("reply", { text: written })) text.value = "";
  button.disabled = false;
  text.focus();
}

async function act(verb, body = {}) {
  const view = opened;
  view.fault.textContent = "";
  try {
    await call(`conversations/${encodeURIComponent(view.id)}/${verb}`, body);
  } catch (error) {
    view.fault.textContent = error.message;
    return false;
  }
  await refresh();
  view.body.scrollTop = view.body.scrollHeight;
  view.changed();
  return true;
}

function headParts(overview) {
  const byPerson = overview.holder === "human";
  const back = element("button", { type: "button", className: "back", "aria-label": "Back to the list" }, "←");
  back.addEventListener("click", () => opened?.back());
  const verb = byPerson ? "hand-back" : "take";
  const button = element("button", { type: "button", id: verb }, byPerson ? "Hand back" : "Take over");
  button.addEventListener("click", () => act(verb));
  const about = [channel(overview.channel), language(overview.language), byPerson ? "held by the desk" : "with the assistant"];
  return [
    back,
    element("div", { className: "title" }, element("h2", {}, who(overview)), element("p", {}, about.filter(Boolean).join(" · "))),
    button,
  ];
}

function factParts({ overview, summary, referral, triage, tickets, perhaps }) {
  const parts = [];
  if (summary || overview.reason) {
    const reason = REASONS[overview.reason] ?? overview.reason;
    parts.push(
      element(
        "section",
        { className: "summary", "aria-label": "Summary" },
        reason ? element("h3", {}, reason) : null,
        element("p", {}, summary ?? ""),
      ),
    );
  }
  if (referral) parts.push(referralPart(referral));
  if (triage) parts.push(triagePart(triage));
  for (const ticket of tickets) parts.push(ticketPart(ticket));
  for (const contact of perhaps) parts.push(perhapsPart(contact));
  return parts;
}

/** Another contact that a message has shown as perhaps the same person: joined by who knows. */
function perhapsPart(contact) {
  const known = [contact.name, contact.phone ?? contact.user_id].filter(Boolean).join(", ");
  const button = element("button", { type: "button", className: "join" }, "Join them");
  button.addEventListener("click", () => {
    if (confirm(`Make ${known} part of this contact? This cannot be undone.`)) act("merge", { contact: contact.id });
  });
  return element("section", { className: "ticket", "aria-label": "Perhaps the same person" }, element("h3", {}, "Perhaps the same person"), element("p", {}, known), button);
}

/** The advertisement that led here: its words only, nothing is loaded from elsewhere. */
function referralPart({ source_type: kind, headline, body }) {
  const words = [headline, body].filter(Boolean).join(" · ");
  return element("p", { className: "offered" }, `Came from ${kind === "post" ? "a post" : "an advertisement"}: ${words || "without words"}`);
}

function triagePart({ language: guess, intent, sentiment }) {
  const mood = `${sentiment.label}, ${sentiment.polarity.toFixed(2)}`;
  return element(
    "dl",
    { className: "triage" },
    measure("Language", language(guess.language) + (guess.kept ? ", kept" : ""), guess.confidence, "plain"),
    measure("Intent", (intent.in_scope ? "" : "out of scope, ") + intent.name.replaceAll("_", " "), intent.score, "plain"),
    measure("Sentiment", mood, Math.abs(sentiment.polarity), sentiment.label),
  );
}

function measure(name, words, value, kind) {
  const meter = element("meter", { min: 0, max: 1, value, className: kind });
  meter.setAttribute("aria-label", name);
  return element("div", {}, element("dt", {}, name), element("dd", {}, words, meter));
}

function ticketPart(ticket) {
  return element(
    "section",
    { className: `ticket ${ticket.priority}`, "aria-label": "Ticket" },
    element("h3", {}, ticket.subject, element("span", { className: "tag" }, `${ticket.priority} · ${ticket.state}`)),
    element("p", {}, ticket.summary),
  );
}

function message({ id, speaker, text, kind, answer, media, quoted, product, reaction, edited_at: edited, delivery, at }) {
  const said = element("p", { className: "said" }, text || (kind ? `[${kind}]` : ""));
  return element(
    "li",
    { className: `message ${speaker}` },
    element("p", { className: "by" }, SPEAKERS[speaker], " ", element("time", { dateTime: new Date(at).toISOString() }, clock(at))),
    quoted ? element("p", { className: "quoted" }, `${SPEAKERS[quoted.speaker]}: ${quoted.text || "[taken back, or without words]"}`) : null,
    product ? element("p", { className: "quoted" }, `About the product ${product}`) : null,
    said,
    reaction ? element("p", { className: "offered" }, `The customer reacted: ${reaction}`) : null,
    media ? element("p", { className: "file" }, file(id, kind, media)) : null,
    edited ? element("p", { className: "offered" }, `Edited by the sender at ${clock(edited)}`) : null,
    answer?.products?.length ? element("ul", { className: "cards" }, ...answer.products.map(card)) : null,
    answer?.payment ? element("p", { className: "pay" }, `Payment link: ${money(answer.payment.total)}`) : null,
    answer?.choices?.length ? element("p", { className: "offered" }, `Offered: ${answer.choices.map((choice) => choice.title).join(", ")}`) : null,
    answer?.sources?.length ? element("p", { className: "offered" }, `From: ${answer.sources.map((source) => source.title).join(", ")}`) : null,
    delivery ? element("p", { className: "offered" }, arrival(delivery)) : null,
  );
}

/** A file of the customer, under its message. */
function file(id, kind, { state, mime_type: type, filename, fault }) {
  if (state !== "stored") return [state === "waiting" ? "File on its way" : `File: ${state}`, fault].filter(Boolean).join(" · ");
  const address = `/desk/media/${encodeURIComponent(id)}`;
  if (["image/jpeg", "image/png", "image/webp", "image/gif"].includes(type)) {
    const picture = element("img", { src: address, alt: `Sent by the customer: ${kind ?? "picture"}`, loading: "lazy", className: "sent" });
    return element("a", { href: address, target: "_blank", rel: "noopener" }, picture);
  }
  if (type.startsWith("audio/")) return element("audio", { src: address, controls: true, preload: "none" });
  if (type.startsWith("video/")) return element("video", { src: address, controls: true, preload: "none", className: "sent" });
  return element("a", { href: address, download: filename ?? "" }, filename ?? type);
}

function arrival({ state, status, repeated, fault }) {
  const twice = repeated ? "sent again after a stop, perhaps twice" : null;
  return [`Delivery: ${status ?? state}`, twice, fault].filter(Boolean).join(" · ");
}

function card({ title, price, stock, image_url: address }) {
  const url = new URL(address, location.href);
  const picture = url.pathname.startsWith("/images/") ? url.pathname : url.href;
  return element(
    "li",
    {},
    element("img", { src: picture, alt: "", width: 44, height: 44, loading: "lazy" }),
    element("span", {}, title),
    element("span", { className: "price" }, `${money(price)} · ${stock} in stock`),
  );
}
