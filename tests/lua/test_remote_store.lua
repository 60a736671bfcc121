-- A store that is elsewhere: reading waits, in functions that can and for those that cannot.

local engine = require "engine"
local policies = require "policies"
local store = require "store"
local waits = require "waits"

local host = host

local tests = {}

local MAC = "52:54:00:00:00:01"

-- A policy whose store has nothing at hand.
local function load(text)
    local policy = policies.load(text)
    host.store = { get = function() return false end, list = function() return false end }
    store.attach(policy)
    return policy
end

-- What is decided, while `serve` answers what is waited for; what that was, as texts.
local function decide(policy, serve, mac)
    local asked = {}
    local d = waits.run(function(wait)
        assert(wait.kind == "state")
        asked[#asked + 1] = (wait.get or wait.list) .. (wait.after and " after " .. wait.after or "")
        return serve(wait)
    end, function()
        return engine.decide(policy, policies.machine({ mac = mac or MAC }, "ipxe")):render()
    end)
    host.store = nil
    return d, table.concat(asked, ", ")
end

local function nothing()
    return false
end

local INSTALL = [[
profile "el9" { kernel = "k" }
rule "r" { boot = once { "el9", done_on = "installed", then_boot = shell }, on_error = disk }
]]

function tests.once()
    local d, asked = decide(load(INSTALL), nothing)
    assert(d.profile.name == "el9" and asked == "once/installed/mac/" .. MAC, asked)
    d = decide(load(INSTALL), function() return '{"at":1}', 7 end)
    assert(d.verdict == "shell")
end

-- Not to know is never to install.
function tests.failures()
    local d = decide(load(INSTALL), function() return nil, "it is away" end)
    assert(d.verdict == "disk" and d.error == "policy.lua:2: once: the state cannot be read: it is away", d.error)
    d = decide(load(INSTALL), function() return host.expired, 400 end)
    assert(d.verdict == "disk" and d.error:find("no answer within 0.4 s", 1, true), d.error)
    d = decide(load [[rule "r" { match = function() return state.get "x" end, boot = shell, on_error = disk }]],
               function() return nil, "it is away" end)
    assert(d.verdict == "disk" and d.error:find("it is away", 1, true), d.error)
    d = decide(load [[rule "r" { boot = function() return state.get "x" end, on_error = disk }]],
               function() return host.expired, 400 end)
    assert(d.verdict == "disk" and d.error:find("no answer within 0.4 s", 1, true), d.error)
end

-- What a function that cannot wait wants is fetched, and it is called anew; its pcall hides nothing.
function tests.match_functions()
    local policy = load [[
local calls = 0
rule "r" {
  match = function(machine)
    calls = calls + 1
    local ok, a = pcall(state.get, "a/" .. machine.mac)
    local keys = {}
    for key, value in state.each "l/" do keys[#keys + 1] = key .. value end
    return ok and a == 1 and table.concat(keys, " ") == "l/x1 l/y2 l/z3" and state.get "b" == nil
           and state.get("a/" .. machine.mac) == 1 and calls == 5
  end,
  boot = shell,
}
]]
    local d, asked = decide(policy, function(wait)
        if wait.get then
            return wait.get == "state/a/" .. MAC and "1" or false, 3
        elseif wait.after then
            return { { key = "state/l/z", text = "3" } }
        end
        return { { key = "state/l/x", text = "1" }, { key = "state/l/y", text = "2" } }, "state/l/y"
    end)
    assert(d.verdict == "shell", d.error)
    assert(asked == "state/a/" .. MAC .. ", state/l/, state/l/ after state/l/y, state/b", asked)
end

function tests.a_match_function_that_reads_without_end()
    local d, asked = decide(load [[
rule "r" { match = function() for i = 1, 1e6 do state.get("k" .. i) end end, boot = shell, on_error = disk }
]], nothing)
    assert(d.verdict == "disk" and d.error:find("more is read than can be asked for here", 1, true), d.error)
    assert(select(2, asked:gsub(",", "")) == 63, asked)
end

function tests.menus()
    local d = decide(load [[
profile "el9" { kernel = "k" }
rule "r" { boot = menu { { "install", once { "el9", done_on = "installed", then_boot = shell } }, { "disk", disk } } }
]], function() return "{}", 1 end)
    assert(d.menu.entries[1].decision.verdict == "shell" and d.menu.entries[2].decision.verdict == "disk")
end

-- Others are decided meanwhile, with a base of their own.
function tests.others_meanwhile()
    local policy = load(INSTALL)
    local function start(base)
        return coroutine.create(function()
            policy.base = base
            local d = engine.decide(policy, policies.machine({ mac = MAC }, "ipxe")):render()
            return "done", d, policy.base
        end)
    end
    local first, second = start "http://a", start "http://b"
    local _, wait = coroutine.resume(first)
    assert(wait.kind == "state")
    coroutine.resume(second)
    local _, done, d, base = coroutine.resume(first, false)
    assert(done == "done" and d.profile.name == "el9" and base == "http://a", base)
    _, done, d, base = coroutine.resume(second, "{}", 1)
    assert(done == "done" and d.verdict == "shell" and base == "http://b")
    host.store = nil
end

return tests
