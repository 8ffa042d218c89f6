// The conversation: sends, follows what happens, and shows it.

import { startField, write } from "./field.js";
import { messageElement } from "./message.js";
import { answered, failed, noted } from "./presence.js";
import { element, fill, texts } from "./texts.js";

const STAGES = ["understanding", "looking_up", "answering"];
/** A turn that has said nothing for so long, in milliseconds, is not shown as running. */
const LONGEST_SILENCE = 60_000;
const TRIES = 3;
/** So long an assistant that sent a message waits for the shop's reply, in milliseconds. */
const PATIENCE = 45_000;

const log = document.getElementById("log");
const messages = document.getElementById("messages");
const progress = document.getElementById("progress");
const held = document.getElementById("held");
const form = document.getElementById("compose");
const input = document.getElementById("message");
const suggestions = document.getElementById("suggestions");

/** The ids of messages that are shown, and the last one. */
const shown = new Set();
let last = "";
/** Own messages on their way; the server's copies wait until it is known which is which. */
let onTheWay = 0;
let heldBack = [];
let queue = Promise.resolve();
let source = null;
let known = false;
let pause = 1000;
let person = false;
let silence = 0;
/** The message that was scrolled to last, and where that was. */
let latest = null;
let placed = 0;

/** The last reply of the shop, and those who wait for one: the id of their message and whom to tell. */
let reply = { id: "", text: "" };
let waiting = [];

/** Starts the chat; `show` brings it into view. */
export function startChat({ show }) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    const said = text === "" ? null : say({ text });
    write("");
    if (event.agentInvoked) event.respondWith(noted(texts.tools.send_message, () => replied(said)));
  });
  startField({ show });
  for (const chip of suggestions.children) {
    chip.addEventListener("click", () => say({ text: chip.textContent }));
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) follow();
  });
  // A keyboard that opens or a note above must not cover what was said last.
  new ResizeObserver(() => {
    if (latest && isFollowing()) scrollTo(latest);
  }).observe(log);
  follow();
  return { propose, follow };
}

function propose(words) {
  write(words);
  input.focus();
}

/** What the assistant that wrote a message is told: the shop's reply, if it comes soon. */
async function replied(said) {
  if (!said) return failed("The message was empty, so nothing was sent.");
  const { id, fault } = await said;
  if (fault) return failed(`The message was not sent: ${fault}`);
  if (person) return answered("The message was sent. A person from the shop will answer in the chat.");
  const text = await new Promise((resolve) => {
    if (reply.id > id) resolve(reply.text);
    waiting.push({ id, resolve });
    setTimeout(resolve, PATIENCE, "");
  });
  return answered(text ? `The message was sent. The shop replied:\n\n${text}` : "The message was sent. The reply will appear in the chat.");
}

/** Shows a message at once and sends it, in the order written; answers what came of it, as `deliver` does. */
function say({ text, choice = null }) {
  const item = messageElement({ speaker: "customer", text }, {});
  item.classList.add("sending");
  const state = element("p", { className: "state" }, texts.sending);
  item.append(state);
  begun();
  messages.append(item);
  scrollTo(item);
  const message = { id: newId(), text, choice, item, state };
  queue = queue.then(() => send(message));
  return queue;
}

async function send(message) {
  message.item.classList.add("sending");
  message.state.replaceChildren(texts.sending);
  onTheWay += 1;
  if (!person) stage(null);
  const { id, fault } = await deliver(message);
  onTheWay -= 1;
  if (fault) offerRetry(message, fault);
  else settle(message, id);
  if (onTheWay === 0) heldBack.splice(0).forEach(display);
  return { id, fault };
}

async function deliver({ id, text, choice }) {
  const body = JSON.stringify({ id, text, choice });
  for (let attempt = 1; ; attempt += 1) {
    try {
      const options = { method: "POST", headers: { "content-type": "application/json" }, body };
      const response = await fetch("/api/chat/messages", options);
      if (response.status === 202) return await response.json();
      if (response.status === 429) {
        return { fault: fill(texts.slow_down, { n: response.headers.get("retry-after") ?? 30 }) };
      }
      if (response.status < 500) return { fault: (await response.json()).error };
    } catch {
      // Away from the network, or the answer was lost: the same id makes a second try harmless.
    }
    if (attempt === TRIES) return { fault: texts.not_sent };
    await new Promise((resolve) => setTimeout(resolve, attempt * 1000));
  }
}

function settle(message, id) {
  known = true;
  follow();
  message.item.classList.remove("sending", "failed");
  message.state.remove();
  if (id === null || shown.has(id)) {
    // Stored by an earlier try: the server's own copy is shown instead.
    message.item.remove();
    return;
  }
  shown.add(id);
  const copy = heldBack.findIndex((other) => other.id === id);
  if (copy >= 0) adopt(message.item, heldBack.splice(copy, 1)[0]);
  else message.item.dataset.id = id;
}

/** The server's copy is the truth: a card number in it is masked. */
function adopt(item, message) {
  item.querySelector(".bubble").textContent = message.text;
  item.dataset.id = message.id;
  if (message.id > last) last = message.id;
}

function offerRetry(message, fault) {
  quiet();
  const again = element("button", { type: "button" }, texts.retry);
  again.addEventListener("click", () => {
    queue = queue.then(() => send(message));
  });
  message.item.classList.remove("sending");
  message.item.classList.add("failed");
  message.state.replaceChildren(`${fault} `, again);
}

/** Follows the conversation, once there is one. */
function follow() {
  if (source && source.readyState !== EventSource.CLOSED) return;
  source = new EventSource(`/api/chat/events?after=${encodeURIComponent(last)}`);
  source.addEventListener("open", () => {
    pause = 1000;
    known = true;
    if (progress.dataset.kind === "lost") quiet();
  });
  source.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  source.addEventListener("progress", (event) => stage(JSON.parse(event.data).stage));
  source.addEventListener("holder", (event) => hold(JSON.parse(event.data).holder === "human"));
  source.addEventListener("done", quiet);
  source.addEventListener("error", lost);
}

function lost() {
  if (!known) return;
  progress.dataset.kind = "lost";
  progress.replaceChildren(texts.reconnecting);
  if (source.readyState === EventSource.CLOSED) {
    setTimeout(follow, pause);
    pause = Math.min(pause * 2, 30_000);
  }
}

function receive(message) {
  if (message.speaker === "customer" && onTheWay > 0 && !shown.has(message.id)) {
    heldBack.push(message);
  } else {
    display(message);
  }
}

function display(message) {
  if (message.id > last) last = message.id;
  if (shown.has(message.id)) {
    const item = log.querySelector(`[data-id="${CSS.escape(message.id)}"]`);
    if (item && message.speaker === "customer") adopt(item, message);
    return;
  }
  shown.add(message.id);
  begun();
  const following = isFollowing();
  const item = messageElement(message, { propose, choose: (choice) => say({ text: choice.title, choice: choice.id }) });
  item.dataset.id = message.id;
  messages.append(item);
  if (message.speaker !== "customer") {
    quiet();
    reply = message;
    waiting = waiting.filter(({ id, resolve }) => id >= message.id || resolve(message.text));
  }
  if (following) scrollTo(item);
}

/** Whether the reader is at the end; one who has scrolled away is left alone. */
function isFollowing() {
  const below = log.scrollHeight - log.scrollTop - log.clientHeight;
  return below < 160 || Math.abs(log.scrollTop - placed) < 4;
}

/** Shows a message from its beginning. */
function scrollTo(item) {
  latest = item;
  log.scrollTop = item.offsetTop - 12;
  placed = log.scrollTop;
}

/** What was offered before is no longer the question. */
function begun() {
  suggestions.remove();
  for (const row of log.querySelectorAll(".choices")) row.remove();
}

function hold(byPerson) {
  person = byPerson;
  held.hidden = !person;
  if (person) quiet();
}

/** Shows how far the answer is; without a name only that it has begun. */
function stage(name) {
  const reached = Math.max(0, STAGES.indexOf(name));
  const dots = STAGES.map((_, place) => element("i", { className: place <= reached ? "reached" : "" }));
  progress.dataset.kind = "stage";
  progress.replaceChildren(element("span", { className: "dots", "aria-hidden": "true" }, ...dots), texts[STAGES[reached]]);
  clearTimeout(silence);
  silence = setTimeout(quiet, LONGEST_SILENCE);
}

function quiet() {
  clearTimeout(silence);
  delete progress.dataset.kind;
  progress.replaceChildren();
}

/** A random UUID; `crypto.randomUUID` is missing on plain HTTP. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
