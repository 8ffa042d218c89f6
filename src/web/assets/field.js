// The chat's field. What an assistant fills in is sent by the person only, or discarded.

import { watchForm } from "./presence.js";
import { element, texts } from "./texts.js";

const form = document.getElementById("compose");
const input = document.getElementById("message");
const draft = document.getElementById("draft");

/** What stands in the field, and what stood there before the last change. */
let now = "";
let before = "";
/** While an assistant's words wait: they, and what they have replaced. */
let offered = null;

/** Starts the field; `show` brings it into view. */
export function startField({ show }) {
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  input.addEventListener("input", () => {
    [before, now] = [now, input.value];
    grow();
  });
  watchForm(form, {
    filled() {
      show();
      offer();
    },
    cancelled() {
      if (offered) write(input.value === offered.words ? offered.replaced : input.value);
    },
  });
}

/** Puts words into the field. */
export function write(words) {
  offered = null;
  draft.replaceChildren();
  [before, now] = [words, words];
  input.value = words;
  grow();
}

function offer() {
  offered = { words: input.value, replaced: before };
  const discard = element("button", { type: "button" }, texts.discard);
  discard.addEventListener("click", () => {
    const { replaced } = offered;
    // The browser tells the assistant that it was refused.
    form.reset();
    write(replaced);
    input.focus();
  });
  draft.replaceChildren(element("span", {}, texts.agent_draft), discard);
  grow();
}

function grow() {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight + 2, 144)}px`;
}
