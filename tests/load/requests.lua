-- Sends the lines of the file in REQUESTS, each a JSON body, in turn, and reports what came back as one line of
-- JSON. Each thread begins elsewhere, so that they do not ask for the same at the same time.
local bodies = {}
for line in io.lines(os.getenv("REQUESTS")) do
    bodies[#bodies + 1] = line
end

local threads = {}
function setup(thread)
    table.insert(threads, thread)
    thread:set("first", #threads * 7919)
end

local headers = {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. (os.getenv("TOKEN") or ""),
}
local next_body = 0
-- Global, so that `done` can read them.
answered, refused, wrong = 0, 0, 0

function init()
    next_body = first
end

function request()
    next_body = next_body + 1
    return wrk.format("POST", "/graphql", headers, bodies[next_body % #bodies + 1])
end

function response(status, _, body)
    if status == 200 and body:sub(1, 9) ~= '{"errors"' then
        answered = answered + 1
    elseif status == 503 or status == 429 then
        refused = refused + 1
    else
        wrong = wrong + 1
    end
end

function done(summary, latency)
    local sum = { answered = 0, refused = 0, wrong = 0 }
    for _, thread in ipairs(threads) do
        for name, value in pairs(sum) do
            sum[name] = value + thread:get(name)
        end
    end
    io.write(string.format(
        'RESULT {"seconds": %.6f, "answered": %d, "refused": %d, "wrong": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
        summary.duration / 1e6, sum.answered, sum.refused, sum.wrong,
        summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
