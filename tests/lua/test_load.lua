local engine = require "engine"
local policies = require "policies"

local tests = {}

local refuses = policies.refuses

function tests.unknown_keys_at_their_own_line()
    refuses([[
profile "compute" {
  kernel = "vmlinuz",
  inird = { "initrd.img" },
}
rule "r" {
  match = { serial = "a",
    serail = "b" },
  boot = "compute", dhcp = {
    fiel = "x" },
  template = 1,
}
dhcp {
  program = {},
}
]], {
        'policy.lua:3: unknown key "inird" in profile "compute" (did you mean "initrd"?)',
        'policy.lua:7: match: a machine has no field "serail" (did you mean "serial"?)',
        'policy.lua:9: unknown key "fiel" in dhcp of rule "r" (did you mean "file"?)',
        'policy.lua:10: unknown key "template" in rule "r"',
        'policy.lua:13: unknown key "program" in dhcp (did you mean "programs"?)',
    })
end

function tests.wrong_types()
    refuses([[
profile "p" { kernel = 7, initrd = { "a", 8 }, args = "x",
  vars = { a = { { print } }, ["b-c"] = 1, 3 } }
rule "r" { boot = 12, args = { "a", nil, "b" }, match = 3,
  on_error = function() end, files = { "x" },
  vars = { ok = true, no = function() end },
  dhcp = { file = 1, server = "x", vendor_class = true, ipxe = 1,
    options = { [0] = "x", [43] = 1, a = "b" } } }
rule "s" { boot = { use = "p", args = { 1 } }, "stray" }
rule "t" { boot = { args = {} } }
rule "u" { boot = { use = {} }, match = prefix "x" }
rule "v" { boot = prefix "x" }
rule "w" { match = { mac = "x" } }
]], {
        'policy.lua:1: args: found "x", expected a list of texts, such as { "ip=dhcp" }',
        'policy.lua:1: initrd[2]: found 8, expected text',
        'policy.lua:1: kernel: found 7, expected the name of a file',
        'policy.lua:2: vars.a: found a function, expected text, a number, a boolean, or a table of them',
        "policy.lua:2: vars.b-c: a var's name is letters, digits and _",
        'policy.lua:2: vars: found the key 1, expected a table of names and values',
        'policy.lua:3: args: found a list with holes, expected a list of texts, such as { "ip=dhcp" }',
        'policy.lua:3: boot: found 12, expected a profile\'s name, disk, ignore, shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel, or a function',
        'policy.lua:3: match: found 3, expected a table of fields, or a function',
        'policy.lua:4: files: found the key 1, expected a table of names and the files they stand for',
        'policy.lua:4: on_error: found a function, expected a profile\'s name, disk, ignore, shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel',
        'policy.lua:5: vars.no: found a function, expected text, a number, a boolean, or a table of them',
        'policy.lua:6: dhcp.file: found 1, expected the name of a file, or a URL',
        'policy.lua:6: dhcp.ipxe: found 1, expected true or false',
        'policy.lua:6: dhcp.server: found "x", expected an IPv4 address',
        'policy.lua:6: dhcp.vendor_class: found true, expected text, or false for none',
        'policy.lua:7: dhcp.options: found the key "a", expected an option\'s number, 1 to 254',
        "policy.lua:7: dhcp.options: found the key 0, expected an option's number, 1 to 254",
        "policy.lua:7: dhcp.options[43]: found 1, expected the option's bytes as a string",
        'policy.lua:8: boot.args[1]: found 1, expected text',
        'policy.lua:8: found "stray" without a key in rule "s"',
        'policy.lua:9: boot: found a table without use or kernel, expected a profile\'s name, disk, ignore, shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel',
        'policy.lua:10: boot.use: found a table, expected a profile\'s name',
        'policy.lua:10: match: found prefix "x", expected a table of fields, or a function',
        'policy.lua:11: boot: found prefix "x", expected a profile\'s name, disk, ignore, shell, deny "…", chain "…", menu {…}, rollout {…}, once {…}, an inventory, or a table with use or kernel, or a function',
        'policy.lua:12: match.mac: found "x", expected a MAC address, such as 52:54:00:12:34:56',
        'policy.lua:12: rule "w" has no boot',
    })
end

function tests.unknown_words_even_in_functions()
    refuses([[
local function f(m)
  return string.fidn(m.serial, lgo.info)
end
count = 1
function helper() count = count + 1 end
rule "r" { boot = onec { "x", done_on = "y", then_boot = disk } }
porfile "x" { kernel = 1 }
rule "s" { boot = ignroe, match = function() helper() return io.open "x" end }
for _, h in ipairs(hosts) do rule(h.name) { boot = disk } end
rule "t" { boot = diks .. "x", match = { mac = perfix "52" }, args = { nope + 1, "{{serail}}" } }
]], {
        'policy.lua:2: unknown word "lgo" (did you mean "log"?)',
        'policy.lua:2: unknown word "string.fidn" (did you mean "find"?)',
        'policy.lua:4: assignment to the global "count": write "local count"',
        'policy.lua:5: assignment to the global "count": write "local count"',
        'policy.lua:5: assignment to the global "helper": write "local helper"',
        'policy.lua:6: unknown word "onec" (did you mean "once"?)',
        'policy.lua:7: unknown word "porfile" (did you mean "profile"?)',
        'policy.lua:8: unknown word "ignroe" (did you mean "ignore"?)',
        'policy.lua:8: unknown word "io"',
        'policy.lua:9: unknown word "hosts"',
        'policy.lua:10: in {{serail}}: unknown name "serail" (did you mean "serial"?)',
        'policy.lua:10: unknown word "diks" (did you mean "disk"?)',
        'policy.lua:10: unknown word "nope"',
        'policy.lua:10: unknown word "perfix" (did you mean "prefix"?)',
    })
end

function tests.nothing_of_lua_that_leads_out()
    local words = { "dofile", "loadfile", "load", "loadstring", "getfenv", "setfenv", "newproxy",
                    "collectgarbage", "gcinfo", "module", "rawset", "rawget", "rawequal",
                    "coroutine", "debug", "io", "os", "package", "ffi", "jit", "host", "_G", "arg" }
    local expected = {}
    for i, word in ipairs(words) do
        words[i] = "local _ = " .. word
        expected[i] = 'policy.lua:' .. i .. ': unknown word "' .. word .. '"'
    end
    local policy, problems = engine.load { text = table.concat(words, "\n"), display = "policy.lua" }
    assert(not policy and #problems == #words)
    for i, problem in ipairs(problems) do
        assert(problem:sub(1, #expected[i]) == expected[i], problem)
    end
    refuses("local d = string.dump", { 'policy.lua:1: unknown word "string.dump"' })
end

function tests.names_once()
    refuses([[
profile "a" { kernel = "x" }
rule "r" { boot = "a" }

rule "r" { boot = disk }
profile "a" { kernel = "y", nope = 1 }
dhcp {}
dhcp {}
]], {
        'policy.lua:4: there is a rule "r" already, on line 2',
        'policy.lua:5: there is a profile "a" already, on line 1',
        'policy.lua:5: unknown key "nope" in profile "a"',
        'policy.lua:7: there is a dhcp already, on line 6',
    })
end

function tests.profiles_by_name_wherever_they_stand()
    local policy = policies.load 'rule "r" { boot = "a" } profile "a" { kernel = "x" }'
    assert(policy.rules[1].name == "r" and policy.profiles.a.name == "a")
    refuses([[
rule "r" { match = {},
  boot = "comptue" }
rule "s" { boot = disk, on_error = "x" }
rule "t" { boot = {
  use = "compote" } }
profile "compute" { kernel = "x" }
]], {
        'policy.lua:2: boot: there is no profile "comptue" (did you mean "compute"?)',
        'policy.lua:3: on_error: there is no profile "x"',
        'policy.lua:5: boot.use: there is no profile "compote" (did you mean "compute"?)',
    })
end

function tests.words_used_wrongly()
    refuses([[
prefix(12)
rule { boot = disk }
local r = rule "waiting"
rule "x" (nil)
deny ""
except()
rule "a" { boot = deny }
rule "b" { boot = disk, match = { mac = prefix, ip = except(glob) } }
profile "p" { args = { "a" } }
dhcp "x"
]], {
        'policy.lua:1: prefix: found 12, expected text: prefix "…"',
        'policy.lua:2: rule: found a table, expected a name: rule "name" { … }',
        'policy.lua:3: rule "waiting" has no { … }',
        'policy.lua:4: rule "x": found nothing, expected { … }',
        "policy.lua:5: deny: found no text",
        "policy.lua:6: except: found nothing, expected a value, a list or a matcher",
        "policy.lua:7: boot: found a word without its argument",
        "policy.lua:8: except: found a word without its argument",
        "policy.lua:8: match.mac: found a word without its argument",
        'policy.lua:9: profile "p" has neither kernel nor dhcp.file: there is nothing to boot',
        'policy.lua:10: dhcp: found "x", expected { … }',
    })
end

function tests.matchers_of_the_wrong_kind()
    refuses([[
rule "r" { boot = disk, match = {
  mac = prefix "52:5g",
  uuid = "00000000-0000-0000-0000-000000000000",
  arch = { "bios",
    "efi-x65" },
  ip = subnet "10.0.0.1/8",
  serial = subnet "10.0.0.0/8",
  hostname = glob "a[",
  asset = { { "a", true, prefix } },
  product = true,
  stage = "dhpc",
  vlan = "x",
  label = "x",
  platform = disk,
  "stray",
} }
]], {
        'policy.lua:2: match.mac: prefix: found "52:5g", expected the start of a MAC address, such as "52:54:00"',
        'policy.lua:3: match.uuid: found "00000000-0000-0000-0000-000000000000", which stands for none and never matches',
        'policy.lua:5: match.arch[2]: found "efi-x65", expected an architecture, such as bios or efi-x64 (did you mean "efi-x64"?)',
        'policy.lua:6: match.ip: subnet: found "10.0.0.1/8", expected an IPv4 network without bits set outside its mask, such as 10.0.0.0/8',
        "policy.lua:7: match.serial: subnet matches ip, gateway and relay, but serial is no address",
        'policy.lua:8: match.hostname: glob: found "a[", expected a "]" for each "["',
        "policy.lua:9: match.asset[1][2]: found true, expected a value, a list, a matcher or a function",
        "policy.lua:9: match.asset[1][3]: found a word without its argument",
        "policy.lua:10: match.product: found true, expected a value, a list, a matcher or a function",
        'policy.lua:11: match.stage: found "dhpc", expected dhcp, tftp, http, ipxe, grub, pxelinux or pixiecore (did you mean "dhcp"?)',
        'policy.lua:12: match.vlan: found "x", expected a number',
        'policy.lua:13: match.label: found "x", expected a table of labels',
        "policy.lua:14: match.platform: found disk, which is no matcher",
        'policy.lua:15: match: found "stray" without a field\'s name',
    })
end

function tests.matchers_with_wrong_arguments()
    refuses([[
rule "r" { boot = disk, match = {
  mac = suffix "xy",
  uuid = suffix "",
  serial = { pattern "a[",
    suffix "", { pattern "(" } },
  ip = range("10.0.0.9", "10.0.0.1"),
  gateway = range("10.0.0.0/8", "10.0.0.1"),
  vlan = range("a", "b"),
  asset = range("a", "b"),
  arch = range(1, 2),
  domain = except({ "a", true }),
} }
rule "s" { boot = disk, match = { serial = range(1), ip = range(1, "2"), mac = except("a", "b"), vlan = range } }
]], {
        'policy.lua:2: match.mac: suffix: found "xy", expected the end of a MAC address, such as "12:34:56"',
        'policy.lua:3: match.uuid: suffix: found "", expected the end of a UUID, such as "b4c04f4e3732"',
        'policy.lua:4: match.serial[1]: pattern: found "a[", which lacks a "]"',
        'policy.lua:5: match.serial[2]: suffix: found "", expected some text',
        'policy.lua:5: match.serial[3][1]: pattern: found "(", which has a "(" without ")"',
        'policy.lua:6: match.ip: range: found "10.0.0.1", which is less than "10.0.0.9"',
        'policy.lua:7: match.gateway: range: found "10.0.0.0/8", expected IPv4 addresses',
        'policy.lua:8: match.vlan: range: found "a", expected numbers',
        "policy.lua:9: match.asset: range matches numbers and addresses, but asset is text: give it numbers",
        "policy.lua:10: match.arch: range matches numbers and addresses, but arch is neither",
        "policy.lua:11: match.domain[2]: found true, expected a value, a list, a matcher or a function",
        "policy.lua:13: except: found two values, expected one, or a list: except { … }",
        "policy.lua:13: match.vlan: found a word without its argument",
        "policy.lua:13: range: expected two numbers, or two addresses: range(first, last)",
    })
end

function tests.templates()
    refuses([[
profile "p" {
  kernel = "{{arch}}/{{kernle}}",
  args = { "a={{vars.a}}",
    "b={{b", "c={{ 1 + }}",
    "d={{string.fidn}} {{machine.serail}} {{(function() x = 1 end)()}}" },
  vars = { a = "x", kernel = "y" },
  dhcp = { file = "{{arch}}.efi" },
}
rule "r" { boot = chain "http://{{vars.bb}}/{{ok}}", vars = { ok = true } }
]], {
        'policy.lua:2: in {{kernle}}: unknown name "kernle" (did you mean "kernel"?)',
        'policy.lua:4: in {{ 1 + }}: unexpected symbol near \')\'',
        'policy.lua:4: {{ without }} in "b={{b"',
        'policy.lua:5: in {{(function() x = 1 end)()}}: "x" cannot be assigned to',
        'policy.lua:5: in {{machine.serail}}: a machine has no field "serail" (did you mean "serial"?)',
        'policy.lua:5: in {{string.fidn}}: unknown name "string.fidn" (did you mean "find"?)',
        "policy.lua:7: dhcp.file: {{…}} is not filled in here",
        'policy.lua:9: in {{vars.bb}}: no profile or rule has a var "bb"',
    })
end

-- What is a word and what is a profile's name; which a comma tells nothing of.
function tests.quotes_and_commas()
    refuses([[
profile "a" { kernel = "k" }
rule "1" { boot = "disk" }
rule "2" { boot = a, on_error = "ignroe" }
rule("3", { boot = "nope",
  inird = 1 })
profile("b", { kernel = "k" })
rule "4" { boot = "b" }
rule("5", 6)
rule "7" { boot = once { "shell", done_on = "x" } }
]], {
        'policy.lua:2: boot: there is no profile "disk" (the verdict is written without quotes: disk)',
        'policy.lua:3: on_error: there is no profile "ignroe"',
        'policy.lua:3: unknown word "a" (a profile\'s name is written in quotes: "a")',
        'policy.lua:4: boot: there is no profile "nope"',
        'policy.lua:4: rule "3" {…} takes its table after the name, without a comma',
        'policy.lua:5: unknown key "inird" in rule "3"',
        'policy.lua:6: profile "b" {…} takes its table after the name, without a comma',
        'policy.lua:8: rule "5" {…} takes its table after the name, without a comma',
        'policy.lua:8: rule "5": found 6, expected { … }',
        'policy.lua:9: once[1]: there is no profile "shell" (the verdict is written without quotes: shell)',
    })
    local policy = policies.load 'rule "r" { boot = function() return "disk" end }'
    assert(policies.decide(policy, {}).error:find 'no profile "disk" %(the verdict is written without quotes: disk%)')
end

function tests.what_ends_early()
    refuses('rule "a" {\n boot = = disk }', { "policy.lua:2: unexpected symbol near '='" })
    refuses('rule "a" { boot = dsik }\nlocal t\nt.x = 1\nrule "b" { boot = 1 }', {
        'policy.lua:1: unknown word "dsik" (did you mean "disk"?)',
        "policy.lua:3: attempt to index local 't' (a nil value)",
    })
    refuses("error {}", { "policy.lua:1: an error that is no text was thrown" })
    refuses('error("no place", 0)', { "policy.lua:1: no place" })
    refuses("\27LJ", { "policy.lua:1: found bytecode: a policy is text" })
    refuses("for _ in hosts() do end", {
        'policy.lua:1: unknown word "hosts"',
    })
    local policy, problems = engine.load { dir = "tests/lua", file = "none.lua" }
    assert(not policy and problems[1]:find("^none.lua:1: cannot be read: "))
end

function tests.what_a_policy_holds()
    local policy, problems = engine.load { dir = "tests/lua", file = "policies.lua", display = "x/policies.lua" }
    assert(not policy and problems[1]:find("^x/policies.lua:3: require \"engine\": "))
    policy = policies.load [[
dhcp { programs = { ["efi-x64"] = "a.efi" }, vendors = { "U-Boot" } }
local name = "r" .. 1
rule(name) { boot = disk, files = { a = "b", c = false }, dhcp = { vendor_class = false, options = { [43] = "\1" } } }
]]
    assert(policy.settings.dhcp.programs["efi-x64"] == "a.efi")
    assert(policy.settings.dhcp.vendors[1] == "U-Boot")
    assert(policy.files[1].name == "policy.lua" and policy.files[1].text:find("U%-Boot"))
    assert(policy.display == "policy.lua" and policy.rules[1].line == 3)
    assert(policies.load "" and #policies.load("").rules == 0)
end

-- Unknown words do not make others unknown, and a function of the DSL cannot define late.
function tests.words_of_loading_only()
    local policy = policies.load [[
local late = rule
rule "r" { boot = function() late "x" { boot = disk } end, on_error = disk }
rule "s" { boot = function() return chain("http://{{mac}}") end }
]]
    local decision = policies.decide(policy, {})
    assert(decision.verdict == "disk")
    assert(decision.error == "policy.lua:2: rule: only while the policy loads, not in a function")
    assert(#policy.rules == 2)
end

return tests
