-- Verdicts that choose: inline profiles, shell, menus, rollouts.

local outcome = require "outcome"
local policies = require "policies"
local rollout = require "rollout"

local tests = {}

local load, decide = policies.load, policies.decide

function tests.a_profile_of_the_rules_own()
    local policy = load [=[
rule "written" { match = { serial = "1" }, args = { "quiet" }, boot = {
  kernel = "{{arch}}/vmlinuz", initrd = { "a", "b" }, args = { "x={{role}}" }, vars = { role = "db" } } }
rule "made" { match = { serial = "2" }, boot = function(m)
  return { kernel = "http://h/" .. m.mac, initrd = "i", args = { "n", 2 }, vars = { a = 1 }, dhcp = { file = "f" } }
end }
rule "program" { match = { serial = "3" }, boot = { dhcp = { file = "boot.efi" } } }
]=]
    local d = decide(policy, { serial = "1", arch = "bios" })
    assert(d.verdict == "boot" and d.kernel == "bios/vmlinuz" and table.concat(d.initrd, " ") == "a b")
    assert(table.concat(d.args, " ") == "x=db quiet" and d.profile.name == nil)
    assert(outcome.verdict(d) == "boot" and outcome.facts(d).profile == nil)
    d = decide(policy, { serial = "2", mac = "525400000001" })
    assert(d.kernel == "http://h/52:54:00:00:00:01" and d.initrd[1] == "i" and table.concat(d.args, " ") == "n 2", d.error)
    assert(d.vars.a == 1 and d.dhcp.file == "f")
    assert(decide(policy, { serial = "3" }).dhcp.file == "boot.efi")
    policies.refuses([[
rule "a" { boot = { kernel = "x",
  inird = "y", args = 1 } }
rule "b" { boot = { initrd = "x" } }
rule "c" { boot = { kernel = "x", dhcp = {
  server = "x" } } }
rule "d" { boot = { use = "x", kernel = "x" } }
]], {
        'policy.lua:2: boot.args: found 1, expected a list of texts, such as { "ip=dhcp" }',
        'policy.lua:2: unknown key "inird" in boot of rule "a" (did you mean "initrd"?)',
        "policy.lua:3: boot has neither kernel nor dhcp.file: there is nothing to boot",
        'policy.lua:5: boot.dhcp.server: found "x", expected an IPv4 address',
        'policy.lua:6: boot.use: there is no profile "x"',
        'policy.lua:6: unknown key "kernel" in boot of rule "d"',
    })
end

function tests.shell()
    local policy = load 'rule "r" { boot = shell } rule "s" { boot = function() return { use = shell } end }'
    assert(decide(policy, {}).verdict == "shell")
end

local MENU = [=[
profile "el9" { kernel = "el9", args = { "h={{serial}}" } }
local m = menu {
  title = "{{mac}}", timeout = 10, default = "Rescue",
  { "Install {{serial}}", "el9" },
  { "Rescue", { use = "el9", args = { "rescue" } } },
  { "Disk", disk },
  { "Own", { kernel = "k" } },
  { "Shell", shell },
}
rule "m" { match = { vlan = 1 }, boot = m, args = { "quiet" } }
rule "f" { match = { vlan = 2 }, boot = function() return { use = m, args = { "more" } } end }
rule "g" { match = { vlan = 3 }, boot = function(machine) return menu { { machine.serial, disk } } end }
]=]

function tests.menus()
    local policy = load(MENU)
    local d = decide(policy, { vlan = 1, mac = "525400000001", serial = "S" })
    assert(d.verdict == "menu" and d.menu.title == "52:54:00:00:00:01" and d.menu.timeout == 10 and d.menu.default == 2)
    local e = d.menu.entries
    assert(#e == 5 and e[1].label == "Install S" and e[1].decision.profile.name == "el9")
    assert(table.concat(e[1].decision.args, " ") == "h=S quiet")
    assert(table.concat(e[2].decision.args, " ") == "h=S quiet rescue")
    assert(e[3].decision.verdict == "disk" and e[4].decision.kernel == "k" and e[5].decision.verdict == "shell")
    assert(outcome.verdict(d) == "menu")
    local facts = outcome.facts(d)
    assert(facts.menu.entries[2].profile == "el9" and facts.menu.entries[2].label == "Rescue")
    d = decide(policy, { vlan = 2, mac = "525400000001", serial = "S" })
    assert(table.concat(d.menu.entries[2].decision.args, " ") == "h=S rescue more")
    d = decide(policy, { vlan = 3, serial = "S" })
    assert(d.menu.entries[1].label == "S" and d.menu.timeout == nil and d.menu.default == 1 and d.menu.title == "Boot")
end

-- An entry that cannot be made is what the rule has for on_error; one that a title needs, all.
function tests.menus_that_fail()
    local policy = load [=[
profile "p" { kernel = "{{asset}}" }
rule "e" { match = { vlan = 1 }, boot = menu { { "P", "p" }, { "Disk", disk } }, on_error = deny "no" }
rule "t" { match = { vlan = 2 }, boot = menu { title = "{{asset}}", { "Disk", disk } }, on_error = deny "no" }
]=]
    local d = decide(policy, { vlan = 1 })
    local first = d.menu.entries[1].decision
    assert(d.verdict == "menu" and first:render().verdict == "deny" and first.error and d.menu.entries[2].decision.verdict == "disk")
    d = decide(policy, { vlan = 2 })
    assert(d:render().verdict == "deny" and d.why == "no" and d.menu == nil)
end

function tests.menus_written_wrongly()
    policies.refuses([[
rule "a" { boot = menu {
  titel = "x", timeout = "x",
  default = "Dsik",
  { "a", "nope" },
  { "Disk", dsik },
  { "b" },
  { "c", menu { { "x", disk } } },
  { "d", function() end }, "x",
} }
local m = menu { default = 3, { 1, disk }, { "Disk", disk, disk } }
menu { timeout = -1, { "unused", "nope" } }
rule "b" { boot = menu }
rule "c" { boot = menu {} }
menu "x"
]], {
        'policy.lua:2: menu.timeout: found "x", expected seconds',
        'policy.lua:2: unknown key "titel" in menu (did you mean "title"?)',
        'policy.lua:3: menu.default: there is no entry "Dsik" (did you mean "Disk"?)',
        'policy.lua:4: menu[1][2]: there is no profile "nope"',
        'policy.lua:5: unknown word "dsik" (did you mean "disk"?)',
        'policy.lua:6: menu[3]: found 1 values, expected { "label", what it boots }',
        "policy.lua:7: menu[4]: found a menu in a menu",
        'policy.lua:8: menu[5][2]: found a function, expected a profile\'s name, disk, ignore, shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel',
        'policy.lua:8: menu[6]: found "x", expected { "label", what it boots }',
        'policy.lua:10: menu.default: there is no entry 3',
        "policy.lua:10: menu[1][1]: found 1, expected a label",
        'policy.lua:10: menu[2]: found 3 values, expected { "label", what it boots }',
        "policy.lua:11: menu.timeout: found -1, expected seconds, up to a day",
        'policy.lua:11: menu[1][2]: there is no profile "nope"',
        "policy.lua:12: boot: found a word without its argument",
        'policy.lua:13: menu has no entries, expected some { "label", what it boots }',
        'policy.lua:14: menu: found "x", expected { … }',
    })
end

function tests.the_buckets_never_change()
    assert(rollout.bucket "" == 8923 and rollout.bucket "r\00052:54:00:00:00:01" == 4035,
           rollout.bucket "" .. " " .. rollout.bucket "r\00052:54:00:00:00:01")
end

local function members(percent, salt)
    local policy = load(([[
profile "new" { kernel = "n" } profile "old" { kernel = "o" }
rule "r" { boot = rollout { percent = %g, use = "new", otherwise = "old", salt = %q } }
]]):format(percent, salt))
    local set, n = {}, 0
    for i = 1, 4000 do
        local mac = ("52:54:00:00:%02x:%02x"):format(math.floor(i / 256), i % 256)
        if decide(policy, { mac = mac }, "dhcp").profile.name == "new" then
            set[mac], n = true, n + 1
        end
    end
    return set, n
end

-- Stable, as large as asked for, growing with the percentage, and differently salted.
function tests.rollouts_grow()
    local before, last = {}, 0
    for _, percent in ipairs { 0, 1, 10, 33.3, 90, 100 } do
        local set, n = members(percent, "a")
        for mac in pairs(before) do
            assert(set[mac])
        end
        assert(math.abs(n - percent * 40) <= 80 and n >= last, n)
        before, last = set, n
    end
    local a, b, both = members(50, "a"), members(50, "b"), 0
    for mac in pairs(a) do
        both = both + (b[mac] and 1 or 0)
    end
    assert(math.abs(both - 1000) < 150, both)
end

function tests.rollouts_by_other_fields()
    local policy = load [=[
rule "r" { match = { vlan = 1 }, boot = rollout { percent = 100, use = disk, otherwise = deny "x", by = "serial" } }
rule "s" { match = { vlan = 2 }, on_error = rollout { percent = 100, use = disk, otherwise = ignore },
  boot = function() error "x" end }
rule "t" { match = { vlan = 3 }, boot = rollout { percent = 100, by = "label.rack", otherwise = ignore,
  use = rollout { percent = 100, use = disk, otherwise = ignore } } }
rule "u" { boot = rollout { percent = 100, use = disk, otherwise = ignore, by = "serial" } }
]=]
    assert(decide(policy, { vlan = 1, serial = "x" }).verdict == "disk")
    assert(decide(policy, { vlan = 1 }).verdict == "deny")
    local d = decide(policy, { vlan = 2, mac = "525400000001" })
    assert(d.verdict == "disk" and d.error)
    assert(decide(policy, { vlan = 3, mac = "525400000001", ["label.rack"] = "1" }).verdict == "disk")
    assert(decide(policy, { vlan = 3, mac = "525400000001" }).verdict == "ignore")
    d = decide(policy, { vlan = false, mac = "525400000001" }, "dhcp")
    assert(d.verdict == "undetermined" and d.needs == "serial")
end

function tests.rollouts_written_wrongly()
    policies.refuses([[
rollout { percent = 101, use = disk, otherwise = disk }
rollout { use = disk,
  otherwise = "nope", by = "serail", salt = 1 }
rollout { percent = 1, otherwise = "nope", by = "features", precent = 2 }
rollout { percent = 1, use = "nope",
  otherwise = "nope" }
]], {
        "policy.lua:1: rollout.percent: found 101, expected a number from 0 to 100",
        "policy.lua:2: rollout.percent: found nothing, expected a number from 0 to 100",
        'policy.lua:3: rollout.by: a machine has no field "serail" (did you mean "serial"?)',
        'policy.lua:3: rollout.otherwise: there is no profile "nope"',
        "policy.lua:3: rollout.salt: found 1, expected some text",
        "policy.lua:4: rollout has no use",
        "policy.lua:4: rollout.by: features has several values",
        'policy.lua:4: rollout.otherwise: there is no profile "nope"',
        'policy.lua:4: unknown key "precent" in rollout (did you mean "percent"?)',
        'policy.lua:5: rollout.use: there is no profile "nope"',
        'policy.lua:6: rollout.otherwise: there is no profile "nope"',
    })
end

return tests
