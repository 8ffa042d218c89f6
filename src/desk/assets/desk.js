// The desk: who waits, live.

import { close, current, open, refresh } from "./detail.js";
import { REASONS, call, channel, element, language, since, who } from "./elements.js";

const title = document.title;
const live = document.getElementById("live");
let due = 0;
let offset = 0;

async function list() {
  const { conversations, waiting, alerts, spent, now } = await call("conversations");
  offset = now - Date.now();
  const held = conversations.filter((conversation) => conversation.holder === "human");
  const others = conversations.filter((conversation) => conversation.holder !== "human");
  document.getElementById("waiting").replaceChildren(...held.map(entry));
  document.getElementById("others").replaceChildren(...others.map(entry));
  document.getElementById("alerts").replaceChildren(...alerts.map(alarm));
  document.getElementById("spent").textContent = spent.map(cost).join(" · ");
  document.getElementById("nobody").hidden = held.length > 0;
  document.getElementById("count").textContent = String(waiting);
  document.title = waiting > 0 ? `(${waiting}) ${title}` : title;
}

/** What WhatsApp says of our numbers, and of templates that cannot be used. */
async function account() {
  const { numbers, templates } = await call("channel");
  const about = ({ display, number, quality, tier, stopped_reason: stopped }) =>
    [display ?? number, quality && `quality ${quality}`, tier, stopped && `does not send: ${stopped}`].filter(Boolean).join(" · ");
  const unusable = templates.filter(({ status }) => status && status !== "APPROVED");
  const lines = [...numbers.map(about), ...unusable.map(({ name, language, status }) => `${name} (${language}): ${status}`)];
  document.getElementById("account").replaceChildren(...lines.map((line) => element("li", {}, line)));
}

const ALERTS = {
  number: "Nothing is sent from a number",
  bulk: "Notifications pause",
  template: "A template is stopped",
  payload: "A message was wrong",
  media: "A message went without its file",
  marketing_api: "Marketing was refused",
};

function alarm({ kind, subject, detail, times }) {
  const button = element("button", { type: "button" }, "Done");
  button.addEventListener("click", () => call("alerts/clear", { kind, subject }).then(soon, soon));
  const often = times > 1 ? ` (${times} times)` : "";
  return element("li", {}, element("strong", {}, `${ALERTS[kind] ?? kind}: ${subject}`), element("span", {}, detail + often), button);
}

function cost({ currency, messages, micros }) {
  return `Messages today: ${messages}, ${(micros / 1_000_000).toFixed(2)} ${currency}`;
}

function entry(conversation) {
  const { id, waiting_since: waiting, updated_at: updated, reason, last } = conversation;
  const now = Date.now() + offset;
  const button = element(
    "button",
    { type: "button", className: "entry", "aria-current": String(id === current()) },
    element("span", { className: "name" }, who(conversation)),
    element("time", { className: waiting ? "wait" : "" }, since(waiting ?? updated, now)),
    element("span", { className: "meta" }, [channel(conversation.channel), language(conversation.language)].filter(Boolean).join(" · ")),
    reason ? element("span", { className: `reason ${reason}` }, REASONS[reason] ?? reason) : null,
    element("span", { className: "last" }, last ?? ""),
  );
  button.addEventListener("click", () => choose(id));
  return element("li", {}, button);
}

async function choose(id) {
  history.replaceState(null, "", `#${id}`);
  document.body.dataset.view = "detail";
  await open(id, { changed: soon, back });
  soon();
}

function back() {
  history.replaceState(null, "", location.pathname);
  document.body.dataset.view = "list";
  close();
  soon();
}

/** Reads the list again, once for many changes. */
function soon() {
  clearTimeout(due);
  due = setTimeout(() => list().catch(() => {}), 120);
}

function follow() {
  const source = new EventSource("/desk/api/events");
  const connected = (yes) => {
    live.textContent = yes ? "Live" : "Reconnecting";
    live.dataset.connected = String(yes);
  };
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) {
      // Refused: when the session is over, this leads to the login form.
      setTimeout(() => {
        follow();
        soon();
      }, 3000);
    }
  });
  source.addEventListener("everything", () => {
    soon();
    refresh();
  });
  source.addEventListener("conversation", (event) => {
    soon();
    if (JSON.parse(event.data).id === current()) refresh();
  });
}

follow();
setInterval(soon, 30_000);
const look = () => account().catch(() => {});
look();
setInterval(look, 60_000);
if (location.hash.length > 1) choose(location.hash.slice(1));
