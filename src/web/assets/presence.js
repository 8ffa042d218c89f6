// Says so where an assistant uses the page, and tells the assistant what came of it.

import { fill, texts } from "./texts.js";

/** So long the note stays when the assistant is done, in milliseconds. */
const LINGER = 8000;

const note = document.getElementById("agent-note");

let running = 0;
let hiding = 0;

/** What an assistant reads of a call that worked. */
export function answered(text) {
  return { isError: false, content: [{ type: "text", text }] };
}

/** What an assistant reads of a call that did not. An error that is thrown would reach it without its text. */
export function failed(text) {
  return { isError: true, content: [{ type: "text", text }] };
}

/** The result of `work`, also when it fails. */
export async function safely(work) {
  try {
    return await work();
  } catch (error) {
    console.warn(error);
    return failed("The page failed. Reload it and try again.");
  }
}

/** Shows what the assistant does while `work` is done, and a moment longer. */
export async function noted(tool, work) {
  running += 1;
  clearTimeout(hiding);
  note.textContent = fill(texts.agent_using, { tool });
  const result = await safely(work);
  running -= 1;
  if (running === 0) {
    note.textContent = fill(texts.agent_used, { tool });
    hiding = setTimeout(() => note.replaceChildren(), LINGER);
  }
  return result;
}

/** Calls `filled` when an assistant has filled in a form that waits for the person, `cancelled` when it gives up. */
export function watchForm(form, { filled, cancelled }) {
  const context = document.modelContext;
  if (!context) return;
  const name = form.getAttribute("toolname");
  // Chromium told the window first, and tells the context now.
  for (const target of [window, context]) {
    target.addEventListener("toolactivated", (event) => event.toolName === name && filled());
    target.addEventListener("toolcancel", (event) => event.toolName === name && cancelled());
  }
}
