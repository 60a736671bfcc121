-- `moonboot diff`, with its sources read from memory.

local cli = require "fake_cli"
local json = require "json"

local tests = {}

local OLD = [=[
profile "linux" { kernel = "vmlinuz", args = { "quiet", "host={{serial or mac}}" }, config = { seed = "one" } }
profile "other" { kernel = "vmlinuz" }
rule "rack 1" { match = { mac = prefix "52:54:00:01" }, boot = "linux" }
rule "labels" { match = { ["label.row"] = "b" }, boot = "other" }
rule "circuit" { match = { circuit_id = "\0\255" }, boot = "other" }
rule "rest" { boot = ignore }
]=]

-- OLD with one thing replaced.
local function changed(from, to)
    local at, last = OLD:find(from, 1, true)
    return OLD:sub(1, at - 1) .. to .. OLD:sub(last + 1)
end

local function run(args, new, files, old)
    files["old.lua"], files["new.lua"] = OLD, new
    local list = { old or "old.lua", "new.lua" }
    for _, arg in ipairs(args) do
        list[#list + 1] = arg
    end
    return cli.run("diff", list, files, nil, {
        cores = 1,
        hash = function(text) return text end,
    })
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

local function line(name, facts)
    return ('{"time":"2026-11-26T14:00:00.000000Z","machine":"%s","us":1,"generation":1,"policy":"0","facts":{%s}}\n')
        :format(name, facts)
end

local LOG = line("52:54:00:01:00:01", '"mac":"52:54:00:01:00:01","serial":"S1","stage":"ipxe"')
    .. line("52:54:00:01:00:01", '"mac":"52:54:00:01:00:01","serial":"S1","stage":"ipxe"')
    .. line("52:54:00:01:00:02", '"mac":"52:54:00:01:00:02","stage":"ipxe"')
    .. line("52:54:00:02:00:01", '"mac":"52:54:00:02:00:01","stage":"ipxe","label":{"row":"b","x":"}{"}')
    .. line("B", '"serial":"B","stage":"ipxe","circuit_id-hex":"00ff"')

function tests.the_same_policy_is_no_difference()
    local code, out, err = run({ "--log", "log" }, OLD, { log = LOG })
    assert(code == 0, out .. err)
    assert(out == "0 of 4 machines would boot otherwise (5 decisions)\n" and err == "", out .. err)
end

function tests.a_change_is_told_with_both_rules()
    local code, out = run({ "--log", "log" }, changed("52:54:00:01", "52:54:00:02"), { log = LOG })
    assert(code == 1)
    has(out, "3 of 4 machines would boot otherwise (5 decisions)\n",
        "\n2 machines: boot linux -> ignore\n    - rule \"rack 1\" (old.lua:3)\n    + rule \"rest\" (new.lua:6)\n",
        "\n    52:54:00:01:00:01\n        - kernel vmlinuz\n        - quiet\n        - host=S1\n",
        "\n1 machine: boot other -> boot linux\n")
end

function tests.other_arguments_are_a_change_and_another_rule_is_none()
    local code, out = run({ "--log", "log" }, changed('"quiet", ', '"debug", '), { log = LOG })
    assert(code == 1)
    has(out, "2 machines: boot linux, with other args\n", "    52:54:00:01:00:02\n        - quiet\n        + debug\n")
    code, out = run({ "--log", "log" }, changed('"quiet", "host={{serial or mac}}"', '"host={{serial or mac}}", "quiet"'),
                    { log = LOG })
    assert(code == 1)
    has(out, "args in another order\n")
    code = run({ "--log", "log" }, changed('rule "rack 1"', 'rule "rack one"'), { log = LOG })
    assert(code == 0)
end

function tests.what_a_menu_has_is_named()
    local function menu(with)
        return OLD .. 'rule "never" { boot = menu { title = "Pick", { "a", disk }, { "b", shell }, ' .. with .. ' } }\n'
    end
    local old = menu("timeout = 20"):gsub('rule "rest"[^\n]*\n', "")
    local new = menu("timeout = 30, default = 2"):gsub('rule "rest"[^\n]*\n', "")
    local code, out, err = run({ "--log", "log" }, new, {
        log = line("x", '"serial":"x","stage":"ipxe"'), ["menu.lua"] = old,
    }, "menu.lua")
    assert(code == 1, out .. err)
    has(out, "with other menu\n", "\n        - timeout 20\n        - default 1\n        + timeout 30\n        + default 2\n")
    assert(not out:find "title", out)
end

function tests.documents_are_compared_when_asked_for()
    local new = changed('seed = "one"', 'seed = "two"')
    assert(run({ "--log", "log" }, new, { log = LOG }) == 0)
    local code, out = run({ "--log", "log", "--documents" }, new, { log = LOG })
    assert(code == 1)
    has(out, "2 machines: boot linux, with other documents\n")
end

function tests.labels_and_bytes_come_back_as_they_were()
    local code, out = run({ "--log", "log" }, changed("\\0\\255", "\\0\\254"), { log = LOG })
    assert(code == 1)
    has(out, "1 machine: boot other -> ignore\n", "    B\n")
    code, out = run({ "--log", "log" }, changed('"label.row"', '"label.raw"'),
                    { log = LOG .. line("C", '"stage":"ipxe","label-hex":{"726f77":"62"}') })
    assert(code == 1)
    has(out, "2 machines: boot other -> ignore\n")
end

function tests.a_failure_is_a_change()
    local code, out = run({ "--log", "log" }, changed("host={{serial or mac}}", "host={{serial}}"), { log = LOG })
    assert(code == 1)
    has(out, "1 machine: boot linux -> ignore (failed)\n", "+ new.lua:1: serial is absent")
end

function tests.early_stages_are_decided_as_they_were()
    local log = line("m", '"mac":"52:54:00:01:00:01","stage":"dhcp"')
    local code, out = run({ "--log", "log" }, changed('mac = prefix "52:54:00:01"', 'serial = "x"'), { log = log })
    assert(code == 1)
    has(out, "1 machine: boot linux -> undetermined: needs serial\n")
    assert(run({ "--log", "log" }, changed('"quiet", ', ""), { log = log }) == 0)
end

function tests.lines_that_tell_nothing_are_counted()
    local code, _, err = run({ "--log", "log" }, OLD, { log = LOG .. "torn\n\n{\"machine\":\"x\"}\n"
        .. '{"machine":"x","facts":{"mac":"52:54:00:01:00:01"},"cut":true}\n'
        .. line("y", '"mac":"nonsense","stage":"ipxe"') })
    assert(code == 0)
    has(err, "4 lines of the log cannot be decided again")
end

function tests.pages_and_events_are_passed_over()
    local code, out, err = run({ "--log", "log" }, OLD, { log = LOG
        .. '{"time":"t","machine":"x","stage":"event","verdict":"event installed","us":1,"generation":1,"policy":"0"}\n'
        .. '{"time":"t","machine":"x","stage":"serve","us":1,"generation":1,"policy":"0","facts":{"stage":"http"}}\n' })
    assert(code == 0 and err == "", err)
    has(out, "(5 decisions)")
end

function tests.lines_of_others_are_read_too()
    local code, out = run({ "--log", "log" }, changed("52:54:00:01", "52:54:00:02"),
                          { log = '{ "facts": { "stage": "ipxe", "mac": "52:54:00:01:00:01" }, "machine": "m" }\n' })
    assert(code == 1)
    has(out, "1 of 1 machine would", "    m\n")
end

function tests.machines_of_every_format()
    local new = changed("52:54:00:01", "52:54:00:02")
    for name, text in pairs {
        ["hosts.json"] = '{ "52-54-00-01-00-01": "linux", "52:54:00:09:00:01": { "boot": "disk", "vars": { "x": 1 } } }',
        ["keyed.json"] = '{ "hosts": [ { "mac": "525400010001", "serial": "S", "asset": null, "boot": "linux" },'
                         .. ' { "mac": "52:54:00:09:00:01" } ] }',
        ["list.json"] = '[ { "mac": "52:54:00:01:00:01" }, { "serial": "T" } ]',
        ["hosts.csv"] = 'mac,boot,note\r\n52:54:00:01:00:01,linux,"a ""quoted"",\nnote"\r\n52:54:00:09:00:01,disk,\r\n',
        ["hosts.jsonl"] = '{ "mac": "52:54:00:01:00:01", "stage": "ipxe" }\n\n{ "mac": "52:54:00:09:00:01" }\n',
    } do
        local code, out, err = run({ "--machines", name }, new, { [name] = text })
        assert(code == 1, name .. out .. err)
        has(out, "1 of 2 machines would boot otherwise", "1 machine: boot linux -> ignore\n", "52:54:00:01:00:01")
    end
    local code, out = run({ "--machines", "s.json" }, changed('serial or mac', 'serial'), -- another key
                          { ["s.json"] = '{ "key": "serial", "hosts": { "S1": "linux", "S2": {} } }' })
    assert(code == 0, out)
end

-- Standard input and pipes have no suffix.
function tests.machines_of_a_format_that_is_not_named()
    local one, two = '{"mac":"52:54:00:01:00:01"}\n', '{"mac":"52:54:00:09:00:01"}\n'
    for _, text in ipairs {
        one .. two,
        "\n" .. one .. "\n" .. two,
        '{"facts":{"mac":"52:54:00:01:00:01"}}\n{"facts":{"mac":"52:54:00:09:00:01"}}\n',
        '{\n  "52:54:00:01:00:01": {},\n  "52:54:00:09:00:01": {}\n}\n',
        '{"52:54:00:01:00:01": {}, "52:54:00:09:00:01": {}}',
        '{"key": "mac", "hosts": [ {"mac":"52:54:00:01:00:01"}, {"mac":"52:54:00:09:00:01"} ] }',
        '[ {"mac":"52:54:00:01:00:01"},\n{"mac":"52:54:00:09:00:01"} ]',
        "mac\n52:54:00:01:00:01\n52:54:00:09:00:01\n",
        '"mac",boot\r\n52:54:00:01:00:01,"a\nb"\r\n52:54:00:09:00:01,x\r\n',
    } do
        for _, name in ipairs { "-", "/dev/fd/63" } do
            local code, out, err = run({ "--machines", name }, changed("52:54:00:01", "52:54:00:02"), { [name] = text })
            assert(code == 1 and err == "", text .. err)
            has(out, "1 of 2 machines would boot otherwise", "1 machine: boot linux -> ignore\n")
        end
    end
    local code, _, err = run({ "--machines", "-" }, OLD, { ["-"] = one .. "{" })
    assert(code == 2 and err:find "^moonboot diff: %-:2: ", err)
    assert(select(2, run({ "--machines", "-" }, OLD, { ["-"] = '{"mac":"52:54:00:01:00:01"}' })):find "^0 of 1 ")
end

function tests.bad_lists_of_machines_have_their_line()
    for text, message in pairs {
        ['{ "mac": "52:54:00:01:00:01" }\n{ "mca": "x" }'] = 'm.jsonl:2: a machine has no field "mca" (did you mean "mac"?)',
        ['{ "mac": "zz" }'] = 'm.jsonl:1: mac: found "zz"',
        ['[1'] = "m.jsonl:1: ",
    } do
        local code, _, err = run({ "--machines", "m.jsonl" }, OLD, { ["m.jsonl"] = text })
        assert(code == 2, text)
        has(err, message)
    end
    for name, message in pairs {
        ["m.csv"] = "m.csv:1: the first column", ["m.txt"] = "m.txt is neither .yaml", ["m.json"] = "m.json: ",
    } do
        local code, _, err = run({ "--machines", name }, OLD, { [name] = "nonsense: [" })
        assert(code == 2, name)
        has(err, message)
    end
end

function tests.json_has_all_of_it()
    local code, out = run({ "--log", "log", "--json" }, changed('"quiet", ', ""), { log = LOG })
    assert(code == 1)
    local data = assert(json.decode(out))
    assert(data.machines == 4 and data.decisions == 5 and data.differ == 2 and data.skipped == 0)
    local group = data.groups[1]
    assert(group.old.verdict == "boot linux" and group.new.rule.file == "new.lua" and group.new.rule.line == 3)
    assert(group.changed[1] == "args" and group.machines == 2 and group.decisions == 3)
    assert(group.examples[1].machine == "52:54:00:01:00:01" and group.examples[1].details[1] == "- quiet")
end

function tests.some_machines_are_shown_or_all()
    local log = {}
    for i = 1, 9 do
        log[i] = line("m" .. i, ('"mac":"52:54:00:01:00:%02d","stage":"ipxe"'):format(i))
    end
    local new = changed('"quiet", ', "")
    local _, out = run({ "--log", "log" }, new, { log = table.concat(log) })
    has(out, "m5\n", "… and 4 more\n")
    assert(not out:find("m6", 1, true))
    _, out = run({ "--log", "log", "--all" }, new, { log = table.concat(log) })
    has(out, "m9\n")
end

function tests.what_machines_told_cannot_harm_a_terminal()
    local log = line("m", '"mac":"52:54:00:01:00:01","serial":"a\\u001b[31m\\u007f\255","stage":"ipxe"')
    local new = changed('"host=', '"name=')
    local _, out = run({ "--log", "log" }, new, { log = log })
    has(out, "- host=a?[31m?\239\191\189\n")
    _, out = run({ "--log", "log", "--json" }, new, { log = log })
    has(out, "host=a\\u001b[31m\\u007f\239\191\189")
end

function tests.usage()
    for _, args in ipairs { {}, { "--log", "a", "--machines", "b" }, { "--log", "a", "--jobs", "0" }, { "--nonsense" } } do
        local code, _, err = run(args, OLD, { a = "" })
        assert(code == 2)
        has(err, "Try: moonboot diff --help")
    end
    local code, _, err = run({ "--log", "none" }, OLD, {})
    assert(code == 2)
    has(err, "none: No such file or directory")
    code, _, err = run({ "--log", "log" }, "rule", { log = LOG })
    assert(code == 2)
    has(err, "new.lua:1:")
end

return tests
