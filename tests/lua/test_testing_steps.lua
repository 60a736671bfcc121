-- `moonboot test`: steps, events, state, and a time of its own.

local cli = require "fake_cli"
local world = require "testing.world"

local tests = {}

local POLICY = [=[
profile "install" { kernel = "vmlinuz", args = { "t={{event 'installed'}}" } }
rule "once" { match = { mac = prefix "52:54:00" }, boot = once { "install", done_on = "installed" } }
rule "slow" { match = { serial = prefix "slow" }, boot = function(m) sleep(tonumber((m.serial:gsub("%D", "")))) return shell end, on_error = disk }
rule "seen" { match = { serial = "S" }, boot = function(m) return state.get("seen/" .. m.mac) and disk or nil end }
on("seen", function(m, event)
  if event.params.fail then error "told to fail" end
  if event.params.slow then sleep(tonumber(event.params.slow)) end
  state.set("seen/" .. m.mac, { at = event.time, body = event.body, client = event.client }, { ttl = 60 })
end)
serve "/count" (function(request)
  if request.method == "POST" then state.update("n", function(n) return (n or 0) + #request.body end) end
  return "n=" .. tostring(state.get "n")
end)
]=]

local function run(body, args)
    return cli.run("test", args or {}, { ["p.lua"] = POLICY, ["p_test.lua"] = body })
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

local SEEN = "given = { mac = '00:00:00:00:00:01', serial = 'S' }, "

-- What a policy does by itself: events of its own, stages that it sees, machines that are stuck.
function tests.events_of_a_policy_and_stages()
    local code, out = cli.run("test", {}, { ["p.lua"] = [=[
profile "p" { kernel = "k" }
on("boot:kernel", function(m, event) state.set("kernel", event.params.what)
  if event.params.what ~= "quiet" then emit("told", m, { by = "stage" }) end end)
on("told", function(m, event) state.set("told", m.mac .. " " .. event.params.by) end)
rule "r" { boot = function(m) return machines.get(m.mac) and #machines.stuck(600) > 0 and shell or "p" end }
serve "/tell/:mac" (function(request) emit("told", request.params.mac, { by = "post" }) return "ok" end)
]=], ["p_test.lua"] = [=[
test "a stage" { given = { mac = "52:54:00:00:00:01" }, steps = {
    event("boot:kernel", { params = { what = "el9/vmlinuz" } }),
    expect { boot = "p", state = { kernel = "el9/vmlinuz", told = "52:54:00:00:00:01 stage" } } } }
test "no such stage" { given = { mac = "52:54:00:00:00:01" }, steps = { event "boot:kernal", expect { boot = "p" } } }
test "stuck" { given = { mac = "52:54:00:00:00:01" }, steps = {
    event("boot:kernel", { params = { what = "quiet" } }), event("boot:document"), wait(500), expect { boot = "p" },
    wait(200), expect { boot = "shell" }, event("told", { params = { by = "me" } }), expect { boot = "p" } } }
test "a post" { post = "/tell/525400000001", body = "", expect = { status = 200, state = { told = "52:54:00:00:00:01 post" } } }
test "only a post" { get = "/tell/525400000001", expect = { status = 500, error = contains "deciding changes nothing" } }
]=] })
    assert(code == 1, out)
    has(out, "ok    a stage", "ok    stuck", "ok    a post", "ok    only a post", "4 passed, 1 failed",
        'neither `on` nor `once` of the policy knows the event "boot:kernal" (did you mean "boot:kernel"?)')
end

function tests.what_happens_one_after_the_other()
    local code, out = run([=[
test "once" { given = { mac = "52:54:00:00:00:01" }, steps = {
    expect { boot = "install", ipxe = contains "/event/installed?token=" }, event "installed", expect { boot = "disk" },
    event "reinstall", expect { boot = "install" } } }
test "apart" { given = { mac = "52:54:00:00:00:01" }, expect = { boot = "install" } }
test "seen" { given = { mac = "00:00:00:00:00:01", serial = "S" }, now = 1000, steps = {
    expect { boot = "ignore", state = { ["seen/00:00:00:00:00:01"] = false } },
    wait(5), event("seen", { body = "b", client = "10.0.0.9" }), wait(59),
    expect { boot = "disk", state = { ["seen/00:00:00:00:00:01"] = { at = 1005, body = "b", client = "10.0.0.9" } } },
    wait(1), expect(function(found) return found.boot == "ignore" and found.state["seen/00:00:00:00:00:01"] == nil end) } }
test "state" { given = { mac = "00:00:00:00:00:01", serial = "S" }, state = { ["seen/00:00:00:00:00:01"] = true },
    expect = { boot = "disk", ipxe = contains "exit" } }
test "time that an event takes" { given = { mac = "00:00:00:00:00:01", serial = "S" }, now = 0, steps = {
    event("seen", { params = { slow = "3" } }), wait(58), expect { boot = "disk" }, wait(2), expect { boot = "ignore" } } }
test "posted" { post = "/count", body = "abc", state = { n = 4 }, expect = { body = "n=7", state = { n = 7 } } }
test "got" { get = "/count", state = { n = 4 }, expect = { body = "n=4", state = { n = 4 }, took = 0 } }
]=])
    assert(code == 0, out)
    has(out, "7 passed")
end

function tests.a_time_of_its_own()
    local code, out = run([=[
test "slow" { given = { serial = "slow3" }, expect = { boot = "shell", took = 3 } }
test "too slow" { given = { serial = "slow3600" }, expect = { rule = "slow", boot = "disk", took = 5, error = contains "no answer within 5 s" } }
test "soon" { given = { mac = "00:00:00:00:00:01", serial = "slow1", arch = "bios", stage = "dhcp" }, expect = { boot = "disk", took = 0.4 } }
]=])
    assert(code == 0, out)
    code, out = run "test 'slow' { given = { serial = 'slow3' }, expect = { took = 2.9 } }"
    assert(code == 1)
    has(out, "took\n        expected  2.9\n        found     3\n")
end

function tests.a_step_that_fails_is_named()
    local code, out = run("test 'x' { " .. SEEN .. "steps = { expect { boot = 'ignore' }, event 'seen', expect { boot = 'shell' }, expect { boot = 'disk' } } }")
    assert(code == 1)
    has(out, 'step 3: boot\n        expected  "shell"\n        found     "disk"', "the rules that were tried")
    code, out = run("test 'x' { " .. SEEN .. "steps = { event 'sene', expect { boot = 'disk' } } }")
    assert(code == 1)
    has(out, 'step 1: event', 'expected  "sene" to be taken in', 'knows the event "sene" (did you mean "seen"?)')
    code, out = run("test 'x' { " .. SEEN .. "steps = { event('seen', { params = { fail = 'yes' } }), expect { boot = 'disk' } } }")
    assert(code == 1)
    has(out, "p.lua:6: told to fail")
    code, out = run("test 'x' { " .. SEEN .. "steps = { expect(function() error 'mine' end) } }")
    assert(code == 2)
    has(out, "step 1: `expect` failed: ", "mine")
end

function tests.what_are_no_steps()
    for body, said in pairs {
        ["steps = {}"] = "`steps` expects nothing",
        ["steps = { event 'seen' }"] = "`steps` expects nothing",
        ["steps = { 1 }"] = "step 1 is 1, and must be expect {…}",
        ["steps = { contains 'x' }"] = "step 1 is a table, and must be expect {…}",
        ["steps = { a = 1 }"] = '`steps` has the key "a"',
        ["steps = { expect { bot = 'x' } }"] = 'step 1: `expect` has no key "bot" (did you mean "boot"?)',
        ["steps = { expect { problems = contains 'x' } }"] = "step 1: `expect.problems` is for a policy that does not load",
        ["steps = { expect { boot = 'x' } }, expect = { boot = 'x' }"] = "a test has `steps` or `expect`",
        ["steps = { expect { boot = 'x' } }, get = '/x'"] = "a test has `steps` or `get`",
        ["steps = { event(1) }"] = "event is followed by a name, not by 1",
        ["steps = { event('x', 1) }"] = 'event "x": found 1, expected a table',
        ["steps = { event('x', { prams = {} }) }"] = 'event "x": found a table behind "prams"',
        ["steps = { wait(-1) }"] = "wait is followed by seconds, not by -1",
        ["now = 'noon', expect = { boot = 'x' }"] = '`now` is "noon"',
        ["state = { 'x' }, expect = { boot = 'x' }"] = "`state` has \"x\" behind 1",
        ["state = { x = function() end }, expect = { boot = 'x' }"] = "`state` has a function behind \"x\": JSON",
        ["get = '/x', post = '/y', expect = { status = 200 }"] = "a test has `get` or `post`",
        ["get = '/x', body = 'y', expect = { status = 200 }"] = "`body` is what is sent by `post`",
        ["post = 'x', expect = { status = 200 }"] = '`post` is "x", and must be a path',
    } do
        local code, out = run("test 'x' { " .. body .. " }")
        assert(code == 2, body .. "\n" .. out)
        has(out, said)
    end
end

function tests.dates()
    for text, seconds in pairs {
        ["1970-01-01"] = 0, ["2000-02-29T00:00:01Z"] = 951782401, ["2026-11-26 14:00:00"] = 1795701600,
        ["2026-01-01"] = 1767225600, ["2100-03-01"] = 4107542400,
    } do
        assert(world.seconds(text) == seconds, text .. " " .. tostring(world.seconds(text)))
    end
    for _, text in ipairs { "", "noon", "2026-13-01", "2026-01-32", "2026-01-01T24:00:00Z", "2026-1-1", "2026-01-01T10:00" } do
        assert(world.seconds(text) == nil, text)
    end
    assert(world.seconds(5) == 5 and world.seconds(-1) == nil and world.seconds {} == nil)
end

-- What is asked of others, and nobody has an answer for, fails the test.
function tests.nobody_is_asked()
    local w = world.enter({ state = {}, handlers = {}, onces = {} }, {})
    local answer, why = w:run(false, function()
        return coroutine.yield { kind = "carrier pigeon" }
    end)
    w:leave()
    assert(answer == nil and why == "nobody answers in this test")
    local complaints = w:complaints()
    assert(#complaints == 1 and complaints[1].key == "waits" and complaints[1].found == '"carrier pigeon"')
end

-- Nothing of one test is left for the next, or for whoever comes after.
function tests.worlds_are_left()
    local time = host.time
    run "test 'x' { now = 5, expect = { boot = 'ignore' } }"
    assert(host.time == time)
end

return tests
