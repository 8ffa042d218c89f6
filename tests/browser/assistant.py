"""An assistant in the browser: it finds the page's tools and calls them, from inside the page or through DevTools."""

import json
import time

from playwright.sync_api import expect

# A machine that runs many tests at once may be slow.
expect.set_options(timeout=30_000)

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]

# Chromium took the arguments as JSON until 154 and takes an object since.
EXECUTE = """async ([name, input, version]) => {
  const tool = (await document.modelContext.getTools()).find((tool) => tool.name === name);
  window.stop = new AbortController();
  const given = version < 155 ? JSON.stringify(input) : input;
  return JSON.parse(await document.modelContext.executeTool(tool, given, { signal: window.stop.signal }));
}"""


def until(page, what, holds, seconds=40):
    """Waits for what the page or DevTools will say."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited too long for {what}"
        page.wait_for_timeout(20)


class Inside:
    """Calls as a script of the page does."""

    def __init__(self, page, version):
        self.page, self.version = page, version

    def tools(self):
        listed = self.page.evaluate(
            "async () => (await document.modelContext.getTools()).map("
            "({ name, title, description, inputSchema, annotations }) =>"
            " ({ name, title, description, inputSchema, annotations }))"
        )
        for tool in listed:
            if isinstance(tool["inputSchema"], str):
                tool["inputSchema"] = json.loads(tool["inputSchema"])
        return {tool["name"]: tool for tool in listed}

    def begin(self, name, arguments):
        """Begins a call; its end is asked for with `end`."""
        self.page.evaluate(
            f"(given) => {{ window.call = ({EXECUTE})(given).then("
            "(result) => ({ result }), (error) => ({ error: String(error) })); }",
            [name, arguments, self.version],
        )

    def end(self):
        """The result, or None when there is none because the call was given up."""
        return self.page.evaluate("() => window.call").get("result")

    def give_up(self):
        self.page.evaluate("() => window.stop.abort()")

    def call(self, name, arguments):
        self.begin(name, arguments)
        return self.end()


class Outside:
    """Calls through the DevTools domain `WebMCP`."""

    def __init__(self, context, page):
        self.page = page
        self.session = context.new_cdp_session(page)
        self.listed, self.responses, self.invocation = {}, {}, None
        self.session.on("WebMCP.toolsAdded", lambda said: self.listed.update({t["name"]: t for t in said["tools"]}))
        self.session.on("WebMCP.toolsRemoved", lambda said: [self.listed.pop(t["name"], None) for t in said["tools"]])
        self.session.on("WebMCP.toolResponded", lambda said: self.responses.update({said["invocationId"]: said}))
        self.session.send("WebMCP.enable")

    def tools(self):
        return self.listed

    def begin(self, name, arguments):
        call = {"frameId": self.listed[name]["frameId"], "toolName": name, "input": arguments}
        self.invocation = self.session.send("WebMCP.invokeTool", call)["invocationId"]

    def response(self):
        return until(self.page, "toolResponded", lambda: self.responses.get(self.invocation), 90)

    def end(self):
        said = self.response()
        return said["output"] if said["status"] == "Completed" else None

    def give_up(self):
        self.session.send("WebMCP.cancelInvocation", {"invocationId": self.invocation})

    def call(self, name, arguments):
        self.begin(name, arguments)
        return self.end()


def words(result):
    """The text of a result."""
    [part] = result["content"]
    assert part["type"] == "text", part
    return part["text"]
