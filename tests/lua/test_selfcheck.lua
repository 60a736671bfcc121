-- What a trial of a policy finds before it serves.

local policies = require "policies"
local selfcheck = require "selfcheck"

local tests = {}

local function warnings(text)
    local policy = policies.load(text)
    return selfcheck.run(policy)
end

function tests.a_good_policy_has_none()
    local found = warnings [[
        profile "p" { kernel = "vmlinuz", args = { "{{serial}}" } }
        rule "a" { match = { arch = "efi-x64" }, boot = function(m) if m.serial then return "p" end end }
        rule "b" { boot = disk }
    ]]
    assert(#found == 0, found[1])
end

function tests.a_throw_is_seen_once()
    local found = warnings [[
        rule "a" { boot = function(m) local t = nil; return t.x end }
    ]]
    assert(#found == 1, #found)
    assert(found[1]:find("policy.lua:1: ", 1, true) and found[1]:find("attempt to index", 1, true), found[1])
    assert(found[1]:find("(in a trial: bios, stage ", 1, true), found[1])
end

function tests.an_architecture_alone()
    local found = warnings [[
        rule "a" { match = { arch = "efi-arm64" }, boot = function() return 42 end }
        rule "b" { boot = ignore }
    ]]
    assert(#found >= 1 and found[1]:find("efi-arm64", 1, true), found[1])
end

function tests.who_waits_is_not_blamed()
    local found = warnings [[
        rule "a" { boot = function() sleep(0.1) error "after a wait" end }
    ]]
    assert(#found == 1, #found)
end

return tests
