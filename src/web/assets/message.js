// One message of the conversation as elements.

import { element, fill, money, pictureAddress, stockBadge, texts } from "./texts.js";

/** A message as the server tells it. `act` can `propose(words)` and `choose(choice)`. */
export function messageElement(message, act) {
  const speaker = { customer: texts.you, agent: texts.assistant, human: texts.person }[message.speaker];
  const item = element("li", { className: `message ${message.speaker}` });
  item.append(element("span", { className: message.speaker === "human" ? "who" : "hidden" }, speaker));
  const text = message.text || (message.kind ? `[${texts.attachment}]` : "");
  if (text) item.append(element("p", { className: "bubble" }, ...linked(text)));
  const answer = message.answer;
  if (!answer) return item;
  if (answer.products?.length) {
    item.append(element("ul", { className: "cards" }, ...answer.products.map((card) => cardElement(card, act))));
  }
  if (answer.payment) item.append(paymentElement(answer.payment));
  if (answer.sources?.length) {
    const titles = answer.sources.map((source) => source.title).join(" · ");
    item.append(element("p", { className: "sources" }, `${texts.sources}: ${titles}`));
  }
  if (answer.choices?.length) item.append(choicesElement(answer.choices, act));
  return item;
}

function cardElement(card, act) {
  const button = element("button", { type: "button" }, texts.ask);
  button.setAttribute("aria-label", `${texts.ask}: ${card.title}`);
  button.addEventListener("click", () => act.propose(fill(texts.ask_text, { title: card.title })));
  return element(
    "li",
    { className: "card" },
    element("img", { src: pictureAddress(card.image_url), alt: "", width: 480, height: 480 }),
    element(
      "div",
      {},
      element("h3", {}, card.title),
      element("p", { className: "price" }, element("strong", {}, money(card.price)), stockBadge(card.stock)),
      card.reason ? element("p", { className: "about" }, card.reason) : null,
      button,
    ),
  );
}

function paymentElement(payment) {
  const link = element("a", { className: "payment", href: safeAddress(payment.url), target: "_blank", rel: "noopener" });
  link.append(element("span", {}, payment.label), element("strong", {}, money(payment.total)));
  return link;
}

function choicesElement(choices, act) {
  const row = element("div", { className: "choices" });
  for (const choice of choices) {
    const chip = element("button", { type: "button", className: "chip" }, choice.title);
    chip.addEventListener("click", () => act.choose(choice));
    row.append(chip);
  }
  return row;
}

function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/).map((part, place) =>
    place % 2 === 1 ? element("a", { href: part, target: "_blank", rel: "noopener" }, part) : part,
  );
}

function safeAddress(address) {
  const url = new URL(address, location.href);
  return url.protocol === "http:" || url.protocol === "https:" ? url.href : "#";
}
