// Offers the shop's tools to an assistant in the browser, where the browser has such a thing.

import { asked } from "./consent.js";
import { failed, noted, safely } from "./presence.js";
import { texts } from "./texts.js";

/** Registers the manifest's tools for as long as the page is shown; `acted` is called when one has done something. */
export function offerTools({ acted }) {
  const context = document.modelContext;
  if (!context?.registerTool) return;
  let offer = new AbortController();
  register(context, offer.signal, acted);
  addEventListener("pagehide", () => offer.abort());
  addEventListener("pageshow", (event) => {
    // A page that comes back from the browser's memory may be older than the shop's tools.
    if (!event.persisted) return;
    offer = new AbortController();
    register(context, offer.signal, acted);
  });
}

async function register(context, signal, acted) {
  let tools;
  try {
    const response = await fetch("/.well-known/webmcp.json", { signal });
    tools = response.ok ? ((await response.json()).tools ?? []) : [];
  } catch {
    return;
  }
  for (const tool of tools) {
    if (signal.aborted) return;
    const { name, title, description, inputSchema } = tool;
    const annotations = { ...tool.annotations, consequentialHint: !tool.annotations.readOnlyHint };
    const execute = (input, options) => safely(() => perform(tool, input ?? {}, options?.signal, acted));
    try {
      await context.registerTool({ name, title, description, inputSchema, annotations, execute }, { signal });
    } catch (error) {
      console.warn(`The tool ${name} could not be registered`, error);
    }
  }
}

/** What only reads is done; anything else when the person on the page allows it. */
async function perform(tool, input, signal, acted) {
  const path = `/api/tools/${encodeURIComponent(tool.name)}`;
  const title = texts.tools[tool.name] ?? tool.title;
  const done = () => noted(title, () => call(path, input, signal));
  if (tool.annotations.readOnlyHint) return done();
  const checked = await call(`${path}/check`, input, signal);
  if (checked.isError) return checked;
  const refused = await asked({ title, input, signal });
  return refused ? failed(refused) : done().finally(acted);
}

async function call(path, input, signal) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input),
      signal,
    });
    const result = await response.json();
    if (Array.isArray(result.content)) {
      return { isError: Boolean(result.isError), content: result.content };
    }
    return failed(result.error ?? "The shop did not answer. Try again in a moment.");
  } catch {
    return failed(signal?.aborted ? "The call was cancelled." : "The shop cannot be reached. Try again in a moment.");
  }
}
