// Small DOM helpers and how the desk words things.

/** An element with properties and children; text never becomes markup. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const REASONS = {
  requested: "Asked for a person",
  upset: "Upset",
  not_understood: "Not understood",
  out_of_reach: "Beyond the assistant",
  limit: "Limit reached",
  proofs: "Order not proved",
  failure: "Something failed",
  window: "Not sent: the 24 hours are over",
  not_sent: "A message was not sent",
  perhaps_sent: "A message was perhaps sent",
};

const CHANNELS = { whatsapp: "WhatsApp", web: "Web chat", terminal: "Terminal" };

export function channel(name) {
  return CHANNELS[name] ?? name;
}

/** The customer's name, else a short form of the address. */
export function who({ name, address, channel }) {
  if (name) return name;
  return channel === "web" ? `Visitor ${address.slice(0, 6)}` : address;
}

export function language(code) {
  if (!code) return "";
  return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code;
}

export function money({ minor, currency }) {
  return new Intl.NumberFormat("en", { style: "currency", currency }).format(minor / 100);
}

export function clock(milliseconds) {
  const at = new Date(milliseconds);
  const today = at.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return at.toLocaleString("en-GB", today ? time : { ...time, day: "numeric", month: "short" });
}

/** How long ago, in the largest whole unit. */
export function since(milliseconds, now) {
  const minutes = Math.max(0, Math.floor((now - milliseconds) / 60_000));
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** Calls the desk; back to the login form when the session is over. */
export async function call(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/desk/api/${path}`, options);
  if (response.status === 401) {
    location.reload();
    throw new Error("the session is over");
  }
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
