// Starts the page: the chat, the shelf, and the tools for an assistant in the browser.

import { startChat } from "./chat.js";
import { startShelf } from "./shelf.js";
import { offerTools } from "./webmcp.js";

function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view));
  }
}

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => show(button.dataset.show));
}

const chat = startChat({ show: () => show("chat") });
startShelf({
  ask(words) {
    show("chat");
    chat.propose(words);
  },
  show: () => show("shelf"),
});
offerTools({ acted: chat.follow });
