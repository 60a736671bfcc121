-- Events, what is done once, and what a policy remembers.

local events = require "events"
local policies = require "policies"
local simulate = require "simulate"
local store = require "store"
local waits = require "waits"

local tests = {}

local MAC = "52:54:00:00:00:01"

local function fire(policy, name, fields, event)
    local given = { name = name, time = 1000, params = {} }
    for key, value in pairs(event or {}) do
        given[key] = value
    end
    return waits.run(nil, events.fire, policy, policies.machine(fields or { mac = MAC }, "ipxe"), given)
end

local function boots(policy, fields, stage)
    local d = policies.decide(policy, fields or { mac = MAC }, stage or "ipxe"):render()
    return d.profile and d.profile.name or d.verdict, d.error, d
end

local function post(policy, path, query)
    return waits.run(nil, function()
        local reply, info = require("routes").handle(policy, {
            protocol = "http", method = "POST", path = path, query = query, client = "10.0.0.9",
            server = simulate.server, base = simulate.base,
        })
        return reply, info
    end)
end

local INSTALL = [[
profile "el9" { kernel = "k", args = { "done={{event 'installed'}}" } }
rule "r" { boot = once { "el9", done_on = "installed", then_boot = disk }, on_error = deny "no" }
]]

function tests.once_is_done_once()
    local policy = policies.load(INSTALL)
    for _ = 1, 3 do
        assert(boots(policy) == "el9") -- deciding changes nothing
    end
    assert(fire(policy, "other") and boots(policy) == "el9")
    assert(fire(policy, "installed"))
    assert(boots(policy) == "disk" and boots(policy, { mac = "52:54:00:00:00:02" }) == "el9")
    assert(fire(policy, "installed") and boots(policy) == "disk")
    assert(fire(policy, "reinstall") and boots(policy) == "el9")
    assert(fire(policy, "reinstall") and boots(policy) == "el9")
    local ok, problem = fire(policy, "a b")
    assert(not ok and problem:find("expected an event's name", 1, true))
end

function tests.who_cannot_be_known_again_is_never_installed()
    local policy = policies.load(INSTALL)
    local what, problem = boots(policy, { uuid = "00112233-4455-6677-8899-aabbccddeeff" })
    assert(what == "deny" and problem == "policy.lua:2: once: a machine without mac cannot be known again", problem)
    local d = policies.decide(policy, { interface = "eth0" }, "tftp")
    assert(d.verdict == "undetermined" and d.needs == "mac")
    local ok
    ok, problem = fire(policy, "installed", { serial = "S" })
    assert(not ok and problem == "once: a machine without mac cannot be known again")
    policy = policies.load [[
profile "p" { kernel = "k" }
rule "r" { boot = once { "p", done_on = "a", by = "label.rack", again_on = "b", then_boot = shell } }
]]
    assert(fire(policy, "a", { label = { rack = 12 } }))
    assert(boots(policy, { label = { rack = "12" } }) == "shell" and boots(policy, { label = { rack = "1" } }) == "p")
end

-- A store that fails is a failure, not a machine that is not installed yet.
function tests.a_store_that_fails()
    local policy = policies.load(INSTALL .. [[
rule "s" { boot = function() return state.get "x" and disk or "el9" end, on_error = deny "no state" }
]])
    policy.state.store = {
        get = function() error("the disk is on fire", 0) end,
        write = function() return nil, "no space left on device" end,
    }
    local what, problem = boots(policy)
    assert(what == "deny" and problem == "policy.lua:2: once: the disk is on fire", problem)
    local ok
    ok, problem = fire(policy, "installed")
    assert(not ok and problem == "the disk is on fire", problem)
    policy.state.store.get = function() end
    ok, problem = fire(policy, "installed")
    assert(not ok and problem == "no space left on device", problem)
    -- An on_error that fails itself is none.
    policy = policies.load [[
profile "p" { kernel = "k" }
local install = once { "p", done_on = "a" }
rule "r" { boot = function() error "why" end, on_error = install }
]]
    policy.state.store = { get = function() error("away", 0) end }
    what, problem = boots(policy)
    assert(what == "ignore" and problem == "policy.lua:3: why", problem)
end

function tests.once_inside_other_choices()
    local policy = policies.load [[
profile "p" { kernel = "k", args = { "a" } }
local install = once { { use = "p", args = { "b" } }, done_on = "d", then_boot = deny "done {{mac}}" }
rule "rollout" { match = { ["label.r"] = "1" }, boot = rollout { percent = 100, use = install, otherwise = disk } }
rule "menu" { match = { ["label.r"] = "2" }, boot = menu { { "install", install }, { "disk", disk } } }
rule "function" { match = { ["label.r"] = "3" }, boot = function() return { use = install, args = { "c" } } end }
]]
    local function with(r)
        return { mac = MAC, label = { r = r } }
    end
    local _, _, d = boots(policy, with "1")
    assert(table.concat(d.args, " ") == "a b")
    _, _, d = boots(policy, with "2")
    assert(table.concat(d.menu.entries[1].decision.args, " ") == "a b")
    _, _, d = boots(policy, with "3")
    assert(table.concat(d.args, " ") == "a b c")
    assert(fire(policy, "d"))
    _, _, d = boots(policy, with "1")
    assert(d.why == "done " .. MAC)
    _, _, d = boots(policy, with "2")
    assert(d.menu.entries[1].decision.why == "done " .. MAC)
    assert(boots(policy, with "3") == "deny")
end

function tests.once_written_wrongly()
    policies.refuses([[
profile "p" { kernel = "k" }
rule "a" { boot = once { "p" } }
rule "b" { boot = once { done_on = "x", again_on = "x" } }
rule "d" { boot = once { "el9", done_on = "x", then_boot = { kernel = "k", inird = 1 } } }
rule "c" { boot = once { "p", done_on = "a b", by = "mcc", then_boot = "q", after = 1 } }
]], {
        'policy.lua:2: once has no done_on: which event says that it is done',
        'policy.lua:3: once.again_on: found "x", which is done_on',
        'policy.lua:3: once: found nothing to boot, expected once { "profile", … }',
        'policy.lua:4: once[1]: there is no profile "el9"',
        'policy.lua:4: unknown key "inird" in once.then_boot (did you mean "initrd"?)',
        'policy.lua:5: once.by: a machine has no field "mcc" (did you mean "mac"?)',
        'policy.lua:5: once.done_on: found "a b", expected an event\'s name: up to 64 letters, digits and _ . -',
        'policy.lua:5: once.then_boot: there is no profile "q" (did you mean "p"?)',
        'policy.lua:5: unknown key "after" in once',
    })
    local policy = policies.load [[
profile "p" { kernel = "k" }
rule "r" { boot = function() return once { "p", done_on = "x" } end }
]]
    local _, problem = boots(policy)
    assert(problem == "policy.lua:2: once: only while the policy loads, not in a function", problem)
end

function tests.handlers()
    local policy = policies.load [[
on("a", function(machine, event)
  state.set("first", { machine.mac, event.name, event.time, event.params.x or "none", event.client or "nobody" })
end)
on("a", function() error "the second" end)
on("a", function(_, event) sleep(2) state.set("third", event.body) end)
on("b", function(_, event) return event.nmae end)
]]
    local m = policies.machine({ mac = MAC }, "ipxe")
    local clock = waits.virtual(5)
    local ok, problem = waits.run(clock.serve, events.fire, policy, m,
                                  { name = "a", time = 7, params = { x = "y" }, body = "text" })
    assert(not ok and problem == "policy.lua:4: the second", problem)
    assert(policy.state.store:get "state/first" == '["52:54:00:00:00:01","a",7,"y","nobody"]')
    assert(policy.state.store:get "state/third" == '"text"' and clock.elapsed == 2)
    ok, problem = fire(policy, "b")
    assert(not ok and problem == 'policy.lua:6: an event has no field "nmae" (did you mean "name"?)', problem)
    policies.refuses('on("a b", function() end)\non("a", 1)\non(1, on)', {
        'policy.lua:1: on: found "a b", expected an event\'s name: on("installed", function…)',
        'policy.lua:2: on "a": found 1, expected a function of the machine and the event',
        'policy.lua:3: on: found 1, expected an event\'s name: on("installed", function…)',
    })
end

function tests.state()
    local now = 100
    local policy = policies.load [[
on("do", function()
  assert(state.set("a/1", { list = { 1, 2 }, text = "x" }))
  assert(state.set("a/2", true))
  assert(state.set("b", "gone soon", { ttl = 5 }))
  assert(state.get("a/1").list[2] == 2 and state.get "a/2" == true and state.get "c" == nil)
  assert(state.update("n", function(n) return (n or 0) + 1 end) == 1)
  assert(state.update("n", function(n) return n + 1 end) == 2)
  assert(state.delete "a/2" and state.delete "never")
  assert(state.update("gone", function() return nil end))
  local keys = {}
  for key, value in state.each "a/" do keys[#keys + 1] = key assert(value.text == "x") end
  for key in state.each() do keys[#keys + 1] = key end
  assert(table.concat(keys, " ") == "a/1 a/1 b n", table.concat(keys, " "))
end)
rule "r" { boot = function() return deny(state.get "b" or "gone") end }
]]
    policy.state.store = store.memory(function()
        return now
    end)
    local ok, problem = fire(policy, "do")
    assert(ok, problem)
    local _, _, d = boots(policy)
    assert(d.why == "gone soon")
    now = 105
    _, _, d = boots(policy)
    assert(d.why == "gone")
end

-- Another writes between reading and writing.
function tests.update_tries_again()
    local policy = policies.load [[
local tries = 0
on("do", function()
  assert(state.update("n", function(n) tries = tries + 1 return n .. tries end) == "other2")
end)
]]
    local memory = policy.state.store
    local write = memory.write
    memory:write { key = "state/n", text = '"mine"' }
    function memory.write(self, change)
        if change.key == "state/n" then
            self.write = nil
            write(self, { key = change.key, text = '"other"' })
        end
        return write(self, change)
    end
    local ok, problem = fire(policy, "do")
    assert(ok, problem)
end

function tests.deciding_changes_nothing()
    local policy = policies.load [[
rule "boot" { match = { serial = "A" }, boot = function() state.set("x", 1) end }
rule "match" { match = function() state.delete "x" end, boot = disk }
serve "/page" (function(request) state.set("by", request.method) return "ok" end)
on("wrong", function() state.set("f", print) end)
on("wrong2", function() state.set("", 1) end)
on("wrong3", function() state.set("k", 1, { tll = 1 }) end)
on("wrong4", function() state.set("k", ("x"):rep(70000)) end)
on("right", function() state.set("k", 1) end)
]]
    local _, problem = boots(policy, { mac = MAC, serial = "A" })
    assert(problem == "policy.lua:1: state.set: deciding changes nothing; write in on, or in serve when"
                      .. " request.method is POST", problem)
    _, problem = boots(policy)
    assert(problem:find("^policy.lua:2: state.delete: deciding changes nothing"), problem)
    local answer = simulate.get(policy, "/page")
    assert(answer.status == 500 and answer.error:find("deciding changes nothing", 1, true))
    assert(post(policy, "/page").body == "ok" and policy.state.store:get "state/by" == '"POST"')
    for event, expected in pairs {
        wrong = "policy.lua:4: state.set: JSON has nothing for a function",
        wrong2 = 'policy.lua:5: state.set: found "", expected a key: text of 1 to 394 bytes',
        wrong3 = 'policy.lua:6: state.set: there is no option "tll"',
    } do
        local ok
        ok, problem = fire(policy, event)
        assert(not ok and problem == expected, problem)
    end
    assert(fire(policy, "wrong4") and fire(policy, "right"))
    -- A coroutine that has served a handler serves a decision next.
    _, problem = boots(policy, { mac = MAC, serial = "A" })
    assert(problem:find "deciding changes nothing")
    policies.refuses('state.get "x"', { "policy.lua:1: state.get: only in a function, when the policy is loaded" })
end

function tests.the_memory_store()
    local now = 1
    local s = store.memory(function()
        return now
    end)
    local first = assert(s:write { key = "a", text = "1", version = 0 })
    assert(s:write { key = "a", text = "2", version = 0 } == false)
    local second = assert(s:write { key = "a", text = "2", version = first })
    assert(s:write { key = "a", version = first } == false and s:write { key = "a", version = second } == 0)
    assert(s:get "a" == nil and s:write { key = "a", text = "3", version = second } == false)
    assert(s:write { key = "t", text = "x", ttl = 2 } and s:get "t" == "x")
    now = 3
    assert(s:get "t" == nil and #s:list "" == 0 and s:write { key = "t", text = "y", version = 0 })
    assert(select(2, s:write { key = ("k"):rep(401), text = "" }):find "400 are the most")
end

-- A mistyped name is no reason to refuse what an installer tells, but somebody should know.
function tests.an_event_that_nothing_knows()
    host.logged = {}
    local policy = policies.load(INSTALL)
    local query = "token=~mac=" .. MAC
    assert(post(policy, "/event/instaled", query).body == "ok\n" and boots(policy) ~= "disk")
    assert(#host.logged == 1 and host.logged[1].level == "warn" and host.logged[1].message == MAC ..
           ' posted instaled: nothing in the policy knows the event "instaled" (did you mean "installed"?)')
    assert(post(policy, "/event/reinstall", query).body == "ok\n")
    assert(post(policy, "/event/installed", query).body == "ok\n" and #host.logged == 1)
end

function tests.posted_events()
    local policy = policies.load(INSTALL .. 'on("installed", function(_, e) state.set("from", e.params) end)\n')
    local m = policies.machine({ mac = MAC, uuid = "00112233-4455-6677-8899-aabbccddeeff", serial = "S 1" }, "ipxe")
    policy.base = simulate.base
    local d = require("engine").decide(policy, m):render()
    local path, query = d.args[1]:match "^done=http://10.0.0.2:8080([^?]+)%?(.*)$"
    assert(path == "/event/installed", d.args[1])
    assert(query == "token=~mac=52:54:00:00:00:01~uuid=00112233-4455-6677-8899-aabbccddeeff~serial-hex=532031", query)
    local reply, info = post(policy, path, query .. "&how=well%20done")
    assert(reply.body == "ok\n" and info.machine == MAC and info.verdict == "event installed")
    assert(policy.state.store:get "state/from" == '{"how":"well done"}')
    assert(boots(policy) == "disk")
    assert(simulate.get(policy, path .. "?" .. query).status == 405)
    assert(post(policy, "/event/a b", query).status == 400)
    assert(post(policy, "/event/installed", "mac=" .. MAC).status == 400)
    reply, info = post(policy, "/event/installed", "token=~mac=nonsense")
    assert(reply.status == 400 and info.error:find "mac")
    reply, info = post(policy, "/event/installed", "token=~serial=S")
    assert(reply.reason == "failed" and info.error:find "cannot be known again")
    policies.refuses('serve "/event/x" (function() end)', { 'policy.lua:1: serve "/event/x": /event is moonboot\'s own' })
end

local function command(policy, name, arguments)
    local reply, info = waits.run(nil, require("routes").handle, policy,
                                  { protocol = "control", command = name, arguments = arguments })
    return require("json").decode(reply.body), info
end

-- An empty list would read as "all is well".
function tests.commands_where_nothing_is_remembered()
    local policy = policies.load(INSTALL)
    assert(fire(policy, "installed", { mac = MAC })) -- this process's memory is not the site's
    for _, asked in ipairs { { "machines", "" }, { "machines", "stuck=600" }, { "machines", MAC }, { "machine", MAC },
                             { "machine", "52:54:00:00:00:77" } } do
        local answer = command(policy, asked[1], asked[2])
        assert(answer.error == "this site remembers nothing: `state` in site.yaml names where it is kept", answer.error)
    end
    assert(command(policy, "machine", "nobody").error:find "is neither")
end

-- What operators say and ask on the control socket.
function tests.commands()
    local policy = policies.load(INSTALL .. 'on("reinstall", function(m) log.info("again", m.uuid) end)\n')
    policy.state.store.lasts = true
    assert(#command(policy, "machines", "").machines == 0)
    local uuid = "00112233-4455-6677-8899-aabbccddeeff"
    assert(fire(policy, "installed", { mac = MAC, uuid = uuid }, { client = "10.0.0.9" }))
    assert(boots(policy) == "disk")
    local answer, info = command(policy, "event", "reinstall 52-54-00-00-00-01")
    assert(answer.result == "taken" and answer.machine == MAC and info.verdict == "event reinstall")
    assert(boots(policy) == "el9")
    assert(host.logged[#host.logged].message:find("again " .. uuid, 1, true))
    local record = command(policy, "machines", MAC)
    assert(record.mac == MAC and record.uuid == uuid and #record.events == 2)
    local first, second = record.events[1], record.events[2]
    assert(first.name == "installed" and first.time == 1000 and first.client == "10.0.0.9" and first.from == "machine")
    assert(second.name == "reinstall" and second.from == "operator")
    assert(command(policy, "machines", "").machines[1].mac == MAC)
    for i = 1, 60 do
        assert(fire(policy, "n" .. i))
    end
    record = command(policy, "machines", MAC)
    assert(#record.events == 50 and record.events[1].name == "n11" and record.uuid == uuid)
    for arguments, problem in pairs {
        ["reinstall"] = "expected an event and a machine",
        ["reinstall nobody"] = '"nobody" is neither a MAC address nor a UUID, nor serial=…',
        ["reinstall serial=X"] = "once: a machine without mac cannot be known again",
        ["a/b " .. MAC] = "expected an event's name",
    } do
        local found = command(policy, "event", arguments)
        assert(found.error:find(problem, 1, true), found.error)
    end
    assert(command(policy, "machines", "52:54:00:00:00:09").error == "nothing is known of 52:54:00:00:00:09")
end

-- Where there are tokens an event without one, or with another's, is nobody's.
function tests.tokens()
    local policy = policies.load(INSTALL)
    host.token = {
        make = function(purpose, who, name)
            return (("%s|%s|%s"):format(purpose, who, name):gsub(".", function(c)
                return ("%02x"):format(c:byte())
            end))
        end,
        problem = function(purpose, who, name, _, text)
            return text ~= host.token.make(purpose, who, name) and "it is another's" or nil
        end,
        once = function()
        end,
    }
    local function try()
        local _, _, d = boots(policy)
        local query = d.args[1]:match "%?(.*)$"
        assert(query:find "^token=~mac=52:54:00:00:00:01~token=%x+$", query)
        for _, wrong in ipairs { "", "token=~mac=52:54:00:00:00:01", query .. "0",
                                 (query:gsub("00:01", "00:02")) } do
            local reply, info = post(policy, "/event/installed", wrong)
            assert(reply.reason == "denied" and info.verdict == "refused", wrong)
        end
        assert(post(policy, "/event/reinstall", query).reason == "denied")
        assert(boots(policy) == "el9")
        assert(post(policy, "/event/installed", query).status == 200 and boots(policy) == "disk")
    end
    local ok, message = pcall(try)
    host.token = nil
    assert(ok, message)
end

return tests
