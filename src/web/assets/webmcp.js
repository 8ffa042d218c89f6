// Offers the shop's tools to an assistant in the browser, where the browser has such a thing.

export async function registerTools() {
  const context = document.modelContext;
  if (!context?.registerTool) return;
  let tools = [];
  try {
    const response = await fetch("/.well-known/webmcp.json");
    if (response.ok) tools = (await response.json()).tools ?? [];
  } catch {
    return;
  }
  for (const { name, title, description, inputSchema, annotations } of tools) {
    const execute = (input, options) => call(name, input, options?.signal);
    try {
      await context.registerTool({ name, title, description, inputSchema, annotations, execute });
    } catch (error) {
      console.warn(`The tool ${name} could not be registered`, error);
    }
  }
}

/** An error that is thrown would reach the assistant without its text, so none is. */
async function call(name, input, signal) {
  try {
    const response = await fetch(`/api/tools/${encodeURIComponent(name)}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input ?? {}),
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

function failed(text) {
  return { isError: true, content: [{ type: "text", text }] };
}
