-- `moonboot explain`, and machines that are read from files. host.lua's index leaves no rule out;
-- tests/cli.sh sees what the real one does.
local cli = require "fake_cli"
local engine = require "engine"
local explain = require "explain"
local machine = require "machine"

local tests = {}

local POLICY = [=[
profile "linux" { kernel = "k", args = { "s={{serial}}" } }
rule "other" { match = { mac = prefix "aa", vlan = 7 }, boot = disk }
rule "list" { match = { mac = prefix "52", serial = { "A", absent } }, boot = disk }
rule "no opinion" { match = { mac = prefix "52" }, boot = function() end }
rule "field" { match = { mac = function(v) return v == "x" end }, boot = disk }
rule "whole" { match = function() return false end, boot = disk }
rule "answer" {
  match = { mac = prefix "52" },
  boot = function() return { use = "linux", args = { "x" }, vars = { a = { 1, k = deny "no" } } } end,
}
rule "rest" { boot = ignore }
]=]

local function run(args, files, ...)
    files = files or {}
    files["p.lua"] = files["p.lua"] or POLICY
    return cli.run("explain", args, files, ...)
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

local function json(...)
    local code, out = run(...)
    return host.json.decode(out), code
end

function tests.every_rule_in_order()
    local code, out = run { "p.lua", "--mac", "52:54:00:00:00:01", "--serial", "S", "--label", "row=b" }
    assert(code == 1, out)
    out = out:gsub("%d+%.%d µs", "N µs")
    local error_text = "p.lua:7: malformed answer: vars.a: found a table, expected text, a number, a boolean, or a table of them"
    assert(out == ([=[
machine  mac=52:54:00:00:00:01  serial=S  label.row=b
stage    ipxe

   p.lua:2, "other": no match  (N µs)
     no   mac: wanted prefix "aa", found "52:54:00:00:00:01"
     no   vlan: wanted 7, found nothing
   p.lua:3, "list": no match  (N µs)
     yes  mac: wanted prefix "52", found "52:54:00:00:00:01"
     no   serial: wanted one of "A", none, found "S"
~  p.lua:4, "no opinion": no opinion: its function has no opinion  (N µs)
     yes  mac: wanted prefix "52", found "52:54:00:00:00:01"
     its function returned nothing
   p.lua:5, "field": no match  (N µs)
     no   mac: wanted what its function wants, found "52:54:00:00:00:01"
   p.lua:6, "whole": no match  (N µs)
     no   its match function said no
-> p.lua:7, "answer": failed: ERROR  (N µs)
     yes  mac: wanted prefix "52", found "52:54:00:00:00:01"
     its function returned { args = { "x" }, use = "linux", vars = { a = { 1, k = deny "no" } } }
   p.lua:11, "rest": not reached

verdict  ignore
rule     answer (p.lua:7)
error    ERROR
time     N µs
]=]):gsub("ERROR", error_text), out)
end

function tests.as_json()
    local files = { ["p.lua"] = (POLICY:gsub(', k = deny "no"', "")) }
    local out, code = json({ "p.lua", "--mac", "52:54:00:00:00:01", "--serial", "S", "--json", "--render", "ipxe" }, files)
    assert(code == 0)
    assert(out.machine.mac == "52:54:00:00:00:01" and out.stage == "ipxe" and out.us > 0)
    assert(out.decision.profile == "linux" and out.decision.args[2] == "x" and out.decision.render.ipxe:find "^#!ipxe")
    local outcomes = {}
    for i, rule in ipairs(out.rules) do
        outcomes[i] = rule.outcome .. (rule.indexed and "" or " -")
    end
    assert(table.concat(outcomes, ", ")
           == "no match, no match, no opinion, no match, no match, decided, not reached", table.concat(outcomes, ", "))
    assert(out.rules[6].returned == '{ args = { "x" }, use = "linux", vars = { a = { 1 } } }', out.rules[6].returned)
    assert(out.rules[3].returned == "nothing" and out.rules[1].returned == nil)
    assert(out.rules[1].match[2].result == "no" and out.rules[1].match[2].found == nil)
    assert(out.rules[2].match[2].result == "no" and out.rules[2].match[2].found == "S")
    assert(out.rules[5].match[1].field == "match" and out.rules[5].match[1].result == "no")
    assert(#out.rules[7].match == 0 and out.rules[7].us == nil and out.rules[6].us >= 0)
end

function tests.what_is_not_known_yet()
    local code, out = run { "p.lua", "--mac", "52:54:00:00:00:01", "--stage", "dhcp" }
    assert(code == 0)
    has(out, "stage    dhcp", '-> p.lua:3, "list": undetermined: serial is not known yet', "?    serial: wanted",
        '   p.lua:11, "rest": not reached', "needs    serial")
end

function tests.failures()
    for text, said in pairs {
        ["rule 'r' { boot = function() return nil, 'why' end, on_error = disk }"] =
            { "failed: p.lua:1: why", 'its function returned nothing, "why"' },
        ["rule 'r' { boot = function() error 'oops' end }"] = { "failed: p.lua:1: oops" },
        ["rule 'r' { match = function() error 'oops' end, boot = disk }"] = { "failed: p.lua:1: oops" },
        ["rule 'r' { match = { serial = function() error 'oops' end, mac = present }, boot = disk }"] =
            { "failed: p.lua:1: oops", "yes  mac", "?    serial: wanted what its function wants, found \"S\"" },
    } do
        local code, out = run({ "p.lua", "--mac", "52:54:00:00:00:01", "--serial", "S" }, { ["p.lua"] = text })
        assert(code == 1, out)
        has(out, '-> p.lua:1, "r"', "error    p.lua:1: ", unpack(said))
    end
end

function tests.many_rules_are_told_in_a_line()
    local text = "for i = 1, 30 do rule('r' .. i) { match = { serial = 'S' .. i }, boot = disk } end"
    local code, out = run({ "p.lua", "--serial", "S20" }, { ["p.lua"] = text })
    assert(code == 0)
    has(out, '-> p.lua:1, "r20": decided', "p.lua:1 to p.lua:1: 10 rules, not reached (--all shows them)")
    local _, all = run({ "p.lua", "--serial", "S20", "--all" }, { ["p.lua"] = text })
    has(all, '   p.lua:1, "r21": not reached', '   p.lua:1, "r30": not reached')
end

-- The trace tries every rule; what is decided, and by which, must be what the index decides.
function tests.explained_is_decided()
    local policy = assert(engine.load { text = POLICY, file = "p.lua", dir = "." })
    for _, stage in ipairs { "dhcp", "tftp", "ipxe" } do
        for _, fields in ipairs { { mac = "52:54:00:00:00:01" }, { mac = "aa:00:00:00:00:01", vlan = 7 }, {} } do
            local found, steps = explain.decide(policy, assert(machine.new(fields, stage)), os.clock)
            local plain = engine.decide(policy, assert(machine.new(fields, stage)))
            assert(found.verdict == plain.verdict and found.rule == plain.rule)
            for _, step in ipairs(steps) do
                assert(step.indexed or step.outcome == "no match" or step.outcome == "not reached", step.name)
            end
        end
    end
end

local LOG = [=[
{"time":"2026-11-26T14:11:23.182327Z","machine":"x","stage":"ipxe","verdict":"boot linux","rule":"answer","us":3,"generation":1,"policy":"00","facts":{"mac":"52:54:00:00:00:01","serial-hex":"ff41","stage":"ipxe","vlan":false,"label":{"row":"b"},"label-hex":{"ff":"41"}}}
{"time":"2026-11-26T14:11:24.182327Z","machine":"x","stage":"dhcp","verdict":"ignore","us":3,"generation":1,"policy":"00","facts":{"mac":"52:54:00:00:00:02","stage":"dhcp"},"cut":true}
{"time":"2026-11-26T14:11:25.182327Z","machine":"x","us":3,"generation":1,"policy":"00"}
]=]

function tests.machines_from_files()
    local files = {
        ["log"] = LOG, ["m.json"] = '{\n "mac": "525400000001",\n "serial": null, "features": "http efi",\n "label": { "row": "b" } }\n',
        ["one"] = '{"mac":"52:54:00:00:00:01"}\n', ["-"] = '{ "arch": "bios" }', ["list"] = "[1]", ["bad"] = "{",
        ["number"] = "7", ["field"] = '{"max":"x"}', ["label"] = '{"label":"x"}', ["odd:1"] = '{"vlan":3}',
    }
    local function of(...)
        return (json({ "p.lua", "--json", "--machine", ... }, files))
    end
    local m = of("m.json").machine
    assert(m.mac == "52:54:00:00:00:01" and m.serial == nil and m.features == "efi http" and m["label.row"] == "b")
    assert(of("one", "--mac", "52:54:00:00:00:07").machine.mac == "52:54:00:00:00:07")
    assert(of("-").machine.arch == "bios" and of("odd:1").machine.vlan == 3)
    local first = of "log:1"
    assert(first.stage == "ipxe" and first.machine["label.row"] == "b" and first.decision.logged.rule == "answer")
    assert(of("log:2").stage == "dhcp" and of("log:2", "--stage", "tftp").stage == "tftp")
    local _, text = run({ "p.lua", "--machine", "log:2" }, files)
    has(text, "logged   2026-11-26T14:11:24.182327Z: ignore, by no rule\n", "the line has not all of the machine's facts")
    _, text = run({ "p.lua", "--machine", "log:1" }, files)
    has(text, 'logged   2026-11-26T14:11:23.182327Z: boot linux, by rule "answer"', "serial=\255A", "label.\255=A")
    for source, problem in pairs {
        ["log"] = "log has 3 lines of JSON: name one, as in log:1", ["log:9"] = "log has 3 lines", ["one:2"] = "one has 1 line",
        ["log:3"] = "log:3: this line of the log has no facts", ["gone"] = "gone: No such file", ["gone:3"] = "gone: No such file",
        ["bad"] = "bad is not JSON: ", ["list"] = "list: found a list, expected an object", ["number"] = "number: found 7",
        ["field"] = 'a machine has no field "max" (did you mean "mac"?)', ["label"] = 'label: found "x", expected an object',
    } do
        local code, out, err = run({ "p.lua", "--machine", source }, files)
        assert(code == 2 and out == "", source)
        has(err, "moonboot explain: ", problem)
    end
end

local WAITS = "rule 'w' { boot = function(m) sleep(m.vlan) return disk end, on_error = shell }"

function tests.waiting_takes_no_time()
    local code, out = run({ "p.lua", "--vlan", "4" }, { ["p.lua"] = WAITS })
    assert(code == 0)
    has(out, '-> p.lua:1, "w": decided', "verdict  disk")
    code, out = run({ "p.lua", "--vlan", "6" }, { ["p.lua"] = WAITS })
    assert(code == 1)
    has(out, "failed: p.lua:1: no answer within 5 s", "verdict  shell")
end

-- What is asked when the person says so, and what is not.
function tests.the_network()
    local asked = {}
    local more = { wait = function(wait, seconds, limit)
        asked[#asked + 1] = wait.kind
        assert(seconds > 4 and seconds <= 5 and limit == 5000)
        return true
    end }
    local code, out = run({ "p.lua", "--vlan", "6", "--network", "--render", "ipxe" }, { ["p.lua"] = WAITS }, nil, more)
    assert(code == 0, out)
    has(out, "verdict  disk", "\nipxe:\n")
    assert(table.concat(asked, " ") == "sleep sleep", table.concat(asked, " "))
    local function ask()
        return coroutine.yield { kind = "http", url = "http://cmdb.lab/x" }
    end
    local answer, problem = require "cli.live".run(false, ask)
    assert(answer == nil and problem == "not asked without --network", problem)
    local answers = require "cli.live".run(false, function()
        return coroutine.yield { kind = "all", waits = { { kind = "http" }, { kind = "sleep", seconds = 1 } } }
    end)
    assert(answers[1].n == 2 and answers[1][1] == nil and answers[1][2] == "not asked without --network")
    assert(answers[2].n == 1 and answers[2][1] == true)
end

function tests.usage()
    for _, args in ipairs { {}, { "p.lua", "p.lua" }, { "p.lua", "--max", "1" }, { "p.lua", "--render", "ipx" }, { "gone/p.lua" } } do
        local code, out, err = run(args)
        assert(code == 2 and out == "" and err:find("^moonboot explain: "), table.concat(args, " "))
    end
    local _, _, err = run { "p.lua", "--render", "ipx" }
    has(err, 'did you mean "ipxe"?')
    assert(run({ "p.lua" }, { ["p.lua"] = "rul 'x' {}" }) == 1)
end

return tests
