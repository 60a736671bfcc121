-- What a test's decision and renderings cost: nanoseconds, and what is taken of memory.
--
-- A measurement is warm: the policy is loaded, and the operation has run for a while. It is
-- repeated in batches that take long enough for the clock; what is told is the median batch, how
-- far the batches are spread around it (their median absolute deviation, as a standard deviation
-- in percent), and the fastest. The collector runs as in the service, and its time is in it.

local engine = require "engine"
local machine = require "machine"
local simulate = require "simulate"
local subject = require "testing.subject"

local host = host

local bench = {}

local WARM_US = 10000
local BATCH_US = 1000
local SAMPLES = 25
local COUNTED = 64 -- operations whose memory is counted

local function time(operation, n)
    local began = host.clock()
    for _ = 1, n do
        operation()
    end
    return host.clock() - began
end

local function median(list)
    table.sort(list)
    local middle = math.floor(#list / 2)
    return #list % 2 == 1 and list[middle + 1] or (list[middle] + list[middle + 1]) / 2
end

-- Samples of times -> median, spread in percent, least.
function bench.statistics(samples)
    local middle, deviations, least = median(samples), {}, math.huge
    for i, sample in ipairs(samples) do
        deviations[i] = math.abs(sample - middle)
        least = math.min(least, sample)
    end
    return middle, middle > 0 and 148.26 * median(deviations) / middle or 0, least
end

-- What one operation takes of memory -> how often, bytes.
local function memory(operation)
    collectgarbage()
    collectgarbage "stop"
    local times, bytes = host.cli.usage()
    for _ = 1, COUNTED do
        operation()
    end
    local times_after, bytes_after = host.cli.usage()
    collectgarbage "restart"
    return (times_after - times) / COUNTED, (bytes_after - bytes) / COUNTED
end

local function measure(what, operation)
    local spent, n = 0, 1
    while spent < WARM_US do
        spent = spent + time(operation, n)
        n = math.min(n * 2, 4096)
    end
    local batch = 1
    while time(operation, batch) < BATCH_US do
        batch = batch * 2
    end
    collectgarbage()
    local samples = {}
    for i = 1, SAMPLES do
        samples[i] = time(operation, batch) * 1000 / batch
    end
    local ns, spread, least = bench.statistics(samples)
    local allocations, bytes = memory(operation)
    return {
        what = what, ns = math.floor(ns + 0.5), spread = math.floor(spread * 10 + 0.5) / 10,
        least = math.floor(least + 0.5), samples = SAMPLES, batch = batch,
        allocations = math.floor(allocations * 10 + 0.5) / 10, bytes = math.floor(bytes + 0.5),
    }
end

-- The renderings that a test speaks of; the script of iPXE when it speaks of none.
local function renderings(expected)
    local names, seen = {}, {}
    local function add(name)
        if not seen[name] and subject.renders(name) then
            seen[name] = true
            names[#names + 1] = name
        end
    end
    local golden = expected.golden
    for _, name in ipairs(subject.rendered) do
        if expected[name] ~= nil or type(golden) == "string" or type(golden) == "table" and golden[name] then
            add(name)
        end
    end
    for _, documents in ipairs { expected.config or {}, type(golden) == "table" and golden or {} } do
        local sorted = {}
        for name in pairs(documents) do
            sorted[#sorted + 1] = documents == golden and name or "config/" .. name
        end
        table.sort(sorted)
        for _, name in ipairs(sorted) do
            add(name)
        end
    end
    return #names > 0 and names or { "ipxe" }
end

-- What a test that passed costs: a list of { what, ns, spread, least, samples, batch,
-- allocations, bytes }.
function bench.case(policy, world, body, given)
    if type(body.get) == "string" then
        return { measure("get", function()
            world:run(false, simulate.get, policy, body.get)
        end) }
    elseif body.get or body.post then
        return {}
    end
    local stage = given.stage or "ipxe"
    local costs = { measure("decide", function()
        local decided = world:run(false, engine.decide, policy, (machine.new(given, stage)))
        if decided.plan then
            decided:render()
        end
    end) }
    for _, name in ipairs(renderings(type(body.expect) == "table" and body.expect or {})) do
        local who = machine.new(given, stage)
        local document = name:match "^config/(.+)$"
        costs[#costs + 1] = measure(name, document and function()
            world:run(false, simulate.config, policy, who, document)
        end or function()
            world:run(false, simulate[name], policy, who)
        end)
    end
    return costs
end

local function duration(ns)
    return ns < 10000 and ("%d ns"):format(ns) or ns < 1e7 and ("%.1f µs"):format(ns / 1e3)
           or ("%.1f ms"):format(ns / 1e6)
end

-- One of them, for people.
function bench.line(cost)
    return ("%-12s %9s ± %.0f %%, at best %s; %.0f allocations, %.1f KB"):format(
        cost.what, duration(cost.ns), cost.spread, duration(cost.least), cost.allocations, cost.bytes / 1024)
end

return bench
