-- `moonboot repl`, without a terminal; tests/prompt.py is at one.
local cli = require "fake_cli"
local complete = require "cli.complete"
local engine = require "engine"

local tests = {}

local POLICY = [=[
profile "linux" { kernel = "k", args = { "s={{serial or 'none'}}" }, config = { ["user-data"] = "x" } }
rule "rack" { match = { mac = prefix "52:54", ["label.row"] = { "b", "c" }, product = "Rack 12" }, boot = "linux" }
rule "arm" { match = { arch = except { "efi-arm64" }, serial = "R5QNN72" }, boot = disk }
rule "rest" { boot = ignore }
]=]

local function run(input, files, args, more)
    files = files or {}
    files["p.lua"], files["-"] = files["p.lua"] or POLICY, input
    more = more or {}
    more.editor = more.editor or function() end
    return cli.run("repl", args or { "p.lua" }, files, nil, more)
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

function tests.a_line_is_a_machine()
    local code, out, err = run 'mac=52-54-00-00-00-01 label.row=b product="Rack 12"\n\n  serial=R5QNN72 arch=bios\n'
    assert(code == 0 and err == "", err)
    assert(out == "verdict  boot linux\nrule     rack (p.lua:2)\nkernel   k\nargs     s=none\n"
                  .. "verdict  disk\nrule     arm (p.lua:3)\n", out)
end

function tests.the_last_machine_is_changed()
    local code, out = run "serial=R5QNN72 arch=bios\n+serial=\n+serial=R5QNN72 vendor-class=x\n:explain\n:explain serial=A\n"
    assert(code == 0, out)
    has(out, "rule     arm", "rule     rest", "machine  serial=R5QNN72  arch=bios  vendor_class=x", "machine  serial=A\n",
        '-> p.lua:3, "arm": decided')
end

function tests.commands()
    local code, out, err = run(":render ipxe,config/user-data mac=52:54:00:00:00:01 label.row=b product=\"Rack 12\"\n:rules\n:help\n:quit\n:nope\n")
    assert(code == 0 and err == "", err)
    has(out, "\nipxe:\n#!ipxe\n", "\nconfig/user-data:\nx", ':reload  ', '   1  p.lua:2, "rack"  (mac: prefix "52:54"; product: "Rack 12";',
        '   3  p.lua:4, "rest"\n')
    code, out = run(":machine m.json\n" .. ":machine l:1\n+product= stage=dhcp\n", {
        ["m.json"] = '{"serial":"R5QNN72"}',
        ["l"] = '{"time":"t","policy":"p","facts":{"mac":"52:54:00:00:00:01","label":{"row":"b"},"product":"Rack 12","stage":"ipxe"}}\n',
    })
    assert(code == 0)
    has(out, "rule     arm", "rule     rack", "undetermined")
end

function tests.what_is_wrong_is_said()
    for line, said in pairs {
        ["mac"] = 'found "mac", expected FIELD=VALUE', ["max=1"] = 'no field "max" (did you mean "mac"?)', ["mac=x"] = "mac: found",
        ["stage=ipx"] = 'stage: found "ipx"', ['mac="x'] = "a quote is not closed", [":exlain"] = '(did you mean "explain"?)',
        [":explain"] = "which machine?", ["+vlan=7"] = "which machine?", [":render"] = "which format? dhcp, grub, ipxe",
        [":render ipx"] = '(did you mean "ipxe"?)', [":machine gone"] = "gone: No such file", [":"] = "there is no command :",
    } do
        local code, out, err = run(line .. "\nserial=R5QNN72\n")
        assert(code == 1, line)
        has(err, said)
        has(out, "verdict  disk")
    end
end

function tests.reload()
    local files = { ["p.lua"] = "rul 'x' {}" }
    local code, out, err = run("mac=52:54:00:00:00:01\n:reload\n:rules\n", files)
    assert(code == 1 and out == "", out)
    has(err, 'p.lua:1: unknown word "rul"', "there is no policy: mend it, and :reload")
    -- A good one stays until a better one is there.
    files = {}
    local lines = { "serial=R5QNN72", ":reload", "serial=R5QNN72", ":reload", "serial=R5QNN72" }
    local n = 0
    code, out, err = run("", files, nil, {
        editor = function()
            return function()
                n = n + 1
                if n == 2 then
                    files["p.lua"] = "rul 'x' {}"
                elseif n == 4 then
                    files["p.lua"] = "rule 'new' { boot = shell }"
                end
                return lines[n]
            end
        end,
    })
    assert(code == 0, err)
    has(err, 'unknown word "rul"', "the policy of before stays")
    has(out, "p.lua: 3 rules. Type a machine", "p.lua: 1 rules", "rule     new")
    local _, arms = out:gsub("rule     arm", "")
    assert(arms == 2, out)
end

function tests.usage()
    for _, args in ipairs { { "a", "b" }, { "-c", "x", "p.lua" }, { "-x" } } do
        local code, out, err = run("", nil, args)
        assert(code == 2 and out == "" and err:find("^moonboot repl: "), table.concat(args, " "))
    end
    local code, _, err = run("", nil, {}, { site = function() return nil, { "site.yaml: No such file" } end })
    assert(code == 1 and err == "site.yaml: No such file\n")
    assert(run("serial=A\n", nil, {}, { site = function() return { policy = "p.lua" } end }) == 0)
    code, _, err = run("", nil, { "gone.lua" })
    assert(code == 1 and err:find "gone.lua", err)
end

function tests.completion()
    local known = complete.of(assert(engine.load { text = POLICY, file = "p.lua", dir = "." }))
    local commands = { ":explain", ":render", ":reload", ":rules" }
    for before, wanted in pairs {
        [":ex"] = { "plain " }, [":r"] = { nil, ":reload  :render  :rules\n" }, [":re"] = { nil, ":reload  :render\n" },
        ["arch_"] = { "id=" }, ["mac=x hostn"] = { "ame=" }, ["arch=efi-arm6"] = { "4" }, ["arch=efi-arm64"] = { nil, "efi-arm64  efi-arm64-http\n" },
        ["arch=bios-"] = { "http " }, ["stage=d"] = { "hcp " }, ["label.r"] = { "ow=" }, ["label.row="] = { nil, "b  c\n" },
        ["serial="] = { "R5QNN72 " }, ["+seri"] = { "al=" }, ["+serial=R"] = { "5QNN72 " }, [":render ip"] = { "xe" },
        [":render ipxe,conf"] = { "ig/user-data" }, [":render ipxe seria"] = { "l=" }, [":explain asse"] = { "t=" },
        ["zz"] = {}, ["zz=1"] = {}, ["s"] = { nil, "serial=  stage=\n" }, ["vend"] = { "or_class=" }, ["m"] = { "a" },
    } do
        local insert, shown = complete.line(known, commands, before)
        assert(insert == wanted[1] and shown == wanted[2], ("%s: %s, %s"):format(before, tostring(insert), tostring(shown)))
    end
    assert(complete.of(nil).fields[1] == "mac=")
end

return tests
