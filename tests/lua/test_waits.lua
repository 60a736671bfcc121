-- Waiting, as offline runners serve it, and what becomes of a decision meanwhile.

local engine = require "engine"
local policies = require "policies"
local sandbox = require "sandbox"
local simulate = require "simulate"
local waits = require "waits"

local tests = {}

local function decide(policy, serve, mac)
    local m = policies.machine({ mac = mac or "52:54:00:00:00:01" }, "ipxe")
    return waits.run(serve, function()
        return engine.decide(policy, m):render()
    end)
end

local function slept()
    return true
end

function tests.a_function_goes_on_with_the_answer()
    local policy = policies.load [[
rule "r" { boot = function(machine)
  local ok, why = sleep(2.5)
  return deny(machine.mac .. " " .. tostring(ok) .. " " .. tostring(why))
end }
]]
    local asked
    local d = decide(policy, function(wait)
        asked = wait
        return nil, "it rains"
    end)
    assert(asked.kind == "sleep" and asked.seconds == 2.5)
    assert(d.why == "52:54:00:00:00:01 nil it rains" and d.error == nil, d.why)
end

function tests.what_runs_returns_and_throws()
    local function three(...)
        return select("#", ...), ...
    end
    local n, a, b = waits.run(slept, three, 1, nil)
    assert(n == 2 and a == 1 and b == nil)
    local ok, message = pcall(waits.run, slept, error, "as it is", 0)
    assert(not ok and message == "as it is")
    ok, message = pcall(decide, policies.load "rule 'r' { boot = function() sleep(1) end }", function()
        error("the server is broken", 0)
    end)
    assert(not ok and message == "the server is broken", message)
end

-- The deadline ends the function where it stands, whatever it would catch; the next rule is
-- not tried.
function tests.the_deadline()
    local policy = policies.load [[
profile "wipe" { kernel = "wipe" }
rule "slow" { on_error = disk, boot = function()
  pcall(function()
    for i = 1, 5 do
      sleep(0.3)
    end
  end)
end }
rule "next" { boot = "wipe" }
]]
    local clock = waits.virtual(0.8)
    local d = decide(policy, clock.serve)
    assert(d.verdict == "disk" and clock.elapsed == 0.8)
    assert(d.error == "policy.lua:5: no answer within 0.8 s", d.error)
    assert(clock.serve { kind = "sleep", seconds = 0 } == waits.expired)
    clock = waits.virtual(2)
    d = decide(policy, clock.serve)
    assert(d.verdict == "boot" and d.error == nil and clock.elapsed == 1.5)
end

function tests.virtual_time_asks_for_what_it_cannot_know()
    local clock = waits.virtual(10, function(wait)
        return 1.5, wait.kind, "more"
    end)
    local kind, more = clock.serve { kind = "http" }
    assert(kind == "http" and more == "more" and clock.elapsed == 1.5)
end

-- What the engine keeps for one decision at a time is another's when it goes on.
function tests.decisions_in_turns()
    local policy = policies.load [[
profile "p" { kernel = "k", args = { "{{config 'seed'}}", "{{mac}}" }, config = { seed = "x" } }
rule "r" { boot = function(machine)
  local text = ("x"):gsub("x", function() return machine.mac end)
  sleep(1)
  return { use = "p", args = { text } }
end }
]]
    local threads, results = {}, {}
    for i = 1, 3 do
        threads[i] = coroutine.create(function()
            policy.base = "http://10.0.0." .. i
            local m = policies.machine({ mac = "52:54:00:00:00:0" .. i }, "ipxe")
            results[i] = engine.decide(policy, m):render().args
        end)
        local ok, wait = coroutine.resume(threads[i])
        assert(ok and wait.kind == "sleep")
    end
    for _, i in ipairs { 2, 3, 1 } do
        assert(coroutine.resume(threads[i], true))
        local mac = "52:54:00:00:00:0" .. i
        assert(results[i][1]:find("^http://10%.0%.0%." .. i .. "/config/"), results[i][1])
        assert(results[i][2] == mac and results[i][3] == mac)
    end
    assert(sandbox.depth() == 0)
end

function tests.only_where_a_machine_can_wait()
    local policy = policies.load [[
rule "match" { match = { mac = function() sleep(1) return true end }, boot = shell, on_error = deny "no" }
]]
    local d = decide(policy, slept)
    assert(d.why == "no" and d.error:find("^policy.lua:1: sleep can be asked only in the function of"), d.error)
    policy = policies.load [[
rule "callback" { boot = function() return (("x"):gsub("x", function() sleep(1) end)) end, on_error = deny "no" }
]]
    d = decide(policy, slept)
    assert(d.error:find("^policy.lua:1: sleep cannot be asked in a function that gsub"), d.error)
    policies.refuses("sleep(1)", { "policy.lua:1: sleep can be asked only in the function of a rule's boot,"
                                   .. " of serve or of on: everything else is decided at once" })
    -- Where nobody serves.
    policy = policies.load "rule 'r' { boot = function() return select(2, sleep(1)) and deny(select(2, sleep(1))) end }"
    d = engine.decide(policy, policies.machine({ mac = "52:54:00:00:00:01" }, "ipxe"))
    assert(d:render().why == "nothing can be waited for here")
end

function tests.pages_wait()
    local policy = policies.load 'serve "/x" (function() sleep(1) return "later" end)'
    local clock = waits.virtual(5)
    assert(waits.run(clock.serve, simulate.get, policy, "/x").body == "later")
    clock = waits.virtual(0.5)
    local answer = waits.run(clock.serve, simulate.get, policy, "/x")
    assert(answer.status == 500 and answer.error == "policy.lua:1: no answer within 0.5 s", answer.error)
end

return tests
