-- Stages of boots: noted as replies go out, written down later, asked for by several ways; and events
-- that a policy emits.

local events = require "events"
local identity = require "identity"
local json = require "json"
local known = require "known"
local policies = require "policies"
local routes = require "routes"
local simulate = require "simulate"
local stages = require "stages"
local timeline = require "timeline"
local url = require "url"
local waits = require "waits"

local tests = {}

local MAC, IP = "52:54:00:00:00:01", "10.0.0.9"

local POLICY = [[
profile "el9" {
  kernel = "el9/vmlinuz", args = { "done={{event 'installed'}}" }, config = { ["user-data"] = "hello" },
}
profile "far" { kernel = "http://elsewhere.lab/vmlinuz" }
on("boot:kernel", function(machine, event) state.set("kernel", machine.mac .. " " .. event.params.what) end)
on("boot:script", function(machine, event) state.set("scripts", (state.get "scripts" or 0) + 1) end)
on("installed", function() end)
rule "disk" { match = { mac = "52:54:00:00:00:99" }, boot = disk }
rule "far" { match = { mac = "52:54:00:00:00:98" }, boot = "far" }
rule "denied" { match = { mac = "52:54:00:00:00:97" }, boot = deny "the password is secret" }
rule "ours" { match = { mac = prefix "52:54:00" }, boot = "el9" }
]]

-- A policy whose stages are seen, as in the service, and a clock of the test's own.
local function watched(text)
    local policy = policies.load(text or POLICY)
    local clock = { now = 1000, woken = 0 }
    stages.attach(policy, function()
        clock.woken = clock.woken + 1
    end)
    return policy, clock
end

local function with_time(clock, f)
    local time = host.time
    function host.time()
        return clock.now
    end
    local ok, message = xpcall(f, debug.traceback)
    host.time = time
    assert(ok, message)
end

local function get(policy, path, query, client)
    return waits.run(nil, routes.handle, policy, {
        protocol = "http", method = "GET", path = path, query = query, client = client or IP,
        server = simulate.server, base = simulate.base, user_agent = "iPXE/1.0",
    })
end

local function settle(policy)
    local more, problem, dropped = waits.run(nil, stages.settle, policy)
    assert(not problem, problem)
    return more, dropped
end

local function names(policy, mac)
    local record = timeline.get(policy.state.store, { mac = mac or MAC })
    local list = {}
    for i, event in ipairs(record and record.events or {}) do
        list[i] = event.name .. (event.what and " " .. event.what or "") .. (event.count and " x" .. event.count or "")
    end
    return table.concat(list, ", "), record
end

local function boot(policy)
    simulate.dhcp(policy, policies.machine({ mac = MAC, arch = "efi-x64" }, "dhcp"))
    get(policy, "/ipxe", "mac=" .. MAC .. "&serial=R5")
    get(policy, "/assets/el9/vmlinuz")
    get(policy, "/config/user-data", "mac=" .. MAC)
end

function tests.a_boot_is_recorded_when_it_is_settled()
    local policy, clock = watched()
    with_time(clock, function()
        boot(policy)
        assert(names(policy) == "" and clock.woken == 1) -- deciding has no side effects
        assert(settle(policy) == false)
        local text, record = names(policy)
        assert(text == "boot:offered boot el9, boot:script boot el9, boot:kernel el9/vmlinuz, boot:document user-data", text)
        assert(record.serial == "R5" and record.client == IP and record.kernel == "el9/vmlinuz")
        assert(record.events[2].from == "boot" and record.events[2].time == 1000 and record.events[2].client == IP)
        assert(json.decode((policy.state.store:get "state/kernel")) == MAC .. " el9/vmlinuz")
    end)
end

function tests.what_is_seen_again_is_the_same_once_more()
    local policy, clock = watched()
    with_time(clock, function()
        for _ = 1, 3 do
            get(policy, "/ipxe", "mac=" .. MAC)
        end
        settle(policy)
        assert(names(policy) == "boot:script boot el9") -- firmware asks again and again
        clock.now = 1010
        get(policy, "/ipxe", "mac=" .. MAC)
        settle(policy)
        local text, record = names(policy)
        assert(text == "boot:script boot el9 x2" and record.events[1].last == 1010)
        assert(json.decode((policy.state.store:get "state/scripts")) == 1) -- handlers are called once
        clock.now = 1700
        get(policy, "/ipxe", "mac=" .. MAC)
        settle(policy)
        assert(names(policy) == "boot:script boot el9 x2, boot:script boot el9")
        assert(json.decode((policy.state.store:get "state/scripts")) == 2)
    end)
end

function tests.a_kernel_is_its_machines()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/assets/el9/vmlinuz") -- nobody was told anything there
        get(policy, "/ipxe", "mac=" .. MAC)
        get(policy, "/assets/el9/initrd.img")
        get(policy, "/assets/el9/vmlinuz", nil, "10.0.0.8")
        settle(policy)
        assert(names(policy) == "boot:script boot el9", names(policy))
        assert(#policy.state.store:list "machine/" == 1)
        clock.now = 1020
        waits.run(nil, routes.handle, policy, { protocol = "tftp", file = "assets/el9/vmlinuz", client = IP,
                                                server = simulate.server, base = simulate.base })
        settle(policy) -- another worker may have told it: the store says whose the address is
        assert(names(policy) == "boot:script boot el9, boot:kernel el9/vmlinuz")
    end)
end

function tests.reasons_are_not_recorded()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/ipxe", "mac=52:54:00:00:00:97")
        settle(policy)
        assert(names(policy, "52:54:00:00:00:97") == "boot:script deny")
    end)
end

function tests.other_writers_lose_nothing()
    local policy, clock = watched()
    with_time(clock, function()
        local store = policy.state.store
        local write, first = store.write, true
        function store.write(self, change)
            if first then
                first = false
                write(self, { key = change.key, text = '{"mac":"' .. MAC .. '","events":[{"name":"x","time":1}]}' })
            end
            return write(self, change)
        end
        get(policy, "/ipxe", "mac=" .. MAC)
        settle(policy)
        assert(names(policy) == "x, boot:script boot el9", names(policy))
    end)
end

function tests.a_store_that_fails_is_said()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/ipxe", "mac=" .. MAC)
        policy.state.store.write = function() return nil, "no space left on device" end
        local _, problem = waits.run(nil, stages.settle, policy)
        assert(problem == "no space left on device", problem)
        local reply, info = routes.handle(policy, { protocol = "control", command = "settle" })
        assert(reply.body == "0 0" and info == nil)
    end)
end

function tests.it_is_bounded()
    local policy, clock = watched()
    with_time(clock, function()
        local store = policy.state.store
        for i = 1, 5000 do -- more than wait, and than may be new
            get(policy, "/ipxe", ("mac=52:54:00:01:%02x:%02x"):format(math.floor(i / 256), i % 256))
        end
        local more, dropped = settle(policy)
        assert(more == true and dropped == 5000 - 4096, dropped)
        repeat until not settle(policy)
        local n = #store:list "machine/"
        assert(n == 2000, n)
        for i = 1, 100 do
            clock.now = 2000 + i * 700
            get(policy, "/ipxe", "mac=" .. MAC)
            settle(policy)
            waits.run(nil, events.fire, policy, policies.machine({ mac = MAC }, "ipxe"),
                      { name = "e" .. i, time = clock.now, params = {} })
        end
        local _, record = names(policy)
        local of = { boot = 0, machine = 0 }
        for _, event in ipairs(record.events) do
            of[event.from] = of[event.from] + 1
        end
        assert(of.boot == 24 and of.machine == 50, of.boot .. " " .. of.machine)
        assert(not store.entries["machine/" .. MAC].ends and store.entries["machine/52:54:00:01:00:01"].ends)
    end)
end

-- A stranger's serial number that is no key takes nothing from the others.
function tests.one_that_cannot_be_written_costs_no_other()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/ipxe", "serial=" .. ("x"):rep(393))
        get(policy, "/ipxe", "mac=" .. MAC)
        settle(policy)
        assert(json.decode((policy.state.store:get "state/scripts")) == 1)
        assert(#policy.state.store:list "machine/" == 1)
        local write = policy.state.store.write
        function policy.state.store.write(self, change)
            if change.key:find("55", 1, true) then
                return nil, "no room"
            end
            return write(self, change)
        end
        for _, mac in ipairs { "52:54:00:00:00:55", "52:54:00:00:00:56" } do
            get(policy, "/ipxe", "mac=" .. mac)
        end
        local more, problem, dropped = waits.run(nil, stages.settle, policy)
        assert(more and problem == "no room" and dropped == 1)
        settle(policy)
        assert(json.decode((policy.state.store:get "state/scripts")) == 2)
    end)
end

-- Its address is remembered longer than it is: the kernel alone is nobody's, the script makes it anew.
function tests.one_that_was_forgotten_is_recorded_again()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/ipxe", "mac=" .. MAC)
        settle(policy)
        local key = policy.state.store:list("machine/")[1].key
        assert(policy.state.store:write { key = key })
        clock.now = 1030
        get(policy, "/assets/el9/vmlinuz")
        get(policy, "/ipxe", "mac=" .. MAC)
        local _, dropped = settle(policy)
        assert(dropped == 0 and names(policy) == "boot:script boot el9", names(policy))
    end)
end

function tests.machines_that_told_of_themselves_are_not_counted()
    local policy, clock = watched()
    with_time(clock, function()
        for i = 1, 600 do
            policy.state.store:write { key = ("machine/%05d"):format(i), text = '{"events":[]}', ttl = i <= 3 and 99 or nil }
        end
        for _ = 1, 3 do -- pages
            settle(policy)
        end
        assert(policy.seen.machines == 3, policy.seen.machines)
        policy.seen.machines = 20000
        get(policy, "/ipxe", "mac=" .. MAC)
        local _, dropped = settle(policy)
        assert(dropped == 1 and names(policy) == "")
    end)
end

-- One that takes long, or fails, costs its own machine's handlers only.
function tests.a_handlers_time_is_its_machines()
    local policy, clock = watched [[
        on("boot:script", function(machine)
          if machine.mac == "52:54:00:00:00:01" then error("no", 0) end
          state.set("called", (state.get "called" or 0) + 1)
        end)
        rule "all" { boot = disk }
    ]]
    with_time(clock, function()
        for i = 1, 3 do
            get(policy, "/ipxe", "mac=52:54:00:00:00:0" .. i)
        end
        local failures, more = 0, true
        while more do
            local problem, _, who
            more, problem, _, who = waits.run(nil, stages.settle, policy)
            if problem then
                failures = failures + 1
                assert(who == MAC and problem:find "no$", problem)
            end
        end
        assert(failures == 1 and json.decode((policy.state.store:get "state/called")) == 2)
        local set = policy.state.store.write_all
        function policy.state.store.write_all(...)
            clock.now = clock.now + 4 -- a slow store: the handlers have a decision of their own
            return set(...)
        end
        clock.now = 3000
        get(policy, "/ipxe", "mac=52:54:00:00:00:04")
        assert(settle(policy) == true and json.decode((policy.state.store:get "state/called")) == 2)
        assert(settle(policy) == false and json.decode((policy.state.store:get "state/called")) == 3)
    end)
end

-- The note of a settling that was ended from outside is counted as lost, and the next goes on.
function tests.one_that_is_ended_from_outside()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/ipxe", "mac=" .. MAC)
        local guard = waits.guard
        waits.guard = function() error("stopped", 0) end
        local ok = pcall(stages.settle, policy)
        waits.guard = guard
        local _, dropped = settle(policy)
        assert(not ok and dropped == 1)
    end)
end

function tests.a_strangers_note_hides_none()
    local policy, clock = watched()
    with_time(clock, function()
        get(policy, "/ipxe", "mac=" .. MAC, "10.0.0.66")
        get(policy, "/ipxe", "mac=" .. MAC)
        settle(policy)
        local text, record = names(policy)
        assert(text == "boot:script boot el9 x2" and record.client == IP, text)
    end)
end

local function stuck(policy, mac, now, seconds)
    return timeline.stuck(timeline.get(policy.state.store, { mac = mac or MAC }), now, seconds)
end

function tests.who_is_stuck()
    local policy, clock = watched()
    with_time(clock, function()
        simulate.dhcp(policy, policies.machine({ mac = MAC, arch = "efi-x64" }, "dhcp"))
        settle(policy)
        assert(stuck(policy, nil, 9000, 600) == nil) -- firmware that went on to its disk
        get(policy, "/ipxe", "mac=" .. MAC)
        get(policy, "/ipxe", "mac=52:54:00:00:00:99", "10.0.0.99")
        get(policy, "/ipxe", "mac=52:54:00:00:00:98", "10.0.0.98")
        settle(policy)
        assert(stuck(policy, nil, 1100, 600) == nil and stuck(policy, nil, 1600, 600) == "boot:script")
        assert(stuck(policy, "52:54:00:00:00:99", 9000, 600) == nil) -- its disk
        assert(stuck(policy, "52:54:00:00:00:98", 9000, 600) == nil) -- a kernel that is not ours
        get(policy, "/assets/el9/vmlinuz")
        settle(policy)
        assert(stuck(policy, nil, 1600, 600) == "boot:kernel")
        clock.now = 1500
        get(policy, "/config/user-data", "mac=" .. MAC)
        settle(policy)
        assert(stuck(policy, nil, 1600, 600) == nil and stuck(policy, nil, 2100, 600) == "boot:document")
        waits.run(nil, events.fire, policy, policies.machine({ mac = MAC }, "ipxe"),
                  { name = "installed", time = 1510, params = {} })
        assert(stuck(policy, nil, 9000, 600) == nil)
        clock.now = 1520
        get(policy, "/config/user-data", "mac=" .. MAC) -- it has called, and reads once more
        settle(policy)
        assert(stuck(policy, nil, 9000, 600) == nil)
    end)
end

local function api(policy, path, query, method)
    local reply = routes.handle(policy, { protocol = "http", method = method or "GET", path = path, query = query,
                                          admin = true, server = simulate.server, base = simulate.base })
    return reply.status, json.decode(reply.body), reply
end

function tests.pages()
    local policy, clock = watched()
    with_time(clock, function()
        for i = 1, 300 do
            policy.state.store:write {
                key = ("machine/52:54:00:00:%02x:%02x"):format(math.floor(i / 256), i % 256),
                text = json.encode { kernel = "k", events = { { name = i % 100 == 0 and "boot:kernel" or "installed",
                                                                time = 1, from = i % 100 == 0 and "boot" or "machine" } } },
            }
        end
        local status, page, reply = api(policy, "/api/v1/machines")
        assert(status == 200 and #page.machines == 256 and page.next == "52:54:00:00:01:00")
        assert(reply.type == "application/json" and page.machines[1].id == "52:54:00:00:00:01")
        status, page = api(policy, "/api/v1/machines", "after=" .. page.next)
        assert(status == 200 and #page.machines == 44 and page.next == json.null)
        local n, after, pages = 0, nil, 0
        repeat
            local _
            _, page = api(policy, "/api/v1/machines", "limit=7" .. (after and "&after=" .. after or ""))
            n, after, pages = n + #page.machines, page.next, pages + 1
        until after == json.null
        assert(n == 300 and pages == 43)
        status, page = api(policy, "/api/v1/machines", "limit=300")
        assert(status == 400 and page.error == 'limit: found "300", expected a number from 1 to 256', page.error)
        status, page = api(policy, "/api/v1/machines", "stuk=3")
        assert(status == 400 and page.error == 'unknown parameter "stuk" (did you mean "stuck"?)', page.error)
        status, page = api(policy, "/api/v1/machines", "stuck=x")
        assert(status == 400 and page.error:find("expected seconds", 1, true))
        status, page = api(policy, "/api/v1/machines", "stuck=60")
        assert(status == 200 and #page.machines == 2 and page.machines[1].stuck == "boot:kernel" and page.next)
        status, page = api(policy, "/api/v1/machines/525400000001")
        assert(status == 200 and page.id == "52:54:00:00:00:01")
        assert(api(policy, "/api/v1/machines/52:54:00:00:09:09") == 404)
        assert(api(policy, "/api/v1/machines/nobody") == 400)
        assert(api(policy, "/api/v1/machines", nil, "POST") == 405)
        assert(known.list(policy, "limit=1 after=52:54:00:00:00:01"):find('"id":"52:54:00:00:00:02"', 1, true))
        assert(#waits.run(nil, function() return known.words(policy.words or { state = policy.state }).machines.stuck(60) end)
               == 3)
    end)
end

-- Serial numbers are whatever strangers send.
function tests.a_serial_number_that_is_no_text()
    local policy, clock = watched()
    with_time(clock, function()
        for _, serial in ipairs { "%ff%feA", "a b", "serial-hex=41", "z" } do
            get(policy, "/ipxe", "serial=" .. serial)
        end
        settle(policy)
        local status, page, reply = api(policy, "/api/v1/machines")
        assert(status == 200 and #page.machines == 4 and not reply.body:find "[\254\255]")
        assert(page.machines[4].id == "serial-hex=fffe41" and page.machines[4].serial == "\239\191\189\239\191\189A")
        assert(page.machines[2].id == "serial-hex=" .. identity.hex "serial-hex=41" and page.machines[1].id == "a b")
        local _, one = api(policy, "/api/v1/machines/serial-hex=fffe41")
        assert(one.id == "serial-hex=fffe41" and one.events[1].name == "boot:script")
        assert(json.decode(known.list(policy, "limit=1 after=a%20b")).next == page.machines[2].id)
        local ids, after = {}, nil
        repeat
            page = json.decode(known.list(policy, "limit=1" .. (after and " after=" .. url.encode(after) or "")))
            ids[#ids + 1], after = page.machines[1].id, page.next ~= json.null and page.next or nil
        until not after
        assert(#ids == 4 and ids[4] == "serial-hex=fffe41", table.concat(ids, ", "))
        reply = routes.handle(policy, { protocol = "control", command = "machine", arguments = "\255" })
        assert(json.decode(reply.body).error:find "^\"\239\191\189\" is neither", reply.body)
        for _, path in ipairs { "serial= ", "serial=", "serial=" .. ("x"):rep(393), "serial=\255" } do
            status, _, reply = api(policy, "/api/v1/machines/" .. path)
            assert(status == (path == "serial=" and 400 or 404) and not reply.body:find "\255", path)
        end
    end)
end

-- Without http.admin the path is a policy's own to serve.
function tests.a_policys_own_page()
    local policy = policies.load 'serve "/api/v1/machines" (function() return "mine" end)'
    assert(get(policy, "/api/v1/machines").body == "mine")
    assert(get(policies.load "", "/api/v1/machines").reason == "not-found")
end

--- emit ---------------------------------------------------------------------------------------

local EMIT = [[
on("installed", function(machine, event)
  emit("report", machine, { what = "x", n = 2 })
  emit("report", "52:54:00:00:00:02")
  state.set("before", state.get "reported" or "none")
end)
on("report", function(machine, event)
  state.set("reported", (state.get "reported" or "") .. machine.mac .. " " .. (event.params.n or "-") .. ";")
end)
on("broken", function(machine) emit("report", machine); error("no", 0) end)
on("round", function(machine) emit("round", machine) end)
on("misused", function(machine, event) emit(unpack(event.params.list or {})) end)
serve "/post" (function(request) emit("installed", request.query.mac); return "ok" end)
serve "/bad" (function() emit("round", "52:54:00:00:00:01"); return "ok" end)
rule "r" { boot = function(machine) emit("report", machine) end, on_error = shell }
]]

local function fire(policy, name, params)
    return waits.run(nil, events.fire, policy, policies.machine({ mac = MAC }, "ipxe"),
                     { name = name, time = 1, params = params or {} })
end

local function reported(policy)
    local text = policy.state.store:get "state/reported"
    return text and json.decode(text)
end

function tests.handlers_emit_when_they_have_ended()
    local policy = policies.load(EMIT)
    assert(fire(policy, "installed"))
    assert(reported(policy) == MAC .. " 2;52:54:00:00:00:02 -;", reported(policy))
    assert(json.decode((policy.state.store:get "state/before")) == "none")
    local _, record = names(policy)
    assert(record.events[2].name == "report" and record.events[2].from == "policy")
    assert(names(policy, "52:54:00:00:00:02") == "report")
end

function tests.what_fails_emits_nothing()
    local policy = policies.load(EMIT)
    local ok, problem = fire(policy, "broken")
    assert(not ok and problem:find "no$" and reported(policy) == nil)
    ok, problem = fire(policy, "round")
    assert(not ok and problem == "emit: more than 100 events come of one", problem)
end

function tests.emitting_is_for_handlers_and_posts()
    local policy = policies.load(EMIT)
    local d = policies.decide(policy, { mac = MAC }, "ipxe")
    assert(d.verdict == "shell" and d.error:find("emit: deciding changes nothing; emit in on, or in serve", 1, true))
    local function ask(method, path, query)
        local reply = waits.run(nil, routes.handle, policy, {
            protocol = "http", method = method, path = path, query = query, client = IP, server = simulate.server,
            base = simulate.base,
        })
        return reply.status or reply.reason
    end
    assert(ask("GET", "/post", "mac=" .. MAC) == "failed" and reported(policy) == nil)
    assert(ask("POST", "/post", "mac=" .. MAC) == 200 and reported(policy):find(MAC, 1, true))
    assert(ask("POST", "/bad") == "failed")
    policies.refuses('emit("a", "52:54:00:00:00:01")',
                     { "policy.lua:1: emit: deciding changes nothing; emit in on, or in serve when request.method is POST" })
end

function tests.what_emit_wants()
    local policy = policies.load(EMIT)
    for _, case in ipairs {
        { { "a b", MAC }, 'emit: found "a b", expected an event\'s name' },
        { { "boot:kernel", MAC }, 'emit: found "boot:kernel", expected an event\'s name' },
        { { "a" }, "emit: found nothing, expected a machine, or its MAC address" },
        { { "a", "x" }, 'emit: "x" is neither a MAC address nor a UUID, nor serial=…' },
        { { "a", MAC, "x" }, 'emit: found "x", expected params' },
        { { "a", MAC, { n = {} } }, "expected names and texts" },
    } do
        local ok, problem = fire(policy, "misused", { list = case[1] })
        assert(not ok and problem:find(case[2], 1, true), problem)
    end
end

function tests.stages_have_names_that_no_event_has()
    local policy = policies.load(EMIT)
    local ok, problem = fire(policy, "boot:kernel")
    assert(not ok and problem:find("expected an event's name", 1, true))
    policies.refuses('on("boot:kernal", function() end)', {
        'policy.lua:1: on: found "boot:kernal", expected an event\'s name: on("installed", function…)'
        .. ' (did you mean "boot:kernel"?)' })
    assert(policies.load('on("boot:kernel", function() end)').stateful)
    assert(policies.load('serve "/x" (function() return tostring(#machines.stuck(5)) end)').stateful)
end

return tests
