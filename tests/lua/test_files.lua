-- include, require, read, list.

local engine = require "engine"
local policies = require "policies"

local tests = {}

local function load(files)
    local policy, problems = policies.load_files(files)
    assert(policy, problems and table.concat(problems, "\n"))
    return policy
end

local function refuses(files, expected)
    local policy, problems = policies.load_files(files)
    assert(not policy, "the policy loaded")
    local found, wanted = table.concat(problems, "\n"), table.concat(expected, "\n")
    if found ~= wanted then
        error("expected:\n" .. wanted .. "\nfound:\n" .. found, 2)
    end
end

function tests.include_keeps_the_order_of_rules()
    local policy = load {
        ["policy.lua"] = 'rule "1" { boot = "p" } include "rules/more.lua" rule "4" { boot = disk }',
        ["rules/more.lua"] = 'rule "2" { boot = disk }\ninclude "./rules//last.lua"',
        ["rules/last.lua"] = 'profile "p" { kernel = "k" } rule "3" { boot = disk }',
    }
    local names = {}
    for i, rule in ipairs(policy.rules) do
        names[i] = rule.name
    end
    assert(table.concat(names, " ") == "1 2 3 4")
    names = {}
    for i, file in ipairs(policy.files) do
        names[i] = file.name
    end
    assert(table.concat(names, " ") == "site/policy.lua site/rules/more.lua site/rules/last.lua")
end

function tests.problems_are_each_files_own()
    refuses({
        ["policy.lua"] = 'rule "a" { boot = disk }\ninclude "b.lua"\ninclude "c.lua"\nrule "z" { bot = 1, boot = disk }',
        ["b.lua"] = 'rule "b" {\n  boot = "nope", args = { "{{serail}}" } }\nlocal x = nope.y\nrule "a" { boot = disk }',
        ["c.lua"] = 'local t = nil\nt.x = 1',
    }, {
        'site/policy.lua:4: unknown key "bot" in rule "z" (did you mean "boot"?)',
        'site/b.lua:2: boot: there is no profile "nope"',
        'site/b.lua:2: in {{serail}}: unknown name "serail" (did you mean "serial"?)',
        'site/b.lua:3: unknown word "nope"',
        'site/b.lua:4: there is a rule "a" already, in site/policy.lua:1',
        "site/c.lua:2: attempt to index local 't' (a nil value)",
    })
end

function tests.includes_that_cannot_be()
    refuses({
        ["policy.lua"] = 'include "gone.lua"\ninclude "b.lua"\ninclude(1)\ninclude "policy.lua"\ninclude "moonboot/nope.lua"',
        ["b.lua"] = '\ninclude "c.lua"', ["c.lua"] = 'include "b.lua"',
    }, {
        'site/policy.lua:1: include: "site/gone.lua" cannot be read: No such file or directory',
        'site/policy.lua:3: include: found 1, expected a file\'s name: include "…"',
        "site/policy.lua:4: site/policy.lua needs itself: site/policy.lua > site/policy.lua",
        'site/policy.lua:5: include: "site/moonboot/nope.lua" cannot be read: No such file or directory',
        "site/c.lua:1: site/b.lua needs itself: site/b.lua > site/c.lua > site/b.lua",
    })
    policies.refuses('include "x.lua"', {
        'policy.lua:1: include: "x.lua" cannot be read: there is no directory to read from',
    })
    local policy, problems = engine.load { dir = "tests", text = 'include "../Makefile"', display = "policy.lua" }
    assert(not policy and problems[1]:find "the name leads out of the policy's directory$", problems[1])
end

function tests.modules()
    local policy = load {
        ["policy.lua"] = [[
local hosts = require "lib.hosts"
assert(hosts == require "lib.hosts" and require "plain" == true and hosts.count == 1)
rule "r" { match = hosts.match "db", boot = disk }
rule "later" { boot = function() return require("lib.hosts").disk() end }]],
        ["lib/hosts/init.lua"] = [[
local count = 0
count = count + 1
return { count = count, disk = function() return disk end,
         match = function(role) return { hostname = prefix(role) } end }]],
        ["plain.lua"] = "",
    }
    local d = policies.decide(policy, { hostname = "db12" })
    assert(d.rule.name == "r" and d.verdict == "disk")
    d = policies.decide(policy, { hostname = "web" })
    assert(d.rule.name == "later" and d.verdict == "disk", d.error)
end

function tests.modules_that_cannot_be()
    refuses({
        ["policy.lua"] = [[
local a = require "gone"
require "bad"
require "a/b"
require "moonboot.nope"
a.b = c(a.x)
require "loop"
string.more = 1
local f = function() return require "plain" end
rule "r" { boot = f }]],
        ["bad.lua"] = "local n = nope\nrule 'x' { boot = n }\nx = string.more\nlocal t t.x = 1",
        ["loop.lua"] = 'return require "loop"',
    }, {
        'site/policy.lua:1: require "gone": there is neither site/gone.lua nor site/gone/init.lua',
        'site/policy.lua:3: require: found "a/b", expected a module\'s name, such as "hosts" or "lib.hosts"',
        'site/policy.lua:4: require "moonboot.nope": moonboot comes with no policy of that name',
        'site/policy.lua:5: unknown word "c"',
        'site/bad.lua:1: unknown word "nope"',
        'site/bad.lua:3: assignment to the global "x": write "local x"',
        'site/bad.lua:3: unknown word "string.more"',
        "site/bad.lua:4: attempt to index local 't' (a nil value)",
        "site/loop.lua:1: site/loop.lua needs itself: site/loop.lua > site/loop.lua",
    })
end

-- What a module's function does wrong in a decision is said of the module's line.
function tests.failures_name_the_file_they_are_in()
    local policy = load {
        ["policy.lua"] = 'local m = require "m"\ninclude "i.lua"\nrule "r" { match = { serial = "1" }, boot = m.fail }',
        ["m.lua"] = 'return {\n  fail = function() error "oops" end }',
        ["i.lua"] = '\nrule "i" { match = { serial = "2" }, boot = function() return nil, "why" end }\n'
            .. 'rule "t" { match = { serial = "3" },\n  boot = chain "http://{{asset}}/" }',
    }
    assert(policies.decide(policy, { serial = "1" }).error == "site/m.lua:2: oops")
    assert(policies.decide(policy, { serial = "2" }).error == "site/i.lua:2: why")
    local d = policies.decide(policy, { serial = "3" })
    assert(d:render().error == 'site/i.lua:4: asset is absent: write {{asset or "…"}}', d.error)
end

function tests.policies_that_come_along()
    local policy = load { ["policy.lua"] = 'include "moonboot/default.lua"' }
    assert(policy.profiles["linux-arm64"] and policy.rules[1].display == "moonboot/default.lua")
    assert(policy.files[2].name == "moonboot/default.lua")
end

function tests.reading()
    local policy = load {
        ["policy.lua"] = [[
local names = list "hosts"
assert(table.concat(names, " ") == "a.txt b.txt sub/" and #list("none", {}) == 0)
for _, name in ipairs(names) do
  local text = read("hosts/" .. name, false)
  if text then rule(name) { match = { serial = text }, boot = disk } end
end
assert(read("hosts/none", nil) == nil and read("none", "x") == "x")
rule "late" { boot = function() return read "hosts/a.txt" end }]],
        ["hosts/b.txt"] = "B", ["hosts/a.txt"] = "A", ["hosts/sub/c"] = "C",
    }
    assert(#policy.rules == 3 and policy.rules[1].name == "a.txt")
    assert(#policy.files == 4 and policy.files[2].name == "site/hosts/" and policy.files[3].text == "A")
    local d = policies.decide(policy, { serial = "x" })
    assert(d.error == "site/policy.lua:8: read: only while the policy loads, not in a function", d.error)
    refuses({ ["policy.lua"] = 'local t = json.decode(read "x"):y() .. "z"\nlist "y"\nread(1) read(nope)' }, {
        'site/policy.lua:1: read: "site/x" cannot be read: No such file or directory',
        'site/policy.lua:2: list: "site/y" cannot be read: No such file or directory',
        "site/policy.lua:3: read: found 1, expected a file's name: read \"…\"",
        'site/policy.lua:3: unknown word "nope"',
    })
end

return tests
