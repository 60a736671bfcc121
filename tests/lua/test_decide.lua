local engine = require "engine"
local policies = require "policies"

local tests = {}

local load, decide = policies.load, policies.decide

local base = [[
profile "compute" {
  kernel = "el9/vmlinuz",
  initrd = { "el9/initrd.img", "{{arch}}.img" },
  args = { "ip=dhcp", "hostname={{serial}}" },
  vars = { role = "worker", disk = "sda" },
  dhcp = { file = "a.efi", options = { [43] = "a", [60] = "b" } },
  files = { ["grub.cfg"] = "compute/grub.cfg", x = "y" },
}
]]

function tests.profile_and_rule_together()
    local policy = load(base .. [[
rule "r" {
  match = { arch = "efi-x64" }, boot = "compute", args = { "console={{console}}", "{{role}}" },
  vars = { console = "ttyS1", role = "login" },
  dhcp = { server = "10.0.0.9", options = { [60] = "c" } }, files = { x = false },
}]])
    local d = decide(policy, { arch = 7, serial = "R5" })
    assert(d.verdict == "boot" and d.profile.name == "compute" and d.rule.name == "r")
    assert(d.kernel == "el9/vmlinuz" and table.concat(d.initrd, " ") == "el9/initrd.img efi-x64.img")
    assert(table.concat(d.args, " ") == "ip=dhcp hostname=R5 console=ttyS1 login")
    assert(d.vars.role == "login" and d.vars.disk == "sda")
    assert(d.dhcp.file == "a.efi" and d.dhcp.server == "10.0.0.9")
    assert(d.dhcp.options[43] == "a" and d.dhcp.options[60] == "c")
    assert(d.files["grub.cfg"] == "compute/grub.cfg" and d.files.x == false)
    assert(d.error == nil and d.url == nil and d.why == nil and d.needs == nil)
    assert(policy.profiles.compute.vars.role == "worker", "merging changed the profile")
end

function tests.the_first_with_an_opinion_in_file_order()
    local policy = load [[
rule "a" { match = { serial = "x" }, boot = disk }
rule "b" { boot = function() end }
rule "c" { boot = function(m) if m.serial == "y" then return ignore end end }
rule "d" { boot = deny "no {{serial}}" }
rule "e" { boot = disk }
]]
    local trace = {}
    local d = decide(policy, { serial = "z" }, nil, trace)
    assert(d.verdict == "deny" and d.why == "no z" and d.rule.name == "d")
    assert(#trace == 4)
    assert(trace[1].rule == "a" and trace[1].line == 1 and not trace[1].matched)
    assert(trace[1].why == 'serial: wanted "x", found "z"')
    assert(trace[2].matched and trace[2].why == "its function has no opinion")
    assert(trace[4].matched and trace[4].why == nil)
    assert(decide(policy, { serial = "y" }).verdict == "ignore")
    assert(decide(policy, { serial = "x" }).verdict == "disk")
end

function tests.nothing_matches()
    local d = decide(load 'rule "a" { match = { serial = "x" }, boot = disk }', {})
    assert(d.verdict == "ignore" and d.rule == nil and d.args == nil and d.why == nil)
    assert(d:render() == d)
    assert(decide(load "", {}, "dhcp").verdict == "ignore")
end

function tests.what_functions_return()
    local policy = load(base .. [[
local away = chain "http://x/{{mac}}"
rule "r" {
  boot = function(m)
    local what = m.label.what
    if what == "name" then return "compute" end
    if what == "table" then
      return { use = "compute", args = { "x=" .. m.mac, 7 }, vars = { role = "z" } }
    end
    if what == "away" then return away end
    if what == "made" then return chain("http://y/" .. m.mac) end
    if what == "deny" then return deny("not " .. m.mac) end
    if what == "use" then return { use = disk } end
  end,
  args = { "role={{vars.role}}" },
}]])
    local function ask(what)
        return decide(policy, { mac = "525400000001", serial = "S", arch = "bios", label = { what = what } })
    end
    assert(table.concat(ask "name".args, " ") == "ip=dhcp hostname=S role=worker")
    assert(table.concat(ask "table".args, " ") == "ip=dhcp hostname=S role=z x=52:54:00:00:00:01 7")
    assert(ask "away".url == "http://x/52:54:00:00:00:01")
    assert(ask "made".url == "http://y/52:54:00:00:00:01")
    assert(ask "deny".why == "not 52:54:00:00:00:01")
    assert(ask "use".verdict == "disk")
    assert(ask "nothing".rule == nil)
    assert(ask "table".vars.role == "z" and policy.profiles.compute.vars.role == "worker")
end

-- Whatever a function does, it costs its own machine one answer and never reaches the
-- next rule.
local nonsense = {
    ['return nil, "the inventory is down"'] = "policy.lua:8: the inventory is down",
    ["return nil, {}"] = "policy.lua:8: a table",
    ['error "thrown"'] = "policy.lua:8: thrown",
    ['error("bare", 0)'] = "policy.lua:8: bare",
    ["error {}"] = "policy.lua:8: an error that is no text was thrown (a table)",
    ["error()"] = "policy.lua:8: an error that is no text was thrown (nothing)",
    ["while true do end"] = "policy.lua:8: stopped: it ran for too long",
    ["while true do pcall(function() while true do end end) end"] = "policy.lua:8: stopped: it ran for too long",
    ["return m.serail"] = 'policy.lua:8: a machine has no field "serail" (did you mean "serial"?)',
    ["m.serial = 1"] = "policy.lua:8: a machine cannot be changed",
    ["disk.verdict = 1"] = "policy.lua:8: this value cannot be changed",
    ['return "comptue"'] = 'policy.lua:8: malformed answer: there is no profile "comptue" (did you mean "compute"?)',
    ["return 12"] = 'policy.lua:8: malformed answer: found 12, expected a profile\'s name, disk, ignore, '
        .. 'shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel',
    ["return true"] = true,
    ["return false"] = true,
    ["return {}"] = "policy.lua:8: malformed answer: found a table without use or kernel, expected a profile's name, "
        .. 'disk, ignore, shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel',
    ["return deny"] = true,
    ['return prefix "x"'] = true,
    ["return m"] = true,
    ["return setmetatable({}, { __index = function() while true do end end })"] = true,
    ["return setmetatable({}, { __index = function() error {} end })"] = true,
    ['return { use = "compute", agrs = {} }'] = 'policy.lua:8: malformed answer: unknown key "agrs" in the answer (did you mean "args"?)',
    ['return { use = "compute", args = "x" }'] = 'policy.lua:8: malformed answer: args: found "x", expected a list of texts, such as { "ip=dhcp" }',
    ['return { use = "compute", args = { {} } }'] = "policy.lua:8: malformed answer: args[1]: found a table, expected text",
    ['return { use = "compute", args = { a = "x" } }'] = true,
    ["return { kernel = 1, inird = 2 }"] = 'policy.lua:8: malformed answer: unknown key "inird" in the answer (did you mean "initrd"?)',
    ["return { args = {} }"] = true,
    ["return { kernel = '{{mac}}' }"] = "policy.lua:8: malformed answer: kernel: {{…}} is not filled in where a function makes the text: use the machine's fields",
    ["return { initrd = 'x' }"] = "policy.lua:8: malformed answer: the answer has neither kernel nor dhcp.file: there is nothing to boot",
    ["return { kernel = 'x', dhcp = { server = 'x' } }"] = 'policy.lua:8: malformed answer: dhcp.server: found "x", expected an IPv4 address',
    ["return menu { { 'a', 'b' } }"] = 'policy.lua:8: malformed answer: there is no profile "b"',
    ["return menu {}"] = 'policy.lua:8: menu has no entries, expected some { "label", what it boots }',
    ["return rollout { percent = 'x' }"] = 'policy.lua:8: rollout.percent: found "x", expected a number from 0 to 100',
    ["return { use = menu }"] = true,
    ['return { use = "compute", args = { "a", nil, "b" } }'] = true,
    ['return { use = "compute", args = { "{{serial}}" } }'] = true,
    ['return { use = "compute", vars = { a = { print } } }'] = true,
    ['return chain "{{mac}}"'] = true,
    ["return chain(nil)"] = true,
    ["local function f() return (string.gsub('a', 'a', f)) end return f()"] = true,
    ["local function f(a, b) table.sort({ 1, 2, 3 }, f) return true end return f()"] = true,
    ["local function f() return f() + 1 end return f()"] = true,
}

function tests.nonsense_gets_the_on_error_answer()
    for body, expected in pairs(nonsense) do
        local policy = load(string.format([[
profile "compute" { kernel = "x" }
local unused
rule "before" { match = { serial = "no" }, boot = disk }
rule "r" {
  on_error = deny "later",
  boot = function(m)
    local _ = 1
%s
  end,
}
rule "wipe" { boot = disk }
]], body))
        local d = decide(policy, { serial = "x" })
        assert(d.verdict == "deny" and d.why == "later" and d.rule.name == "r", body)
        local message = expected == true and "" or expected:gsub("^policy.lua:8: ", "")
        assert(d.error:find("^policy.lua:%d+: ") and d.error:find(message, 1, true),
               body .. ": " .. d.error)
    end
end

function tests.nonsense_without_on_error_is_ignored()
    local d = decide(load [[
rule "r" { boot = function() error "x" end }
rule "wipe" { boot = disk }
]], {})
    assert(d.verdict == "ignore" and d.error == "policy.lua:1: x" and d.rule.name == "r")
end

function tests.a_match_function_that_fails()
    for _, match in ipairs { '{ mac = function() error "x" end }', 'function() error "x" end',
                             '{ mac = except(function() return nil, "x" end) }',
                             '{ mac = { "525400000002", function() return nil, "x" end } }' } do
        local policy = load('rule "r" { match = ' .. match .. ', boot = ignore, on_error = chain "http://x" }\n'
                            .. 'rule "wipe" { boot = disk }')
        local trace = {}
        local d = decide(policy, { mac = "525400000001" }, nil, trace)
        assert(d.verdict == "chain" and d.error == "policy.lua:1: x", match)
        assert(#trace == 1 and not trace[1].matched and trace[1].why == d.error)
    end
end

function tests.undetermined_until_the_machine_has_told()
    local policy = load [[
rule "a" { match = { mac = prefix "52:54:00", serial = "x" }, boot = disk }
rule "b" { match = { mac = "001122334455" }, boot = deny "no" }
]]
    local trace = {}
    local d = decide(policy, { mac = "525400000001" }, "dhcp", trace)
    assert(d.verdict == "undetermined" and d.needs == "serial" and d.rule.name == "a")
    assert(trace[1].why == "serial is not known yet" and d.args == nil and d.plan == nil)
    assert(decide(policy, { mac = "001122334455" }, "dhcp").verdict == "deny")
    assert(decide(policy, { mac = "001122334456" }, "dhcp").rule == nil)
    assert(decide(policy, { mac = "525400000001", serial = "x" }, "dhcp").verdict == "disk")
    assert(decide(policy, { mac = "525400000001", serial = false }, "dhcp").verdict == "ignore")
    assert(decide(policy, { mac = "525400000001" }, "ipxe").verdict == "ignore")
    -- TFTP tells an address alone.
    assert(decide(policy, { ip = "10.0.0.1" }, "tftp").needs == "mac")
end

function tests.undetermined_functions()
    for _, text in ipairs {
        'rule "r" { boot = function(m) if m.serial then return disk end end }',
        'rule "r" { boot = function(m) pcall(function() return m.serial end) return disk end }',
        'rule "r" { boot = function(m) return { use = m.serial } end, on_error = disk }',
        'rule "r" { match = function(m) return m.serial == "x" end, boot = disk }',
        'rule "r" { match = { mac = function(_, m) return m.serial == "x" end }, boot = disk }',
        'rule "r" { match = { serial = function() return true end }, boot = disk }',
        'rule "r" { match = { serial = except "x" }, boot = disk }',
        'rule "r" { match = { ["label.x"] = "y" }, boot = disk }',
    } do
        local d = decide(load(text .. ' rule "s" { boot = disk }'), { mac = "525400000001" }, "dhcp")
        assert(d.verdict == "undetermined" and d.needs and d.error == nil, text)
    end
    -- A predicate that is known to fail decides, whatever the others need.
    local d = decide(load [[
rule "r" { match = { serial = "x", mac = function() return false end }, boot = disk }
]], { mac = "525400000001" }, "dhcp")
    assert(d.verdict == "ignore" and d.rule == nil)
end

-- The same machine object may be decided more than once.
function tests.deciding_leaves_nothing_behind()
    local policy = load 'rule "r" { boot = function(m) return m.serial and disk or ignore end }'
    local m = policies.machine({ mac = "525400000001" }, "dhcp")
    assert(engine.decide(policy, m).needs == "serial")
    assert(engine.decide(policy, m).needs == "serial")
    m.serial = "x"
    assert(engine.decide(policy, m).verdict == "disk")
end

function tests.absent_fields_in_texts()
    local policy = load(base .. [[
profile "rescue" { kernel = "rescue", args = { "mac={{mac}}" } }
rule "r" { match = { mac = "525400000001" }, boot = "compute", on_error = "rescue",
  args = { "{{serial}}" }, dhcp = { server = "10.0.0.9" } }
rule "s" { match = { mac = "525400000002" }, boot = "compute", on_error = deny "{{asset}}" }
rule "t" { boot = disk, args = { "{{serial}}" } }
]])
    local d = decide(policy, { mac = "525400000001", arch = "bios" })
    assert(d.profile.name == "compute" and d.error == nil, "nothing is filled in before it is asked for")
    assert(d:render_args() == nil)
    assert(d.error == 'policy.lua:4: serial is absent: write {{serial or "…"}}')
    assert(d.verdict == "boot" and d.profile.name == "rescue" and d.kernel == "rescue")
    assert(table.concat(d.args, " ") == "mac=52:54:00:00:00:01" and d.dhcp.server == "10.0.0.9")
    d = decide(policy, { mac = "525400000002", arch = "bios" }):render()
    assert(d.verdict == "ignore" and d.why == nil and d.error:find("^policy.lua:4: serial is absent"))
    d = decide(policy, { mac = "525400000003" }):render()
    assert(d.verdict == "disk" and d.error == nil)
    -- At the DHCP stage nothing is filled in, and nothing fails.
    d = decide(policy, { mac = "525400000001", arch = "bios" }, "dhcp")
    assert(d.verdict == "boot" and d.error == nil and d.dhcp.file == "a.efi")
    d:render()
    assert(d.error == "policy.lua:4: serial is not known yet at the dhcp stage")
end

-- When the policy has used up its time, no guard is let in any more.
function tests.an_on_error_answer_after_the_deadline()
    local policy = load [[
profile "p" { kernel = "x", args = { "{{error 'late'}}" } }
profile "q" { kernel = "y", args = { "z" } }
rule "r" { boot = "p", on_error = "q" }
]]
    local guard = host.guard
    local d = decide(policy, {})
    host.guard = function()
        return false, "no CPU time is left for this decision"
    end
    local ok, message = pcall(d.render, d)
    host.guard = guard
    assert(ok, message)
    assert(d.profile.name == "q" and d.kernel == "y" and d.args[1] == "z")
    assert(d.error == "policy.lua:3: no CPU time is left for this decision", d.error)
end

-- An empty rule costs a table; a rule without functions, no closure either.
function tests.a_decision_is_little_work()
    local texts = {}
    for i = 1, 10 do
        texts[i] = string.format('rule "%d" { match = { mac = prefix "52:54:%02x", arch = "efi-x64" }, boot = disk }', i, i)
    end
    local policy = load(table.concat(texts, "\n"))
    local m = policies.machine({ mac = "52:54:0a:00:00:01", arch = 7 }, "dhcp")
    assert(engine.decide(policy, m).rule.name == "10")
    collectgarbage()
    collectgarbage "stop"
    local before, start = collectgarbage "count", os.clock()
    for _ = 1, 10000 do
        engine.decide(policy, m)
    end
    local took, bytes = os.clock() - start, (collectgarbage "count" - before) * 1024 / 10000
    collectgarbage "restart"
    assert(bytes < 600, bytes)
    assert(took < 1, took) -- 100 µs each would be far too slow already
end

-- A label has one name in a match, in a function and in {{…}}.
function tests.labels_by_the_name_that_match_has()
    local policy = load [[
profile "p" { kernel = "{{machine['label.k']}}" }
rule "r" { boot = function(m) return m["label.k"] == "1" and "p" or nil end }
]]
    local d = decide(policy, { mac = "525400000001", ["label.k"] = "1" })
    assert(d.rule.name == "r" and d.kernel == "1", d.error)
    assert(decide(policy, { ["label.k"] = "2" }).rule == nil)
    d = decide(policy, { mac = "525400000001" }, "dhcp")
    assert(d.verdict == "undetermined", d.verdict)
end

return tests
