-- Sends prepared requests, each once: "<length>\n<request>" a record, one file for each thread.
local count = 0

function setup(thread)
  thread:set("number", count)
  count = count + 1
end

function init(args)
  file = assert(io.open(args[1] .. "." .. number, "rb"))
end

function request()
  local length = file:read("*n")
  if not length then
    io.stderr:write("the prepared requests are used up\n")
    os.exit(1)
  end
  file:read(1)
  return file:read(length)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %.3f %.3f %.3f\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
