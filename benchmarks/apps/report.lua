-- For wrk: sends what the environment says, and prints one line of JSON to standard error at the end.
local method = os.getenv("BENCHMARK_METHOD")
local body = os.getenv("BENCHMARK_BODY")

if method then wrk.method = method end
if body then
   wrk.body = assert(io.open(body, "rb")):read("*a")
   wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.stderr:write(string.format(
      '{"requests": %d, "microseconds": %d, "bytes": %d, ' ..
      '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d, ' ..
      '"p50": %.1f, "p90": %.1f, "p99": %.1f}\n',
      summary.requests, summary.duration, summary.bytes,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout,
      latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
