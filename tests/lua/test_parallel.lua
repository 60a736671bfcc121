-- Several questions at once, and names.

local engine = require "engine"
local policies = require "policies"
local waits = require "waits"

local tests = {}

local function run(body, clock)
    local policy = policies.load("rule 'r' { on_error = deny 'failed', boot = function(machine)\n" .. body .. "\nend }")
    return waits.run(clock.serve, function()
        return engine.decide(policy, policies.machine({ mac = "52:54:00:00:00:01" }, "ipxe")):render()
    end)
end

-- As long as the slowest of each round, not as long as all.
function tests.all_at_once()
    local clock = waits.virtual(10, function(wait)
        return wait.name == "slow.lab" and 2 or 1, { wait.name .. "!" }
    end)
    local d = run([[
local got, failed = parallel {
  a = function() sleep(1) return dns.lookup("a.lab")[1] .. machine.mac end,
  b = function() return dns.lookup("slow.lab")[1] end,
  c = function() return 7 end,
  d = function() return nil, "no idea" end,
  e = function() sleep(0.5) error("broken", 0) end,
  f = function() end,
}
return deny(json.encode { got = got, failed = failed })]], clock)
    assert(d.why == '{"failed":{"d":"no idea","e":"broken"},"got":{"a":"a.lab!52:54:00:00:00:01","b":"slow.lab!","c":7}}',
           d.why or d.error)
    assert(clock.elapsed == 3, clock.elapsed) -- 2, then the other 1
end

function tests.inside_each_other_and_in_handlers()
    local clock = waits.virtual(10)
    local d = run([[
local got = parallel { parallel and function()
  return (parallel { function() sleep(1) return "in" end, function() sleep(2) return "ner" end })
end }
return deny(table.concat(got[1]))]], clock)
    assert(d.why == "inner" and clock.elapsed == 2, d.why or d.error)
    local policy = policies.load [[
on("do", function() parallel { function() sleep(1) assert(state.set("x", 1)) end } end)
rule "r" { boot = function() local _, failed = parallel { function() return state.set("x", 1) end } return deny(failed[1]) end }
]]
    local m = policies.machine({ mac = "52:54:00:00:00:01" }, "ipxe")
    clock = waits.virtual(10)
    assert(waits.run(clock.serve, require("events").fire, policy, m, { name = "do", time = 1 }))
    assert(policy.state.store:get "state/x" == "1")
    d = waits.run(clock.serve, function()
        return engine.decide(policy, m):render()
    end)
    assert(d.why:find "deciding changes nothing", d.why)
end

function tests.the_deadline_ends_all()
    local clock = waits.virtual(0.8)
    local d = run([[
parallel { function() pcall(sleep, 5) end, function() sleep(0.1) end }
return shell]], clock)
    assert(d.why == "failed" and d.error == "policy.lua:2: no answer within 0.8 s", d.error)
end

function tests.used_wrongly()
    local clock = waits.virtual(1)
    for body, expected in pairs {
        ["parallel(1)"] = "parallel: found 1, expected a table of functions",
        ["parallel { 1 }"] = "parallel: found 1, expected a function",
        ["local t = {} for i = 1, 33 do t[i] = print end parallel(t)"] = "found 33 functions, and 32 are the most",
        ["(('x'):gsub('x', function() parallel { print } end))"] = "parallel cannot be asked in a function that gsub",
        ["dns.lookup 'a b'"] = "dns.lookup: expected a name",
        ["dns.ptr 'a'"] = "dns.ptr: expected an IPv4 address",
    } do
        local d = run(body:find "^local" and body or "local x = " .. body, clock)
        assert(d.why == "failed" and d.error:find(expected, 1, true), d.error)
    end
end

return tests
