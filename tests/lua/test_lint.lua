-- Warnings of `moonboot check`: that each is found where it is, and that none is a false alarm.
local cli = require "fake_cli"
local covers = require "lint.covers"
local engine = require "engine"
local lint = require "lint"
local machine = require "machine"
local rules = require "rules"

local tests = {}

-- The warnings of a policy, as "LINE KIND: TEXT" each.
local function warnings(text, site, files)
    local list = {}
    local read = host.read
    host.read = function(_, name)
        return files and files[name] or nil, "No such file or directory"
    end
    local policy, problems = engine.load { text = text, file = "p.lua", dir = ".", inspect = lint.inspector(list, site) }
    host.read = read
    assert(policy, table.concat(problems or {}, "\n"))
    local lines = {}
    for i, warning in ipairs(lint.sort(list)) do
        lines[i] = ("%d %s: %s"):format(warning.line, warning.kind, warning.text)
    end
    return lines
end

local function one(text, expected, ...)
    local lines = warnings(text, ...)
    assert(#lines == 1 and lines[1]:find(expected, 1, true), ("expected %s\nfound %s\nin %s"):format(
        expected, table.concat(lines, "\n"), text))
end

local function none(text, ...)
    local lines = warnings(text, ...)
    assert(#lines == 0, text .. "\n" .. table.concat(lines, "\n"))
end

-- Two rules with these matches.
local function two(first, second)
    return ("rule 'a' { boot = disk, match = %s }\nrule 'b' { boot = ignore, match = %s }"):format(first, second)
end

function tests.unreachable_rules()
    for first, second in pairs {
        ["nil"] = "{ serial = 'A' }",
        ["{ serial = 'A' }"] = "{ serial = 'A', vlan = 7 }",
        ["{ mac = '52:54:00:00:00:01' }"] = "{ mac = '52-54-00-00-00-01' }",
        ["{ mac = prefix '52:54' }"] = "{ mac = { '52:54:00:00:00:01', prefix '525400aa' } }",
        ["{ ip = subnet '10.0.0.0/8' }"] = "{ ip = range('10.1.0.1', '10.1.0.9') }",
        ["{ ip = range('10.0.0.1', '10.0.0.9') }"] = "{ ip = subnet '10.0.0.4/30' }",
        ["{ vlan = range(1, 9) }"] = "{ vlan = range(2, 9), serial = 'x' }",
        ["{ vlan = range(1, 8) }"] = "{ vlan = { 1, 8 } }",
        ["{ serial = present }"] = "{ serial = function() return true end }",
        ["{ serial = { absent, 'A' } }"] = "{ serial = absent }",
        ["{ serial = except 'A' }"] = "{ serial = 'B' }",
        ["{ serial = except { 'A', 'C' } }"] = "{ serial = except { 'A', 'C', 'D' } }",
        ["{ serial = except(prefix 'A') }"] = "{ serial = prefix 'B' }",
        ["{ vlan = except(range(1, 5)) }"] = "{ vlan = range(6, 7) }",
        ["{ serial = suffix '-gpu' }"] = "{ serial = suffix 'a-gpu' }",
        ["{ serial = glob 'R6*' }"] = "{ serial = glob 'R6*', vlan = 1 }",
        ["{ product = prefix 'Power' }"] = "{ product = glob 'PowerEdge R?40' }",
        ["{ features = 'http' }"] = "{ features = 'http', arch = 'bios' }",
        ["{ arch = 'efi-x64' }"] = "{ arch = 'efi-x64-http' }",
        ["{ label = { rack = prefix '1' } }"] = "{ ['label.rack'] = '12' }",
        ["{ asset = { present, absent } }"] = "{ serial = pattern '^R' }",
    } do
        one(two(first, second), "2 unreachable-rule: rule \"b\" never decides: rule \"a\" (line 1) takes every machine")
    end
end

function tests.rules_that_are_reached()
    for first, second in pairs {
        ["{ serial = 'A' }"] = "nil",
        ["{ serial = 'A', vlan = 7 }"] = "{ serial = 'A' }",
        ["{ mac = prefix '52:54:01' }"] = "{ mac = prefix '52:54' }",
        ["{ serial = function() return true end }"] = "{ serial = 'A' }",
        ["function() return true end"] = "nil",
        ["{ serial = present }"] = "{ serial = { absent, 'A' } }",
        ["{ serial = except 'A' }"] = "{ serial = except 'B' }",
        ["{ serial = except { 'A', 'C' } }"] = "{ serial = except 'A' }",
        ["{ features = except 'http' }"] = "{ features = 'efi' }",
        ["{ serial = glob 'R?*' }"] = "{ serial = glob 'R*' }",
        ["{ arch = 'efi-x64-http' }"] = "{ arch = 'efi-x64' }",
        ["{ serial = { 'A', function() return true end } }"] = "{ serial = 'B' }",
        ["{ vlan = range(1, 9) }"] = "{ vlan = range(2, 10) }",
        ["{ mac = '52:54:00:00:00:01' }"] = "{ mac = {} }",
    } do
        none(two(first, second))
    end
    -- What may have no opinion takes nothing from others.
    none "rule 'a' { boot = function() end }\nrule 'b' { boot = disk }"
    none("local hosts = inventory 'h.csv'\nrule 'a' { boot = rollout { percent = 1, use = hosts, otherwise = disk } }\nrule 'b' { boot = disk }",
         nil, { ["h.csv"] = "mac,boot\n" })
end

function tests.lists_are_taken_part_by_part()
    one([[rule "x" { boot = disk, match = { arch = "efi-x64", serial = present } }
rule "y" { boot = ignore, match = { arch = "bios" } }
rule "z" { boot = ignore, match = { arch = { "bios", "efi-x64" }, serial = "A" } }]],
        '3 unreachable-rule: rule "z" never decides: rule "x" (line 1), rule "y" (line 2) take every machine')
    none [[rule "x" { boot = disk, match = { arch = "efi-x64" } }
rule "z" { boot = ignore, match = { arch = { "bios", "efi-x64" } } }]]
    assert(#warnings "rule 'a' { boot = disk } rule 'b' { boot = disk } rule 'c' { boot = disk }" == 2)
end

-- Pairs of rules at random: where one covers the other, no machine may show that it does not.
local VALUES = {
    serial = { "A", "AB", "ABC", "B", "BC", "CAB" }, vlan = { 1, 2, 3, 12, 20 },
    mac = { "52:54:00:00:00:01", "52:54:00:00:00:10", "52:54:01:00:00:01", "aa:54:00:00:00:01" },
    ip = { "10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.1.1", "11.0.0.1" }, features = { "http", "efi", "tftp" },
    arch = { "bios", "efi-x64", "efi-x64-http" },
}
local WORDS = {
    serial = { 'prefix "A"', 'prefix "AB"', 'suffix "B"', 'suffix "AB"', 'glob "A*"', 'glob "?B*"', 'pattern "B"' },
    vlan = { "range(1, 3)", "range(2, 12)", "range(2, 3)", 'prefix "1"' },
    mac = { 'prefix "52"', 'prefix "52:54:00"', 'suffix "01"', 'suffix "00:01"', 'range("52:54:00:00:00:00", "52:54:00:00:00:0f")' },
    ip = { 'subnet "10.0.0.0/8"', 'subnet "10.0.0.0/30"', 'range("10.0.0.0", "10.0.0.3")', 'range("10.0.0.1", "10.0.0.9")' },
    features = { 'prefix "ht"', 'suffix "tp"', 'glob "*ftp"' }, arch = { 'prefix "efi"' },
}
local NAMES = { "serial", "vlan", "mac", "ip", "features", "arch" }

local function pick(list)
    return list[math.random(#list)]
end

local function matcher(name, depth)
    local kind = math.random(depth > 2 and 6 or 9)
    if kind <= 2 then
        return ("%q"):format(pick(VALUES[name]))
    elseif kind <= 5 then
        return pick(WORDS[name])
    elseif kind == 6 then
        return pick { "present", "absent" }
    elseif kind <= 8 then
        return "except(" .. matcher(name, depth + 1) .. ")"
    end
    local parts = {}
    for i = 1, math.random(0, 3) do
        parts[i] = matcher(name, depth + 1)
    end
    return "{ " .. table.concat(parts, ", ") .. " }"
end

local function random_rule(name, fields)
    local parts = {}
    for _, field in ipairs(fields or NAMES) do
        if fields or math.random(4) == 1 then
            parts[#parts + 1] = field .. " = " .. matcher(field, 1)
        end
    end
    return ("rule '%s' { boot = disk, match = { %s } }\n"):format(name, table.concat(parts, ", "))
end

local function random_machine()
    local fields = {}
    for _, name in ipairs(NAMES) do
        if math.random(3) > 1 then
            fields[name] = pick(VALUES[name])
        end
    end
    if fields.features and math.random(2) == 1 then
        fields.features = { fields.features, pick(VALUES.features) }
    end
    return machine.new(fields, pick { "ipxe", "dhcp" })
end

function tests.no_false_alarm()
    math.randomseed(4)
    local found = 0
    for i = 1, 3000 do
        local fields = { NAMES[i % #NAMES + 1], i % 5 == 0 and pick(NAMES) or nil }
        local text = random_rule("a", fields) .. random_rule("b", fields)
        local policy = assert(engine.load { text = text, file = "p.lua", dir = "." })
        local first, second = policy.rules[1], policy.rules[2]
        local others = {}
        for _, p in ipairs(second.predicates) do
            others[p.name] = p
        end
        if covers.all(first.predicates, others) then
            found = found + 1
            for _ = 1, 60 do
                local m = random_machine()
                assert(rules.match(second, m) ~= true or rules.match(first, m) ~= false, text)
            end
        end
    end
    assert(found > 100, found)
end

-- The same of whole policies: a rule that is said never to decide never does.
function tests.no_false_alarm_among_many()
    math.randomseed(5)
    local found = 0
    for _ = 1, 300 do
        local text = {}
        for i = 1, 8 do
            text[i] = random_rule(("r%d"):format(i))
        end
        text = table.concat(text)
        local list = {}
        local policy = assert(engine.load { text = text, file = "p.lua", dir = ".", inspect = lint.inspector(list) })
        local dead = {}
        for _, warning in ipairs(list) do
            dead[warning.text:match 'rule "(r%d)" never'] = warning.text
            found = found + 1
        end
        for _ = 1, 40 do
            local d = engine.decide(policy, random_machine())
            assert(not d.rule or not dead[d.rule.name], text .. tostring(d.rule and dead[d.rule.name]))
        end
    end
    assert(found > 50, found)
end

function tests.unused_profiles_and_templates()
    one("profile 'x' { kernel = 'k' }\nrule 'r' { boot = disk }", '1 unused-profile: nothing boots profile "x"')
    for _, boot in ipairs { "'x'", "{ use = 'x' }", "menu { { 'a', 'x' } }", "function() return 'x' end",
                            "rollout { percent = 1, use = 'x', otherwise = disk }" } do
        none("profile 'x' { kernel = 'k' }\nrule 'r' { boot = " .. boot .. " }")
    end
    none("profile 'x' { kernel = 'k' }\nrule 'r' { boot = disk, on_error = 'x' }")
    one("local t = template 't.txt'\nrule 'r' { boot = disk, args = t and nil }",
        '1 unused-template: template "t.txt" is in no config', nil, { ["t.txt"] = "x" })
    none("local t = template 't.txt'\nrule 'r' { boot = menu { { 'a', rollout { percent = 1, otherwise = disk,"
         .. " use = { kernel = 'k', config = { t = t } } } } } }", nil, { ["t.txt"] = "x" })
    none("local t, u = template 't.txt', template 'u.txt'\nrule 'r' { boot = { kernel = 'k', config = { t = t } } }", nil,
         { ["t.txt"] = '{% include "u.txt" %}', ["u.txt"] = "y" })
end

function tests.arguments()
    one("profile 'x' {\n  kernel = 'k',\n  args = { 'a',\n    'b', 'a' } }\nrule 'r' { boot = 'x' }",
        '4 repeated-arg: args: "a" is given twice: profile "x" has it already (line 3)')
    one("profile 'x' { kernel = 'k', args = { 'q={{serial}}' } }\nrule 'r' {\n  boot = 'x', args = { 'q={{serial}}' } }",
        '3 repeated-arg: args: "q={{serial}}" is given twice: profile "x" has it already (line 1)')
    one("profile 'x' { kernel = 'k' }\nrule 'r' { args = { 'a' }, boot = { use = 'x', args = { 'a' } } }",
        "2 repeated-arg: ")
    none "profile 'x' { kernel = 'k', args = { 'quiet', 'console=ttyS0', 'console=tty0', '---', 'quiet' } }\nrule 'r' { boot = 'x' }"
    one("rule 'r' { boot = disk, args = { 'a' } }", '1 unused-args: args: rule "r" boots no kernel')
end

function tests.menus_and_rollouts()
    one("rule 'r' { boot = menu { { 'a', disk }, { 'a', shell } } }", '1 same-label: menu: two entries are called "a"')
    one("profile 'x' { kernel = 'k' }\nrule 'r' { boot = rollout { percent = 1, use = 'x', otherwise = { use = 'x' } } }",
        "2 same-rollout: ")
    none "profile 'x' { kernel = 'k' }\nrule 'r' { boot = rollout { percent = 1, use = 'x', otherwise = { use = 'x', args = { 'a' } } } }"
    none "profile 'x' { kernel = 'k' }\nrule 'r' { boot = rollout { percent = 1, use = 'x', otherwise = { use = 'x', vars = { a = 1 } } } }"
end

function tests.once()
    none("profile 'x' { kernel = 'k' }\nrule 'r' { boot = once { 'x', done_on = 'installed' } }")
    one("profile 'x' { kernel = 'k' }\nrule 'r' { boot = once { 'x', done_on = 'installed' } }\nrule 'n' { boot = disk }",
        '3 unreachable-rule: rule "n" never decides')
    one("profile 'x' { kernel = 'k', args = { 'a' } }\nrule 'r' {\n  args = { 'a' }, boot = once { 'x', done_on = 'i' } }",
        '3 repeated-arg: args: "a" is given twice')
    none("local t = template 't.txt'\nrule 'r' { boot = once { { kernel = 'k', config = { t = t } }, done_on = 'i' } }", nil,
         { ["t.txt"] = "x" })
end

local SITE_POLICY = [=[
profile "x" {
  kernel = "here",
  initrd = { "here",
    "gone" },
  dhcp = { file = "gone.efi" },
  files = { a = "here.cfg", b = false, c = "gone.cfg" },
}
profile "elsewhere" { kernel = "http://lab/k", initrd = "/mine/{{serial}}", dhcp = { file = "tftp-gone", server = "10.0.0.9" } }
profile "unknown" { kernel = "{{serial}}/k", dhcp = { file = "boot.ipxe" } }
rule "x" { boot = "x", match = { serial = "x" } } dhcp { programs = { bios = "gone.kpxe", ["efi-x64"] = "ipxe.efi" } }
rule "y" { boot = "elsewhere", match = { serial = "y" } }
rule "z" { boot = { kernel = "gone too" }, match = { serial = "z" }, on_error = "unknown" }
rule "menu" {
  boot = menu { { "a", { kernel = "gone three" } } },
  on_error = { kernel = "gone four" },
}

]=]

local function check(args, policy, site, files, more)
    files = files or {}
    files["s/policy.lua"], files["s/site.yaml"] = policy, "policy: policy.lua\nhttp:\n  assets: a\ntftp: { root: t }\n"
    files["s/a/x"] = files["s/a/x"] or "x"
    return cli.run("check", args, files, nil, {
        refused = more,
        site = function()
            return site, site == nil and { "s/site.yaml:1:3: unknown key" } or nil
        end,
        served = function(directory, name)
            return directory ~= nil and name:find "^here" ~= nil or name == "ipxe.efi"
        end,
    })
end

function tests.files_that_are_not_there()
    local code, out, err = check({ "-c", "s/site.yaml" }, SITE_POLICY, { policy = "s/policy.lua", assets = "s/a", tftp_root = "s/a" })
    assert(code == 0 and out == "s/site.yaml: ok\ns/policy.lua: ok, 7 warnings\n", out)
    assert(err == [=[
s/policy.lua:4: warning: initrd[2]: "gone" is not in s/a [missing-file]
s/policy.lua:5: warning: dhcp.file: "gone.efi" is not in s/a or s/a [missing-file]
s/policy.lua:6: warning: files: "gone.cfg" is not in s/a [missing-file]
s/policy.lua:10: warning: programs.bios: "gone.kpxe" is not in s/a or s/a [missing-file]
s/policy.lua:12: warning: boot.kernel: "gone too" is not in s/a [missing-file]
s/policy.lua:14: warning: boot.kernel: "gone three" is not in s/a [missing-file]
s/policy.lua:15: warning: on_error.kernel: "gone four" is not in s/a [missing-file]
]=], err)
    -- A directory that is not there is one warning, and not one for each file.
    code, out, err = check({ "-c", "s/site.yaml", "--strict" }, SITE_POLICY, { policy = "s/policy.lua", assets = "s/q", tftp_root = "s/a" })
    assert(code == 1 and out == "s/site.yaml: ok\n", out)
    assert(err == [=[
s/policy.lua:6: files: "gone.cfg" is not in s/a [missing-file]
s/site.yaml:3: http.assets: s/q: No such file or directory [missing-directory]
]=], err)
    -- Without a site, it is not known what is served.
    code, out, err = check({ "s/policy.lua" }, SITE_POLICY)
    assert(code == 0 and out == "s/policy.lua: ok\n" and err == "", err)
end

function tests.what_the_host_lacks()
    local site = { policy = "s/policy.lua", warnings = {
        { kind = "key-file", text = "s/site.yaml:4:7: `tokens.key: k`: No such file" },
        { kind = "missing-account", text = "s/site.yaml:2:3: `user: u`: there is no such user" },
    } }
    local code, out, err = check({ "-c", "s/site.yaml" }, "rule 'y' { boot = disk }", site)
    assert(code == 0 and out == "s/site.yaml: ok, 2 warnings\ns/policy.lua: ok\n", out)
    assert(err == [=[
s/site.yaml:2:3: warning: `user: u`: there is no such user [missing-account]
s/site.yaml:4:7: warning: `tokens.key: k`: No such file [key-file]
]=], err)
end

function tests.what_the_service_would_refuse()
    local site = { policy = "s/policy.lua", memory_mb = 8, stateless = true }
    local asked
    local function refused(megabytes, options)
        asked = { megabytes, options.display, options.stateless, options.inspect }
        return { "s/policy.lua:1: not enough memory", "s/policy.lua:2: other" }
    end
    local code, out, err = check({ "-c", "s/site.yaml" }, "rule 'y' { boot = disk } rule 'z' { boot = disk }", site, nil, refused)
    assert(code == 1 and out == "s/site.yaml: ok\n", out)
    assert(err == "s/policy.lua:1: not enough memory: `limits.memory_mb` of s/site.yaml is 8\ns/policy.lua:2: other\n", err)
    assert(asked[1] == 8 and asked[2] == "s/policy.lua" and asked[3] == true and asked[4] == nil)
    -- Without a site it has all the memory, and a store.
    asked = nil
    code, out = check({ "s/policy.lua" }, "rule 'y' { boot = function() return state.get 'x' end }", nil, nil, refused)
    assert(code == 0 and out == "s/policy.lua: ok\n" and asked == nil, out)
end

function tests.what_is_to_be_remembered_wants_a_store()
    for _, text in ipairs {
        "rule 'y' { boot = function() return state.get 'x' end }",
        "rule 'y' { boot = once { disk, done_on = 'installed', then_boot = disk } }",
        "on('boot:kernel', function() end) rule 'y' { boot = disk }",
    } do
        local policy, problems = engine.load { text = text, file = "p.lua", dir = ".", stateless = true }
        assert(not policy and #problems == 1 and problems[1]:find("^p.lua:1: it is to remember something"), text)
        assert(engine.load { text = text, file = "p.lua", dir = "." }, text)
    end
    assert(engine.load { text = "rule 'y' { boot = disk }", file = "p.lua", dir = ".", stateless = true })
end

function tests.rules_that_decided_nothing()
    local policy = [=[
rule "hit" { match = { serial = "A" }, boot = disk }
rule "late" { match = { serial = "B" }, boot = disk }
rule "route" { match = { serial = "C" }, boot = disk }
rule "rest" { boot = ignore }
rule "dead" { boot = disk }
]=]
    local log = [=[
{"time":"1","policy":"p","stage":"ipxe","verdict":"disk","rule":"hit"}
{"time":"2","policy":"p","stage":"dhcp","verdict":"undetermined: needs serial","rule":"late"}
{"time":"3","policy":"p","stage":"serve","verdict":"200","rule":"route"}
{"time":"4","policy":"p","stage":"ipxe","verdict":"ignore","rule":"rest","facts":{"label":{"rule":"route"}}}
{"time":"5","policy":"p","stage":"ipxe","verd
{"time":"6","policy":"p","stage":"ipxe","verdict":"ignore"}
]=]
    local code, out, err = check({ "s/policy.lua", "--log", "l" }, policy, nil, { l = log })
    assert(code == 0 and out == "s/policy.lua: ok, 3 warnings\n", out)
    assert(err == [=[
s/policy.lua:2: warning: rule "late" decided nothing in l (4 decisions, from 1 to 6) [never-hit]
s/policy.lua:3: warning: rule "route" decided nothing in l (4 decisions, from 1 to 6) [never-hit]
s/policy.lua:5: warning: rule "dead" never decides: rule "rest" (line 4) takes every machine that it means [unreachable-rule]
]=], err)
    code, out, err = check({ "s/policy.lua", "--log", "l" }, policy, nil, { l = "[]\n" })
    assert(code == 2 and out == "" and err:find("l: found 1 line, and none is a decision", 1, true), err)
    code, out, err = check({ "s/policy.lua", "--log", "gone" }, policy)
    assert(code == 2 and out == "" and err:find("gone: No such file", 1, true), err)
end

function tests.events_that_nothing_knows()
    local once = "rule 'r' { boot = once { 'x', done_on = 'installed' } }"
    local telling = "profile 'x' { kernel = 'k', args = { \"%s\" } }\n" .. once .. "\n"
    local function text(expression)
        return telling:format(expression)
    end
    one(text "done={{event 'instaled'}}",
        '1 unknown-event: no on, done_on or again_on names the event "instaled" (did you mean "installed"?)')
    one(text "{{event('reinstal', 'once')}}", 'names the event "reinstal" (did you mean "reinstall"?)')
    one("profile 'x' { kernel = 'k', config = { a = template 't' } }\n" .. once,
        '3 unknown-event: no on, done_on or again_on names the event "seen"', nil,
        { t = "{# event 'no' #}\nevent 'no'\n{% for i = 1, 2 do %}{{ yaml(event \"seen\") }}{% end %}\n" })
    one("profile 'x' { kernel = 'k', config = { a = template 't' } }\n" .. once,
        '1 unknown-event: no on, done_on or again_on names the event "seen"', nil,
        { t = "{% include 'u' %}", u = "{% local at = event 'seen' %}{{at}}" })
    none(text "{{event 'installed'}} {{event 'reinstall'}}")
    none(text "{{event('inst' .. mac)}} {{event(serial)}} {{event(mac and 'x' or 'y')}} {{'event'}}")
    none(text "{{event 'seen'}}" .. "on('se' .. 'en', function() end)")
    none(text "{{event 'seen'}}" .. "for _, name in ipairs { 'a', 'seen' } do on(name, function() end) end")
    none(text "{{event 'seen'}}" .. "serve '/x' (function() return machines.get('52:54:00:00:00:01').mac end)")
    none(text "{{event 'seen'}}" .. "local m = machines\nserve '/x' (function() return m.get('x').mac end)")
    one(text "{{event 'seen'}}" .. "serve '/x' (function() return #machines.stuck(60) .. '' end)", "unknown-event")
    none("profile 'x' { kernel = 'k', args = { \"{{event 'up'}}\" }, vars = { event = 'x' } }\n" .. once)
end

function tests.kinds_are_documented()
    local file = assert(io.open "lua/cli/README.md")
    local text = file:read "*a"
    file:close()
    for _, kind in ipairs(lint.kinds) do
        assert(text:find(("| `%s` | %s |"):format(kind[1], kind[2]), 1, true), kind[1])
    end
end

function tests.formats()
    local policy = "profile 'a,b' { kernel = 'k' }\nrule 'r' { boot = disk }\n"
    local code, out, err = check({ "s/policy.lua", "--format=github" }, policy)
    assert(code == 0 and err == "" and out == '::warning file=s/policy.lua,line=1,title=unused-profile::nothing boots profile "a,b"\n', out)
    code, out = check({ "s/policy.lua", "--format=github", "--strict" }, policy)
    assert(code == 1 and out:find "^::error ", out)
    code, out = check({ "--format", "github" }, policy, nil)
    assert(code == 1 and out == "::error file=s/site.yaml,line=1,col=3::unknown key\n", out)
    code, out, err = check({ "s/policy.lua", "--format", "json" }, "rul 'x' {}\nrule 'y' { boot = 'z' }\n")
    assert(code == 1 and err == "", err)
    local json = host.json.decode(out)
    assert(json.ok == false and json.errors == 2 and json.warnings == 0, out)
    assert(json.problems[1].file == "s/policy.lua" and json.problems[1].line == 1 and json.problems[1].severity == "error")
    code, out = check({ "s/policy.lua", "--format", "json" }, "rule 'y' { boot = disk }\n")
    json = host.json.decode(out)
    assert(code == 0 and json.ok == true and #json.problems == 0 and out:find('"problems": []', 1, true), out)
    code, out, err = check({ "gone/x.lua", "--format", "json" }, policy)
    assert(code == 1 and err == "")
    assert(host.json.decode(out).problems[1].message == "No such file or directory", out)
    code, out, err = check({ "s/policy.lua", "--format", "jsn" }, policy)
    assert(code == 2 and out == "" and err:find('there is no format "jsn" (did you mean "json"?)', 1, true), err)
end

return tests
