local cli = require "fake_cli"

local tests = {}

local POLICY = [=[
profile "compute" { kernel = "vmlinuz", initrd = "initrd.img", args = { "ip=dhcp", "host={{serial}}" } }
rule "rack" { match = { mac = prefix "52:54:00" }, boot = "compute", args = { "quiet" }, vars = { role = "db" } }
rule "broken" { match = { serial = "boom" }, boot = function() error "oops" end, on_error = disk }
rule "rest" { boot = ignore }
]=]

local function run_tests(body, args, files)
    files = files or { ["p.lua"] = POLICY, ["p_test.lua"] = body }
    return cli.run("test", args or {}, files)
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

local GIVEN = "given = { mac = '52-54-00-AA-BB-CC', serial = 'S1', arch = 'efi-x64' }, "

function tests.a_passing_test_sees_everything()
    local code, out = run_tests("test 'all' { " .. GIVEN .. [=[ expect = {
        rule = "rack", boot = "compute", verdict = "boot", kernel = "vmlinuz", initrd = { "initrd.img" },
        args = { "ip=dhcp", "host=S1", "quiet" }, vars = { role = "db" }, error = false, why = false, url = false,
        ipxe = contains { "kernel http:", "host=S1 quiet" },
        dhcp = { file = contains "snponly", vendor_class = "PXEClient", options = { [43] = false } },
    } }
    test "disk" { given = { serial = "boom" }, expect = { boot = "disk", error = contains "p.lua:3: oops" } }
    test "lists" { given = { mac = "525400aabbcc", serial = "1" }, expect = { args = contains { "quiet", "ip=dhcp" } } }
    test "silence" { given = { serial = "x", mac = "00:00:00:00:00:01" }, expect = { boot = "ignore" } }
    ]=])
    assert(code == 0, out)
    has(out, "p_test.lua\n", "ok    all\n", "\n4 passed, 0 failed\n")
    assert(not out:find("\27"))
end

function tests.a_policy_is_no_test_file()
    local code, out = cli.run("test", { "d/p.lua" }, { ["d/p.lua"] = POLICY, ["d/p_test.lua"] = "" })
    assert(code == 2, out)
    has(out, "d/p.lua is a policy; its tests are in d/p_test.lua\n")
    assert(not out:find("unknown", 1, true), out)
    code, out = cli.run("test", { "p.lua" }, { ["p.lua"] = "require 'moonboot.pxelinux'\n" })
    assert(code == 2, out)
    has(out, "p.lua is a policy; there are no tests of it yet, which would be in p_test.lua\n")
    code, out = cli.run("test", { "more.lua" }, { ["p.lua"] = POLICY, ["more.lua"] =
        "policy 'p.lua'\ntest 'x' { " .. GIVEN .. "expect = { boot = 'compute' } }\n" })
    assert(code == 0, out)
    code, out = cli.run("test", { "more.lua" }, { ["p.lua"] = POLICY, ["more.lua"] = "policy 'p.lua'\ntset 'x' {}\n" })
    assert(code == 2, out)
    has(out, 'more.lua:2: unknown word "tset" (did you mean "test"?)')
end

function tests.a_failure_shows_both_sides_and_the_trace()
    local code, out = run_tests("\ntest 'no' { " .. GIVEN .. "expect = { rule = 'rest', boot = 'ignore', "
        .. "args = { 'ip=dhcp' }, ipxe = contains 'nope' } }")
    assert(code == 1, out)
    has(out, "FAIL  no\n", "p_test.lua:2", "expected  \"rest\"", "found     \"rack\"",
        'found     { "ip=dhcp", "host=S1", "quiet" }', "#!ipxe", '-> p.lua:2, "rack": matched',
        "\n0 passed, 1 failed\n")
    code, out = run_tests "test 'why' { given = { mac = '00:00:00:00:00:01', serial = 'x' }, expect = { rule = 'rack' } }"
    assert(code == 1)
    has(out, 'p.lua:2, "rack": mac: wanted prefix "52:54:00", found "00:00:00:00:00:01"')
end

function tests.a_rule_without_an_opinion_is_marked_as_explain_does()
    local files = { ["p.lua"] = 'rule "none" { boot = function() end }\nrule "rest" { boot = disk }\n' }
    local text = 'test "no" { given = { serial = "x" }, expect = { boot = "shell" } }'
    files["p_test.lua"] = text
    local code, out = run_tests(nil, {}, files)
    assert(code == 1, out)
    has(out, '\n      ~  p.lua:1, "none": its function has no opinion\n      -> p.lua:2, "rest": matched\n')
    files["p_test.lua"] = text
    code, out = run_tests(nil, { "--format", "json" }, files)
    assert(code == 1, out)
    local rules = host.json.decode(out).tests[1].rules
    assert(rules[1].matched == true and rules[1].decided == nil and rules[1].outcome == "no opinion", out)
    assert(rules[2].matched == true and rules[2].decided == true and rules[2].outcome == "decided", out)
end

local SERVED = [=[
serve "/role/:mac" (function(request)
  if request.query.boom then error "oops" end
  return { body = request.params.mac .. " " .. request.raw_query .. "\n", status = 201, type = "a/b" }
end)
serve "/logo" (function() return { asset = "logo.png" } end)
serve "/plain" (function() return "x" end)
]=]

function tests.pages_are_tested_by_get()
    local files = { ["p.lua"] = SERVED }
    files["p_test.lua"] = [=[
        test "all" { get = "/role/a%20b?x=%20&y", expect = { status = 201, body = "a b x=%20&y\n", type = "a/b", asset = false } }
        test "an asset" { get = "/logo", expect = { asset = "logo.png", body = false, status = false } }
        test "none" { get = "/nowhere", expect = { status = 404, body = contains "/nowhere" } }
        test "throws" { get = "/role/a?boom=1", expect = { status = 500, error = contains "p.lua:2: oops" } }
        test "built in" { get = "/boot.ipxe", expect = { body = contains "#!ipxe", type = contains "text/plain" } }
    ]=]
    local code, out = run_tests(nil, {}, files)
    assert(code == 0, out)
    has(out, "\n5 passed, 0 failed\n")

    files["p_test.lua"] = 'test "no" { get = "/plain", expect = { status = 404, body = "y" } }'
    for _, format in ipairs { "pretty", "tap" } do
        code, out = run_tests(nil, { "--format", format }, files)
        assert(code == 1, out)
        has(out, "404", "200", "status", "body")
    end

    for body, said in pairs {
        ["get = '/x', given = {}, expect = { status = 200 }"] = "a test has `given` or `get`",
        ["get = 'x', expect = { status = 200 }"] = '`get` is "x", and must be a path',
        ["get = '/x', expect = {}"] = "`expect` is empty",
        ["get = '/x', expect = contains 'x'"] = "`expect` must be a table, such as { status = 200 }",
        ["get = function() return '/x' end, expect = { status = 200 }"] = "`get` is a function of what `for_all` makes",
        ["get = '/x', expect = { boot = 'disk' }"] = '`expect` of a page has no key "boot"',
        ["get = '/x', expect = { status = '200' }"] = '`expect.status` is "200", and must be a number',
        ["get = '/x', expect = { body = 1 }"] = "`expect.body` is 1, and must be a text",
        ["get = 1, expect = { status = 200 }"] = "`get` is 1, and must be a text",
    } do
        files["p_test.lua"] = "test 'x' { " .. body .. " }"
        code, out = run_tests(nil, {}, files)
        assert(code == 2, body .. ": " .. out)
        has(out, said)
    end
end

function tests.errors_are_not_failures()
    for body, said in pairs {
        ["test 'x' { given = {}, expekt = {} }"] = 'a test has no key "expekt" (did you mean "expect"?)',
        ["test 'x' { given = {} }"] = "a test wants `expect`",
        ["test 'x' { expect = { bot = 'x' } }"] = '`expect` has no key "bot" (did you mean "boot"?)',
        ["test 'x' { expect = {} }"] = "`expect` is empty",
        ["test 'x' { expect = { boot = 1 } }"] = "`expect.boot` is 1, and must be a text",
        ["test 'x' { expect = { args = 'a' } }"] = "`expect.args` is \"a\", and must be a table",
        ["test 'x' { given = { max = 1 }, expect = { boot = 'x' } }"] = 'no field "max" (did you mean "mac"?)',
        ["test 'x' { given = { mac = 'y' }, expect = { boot = 'x' } }"] = "expected a MAC address",
        ["test 'x'"] = "followed by nothing",
        ["test { }"] = "a test begins with its name",
        ["test 'x' 'y'"] = "followed by a table",
        ["tset 'x' {}"] = 'p_test.lua:1: unknown word "tset" (did you mean "test"?)',
        ["x = 1"] = 'x is set and is no local',
        ["test ("] = "p_test.lua:1:",
        ["error 'mine'"] = "p_test.lua:1: mine",
        ["while true do end"] = "p_test.lua",
        ["policy 'gone.lua' test 'x' { expect = { boot = 'x' } }"] = "gone.lua",
        ["policy 'a' policy 'b'"] = "a test file tests one policy",
    } do
        local code, out = run_tests(body)
        assert(code == 2, body .. "\n" .. out)
        has(out, said, "0 passed, 0 failed, 1 error")
    end
end

function tests.a_bad_policy_is_one_error_with_all_problems()
    local code, out = run_tests(nil, {}, {
        ["p.lua"] = "rule 'x' { boot = 'nope' }\nrul 'y' { boot = ignore }\n",
        ["p_test.lua"] = "test 'a' { expect = { boot = 'x' } } test 'b' { expect = { boot = 'x' } }",
    })
    assert(code == 2)
    has(out, "p.lua:1: ", "p.lua:2: ", "0 passed, 0 failed, 1 error")
end

function tests.which_policy_a_file_tests()
    local body = "test 'x' { expect = { boot = 'ignore' } }"
    assert(run_tests(nil, { "d" }, { ["d/policy.lua"] = POLICY, ["d/policy_test.lua"] = body }) == 0)
    assert(run_tests(nil, { "d/odd.lua" }, { ["d/p.lua"] = POLICY, ["d/odd.lua"] = "policy 'p.lua' " .. body }) == 0)
    local code, out = run_tests(nil, { "d/odd.lua" }, { ["d/odd.lua"] = body })
    assert(code == 2)
    has(out, "which policy does it test?")
end

function tests.selecting_and_skipping()
    local body = "test 'one a' { expect = { boot = 'ignore' } } test 'two' { expect = { boot = 'x' } }"
        .. " test 'three a' { skip = 'later' }"
    local code, out = run_tests(body, { "--filter", "a$" })
    assert(code == 0)
    has(out, "skip  three a\n      later\n", "1 passed, 0 failed, 1 skipped")
    local err
    code, out, err = run_tests(body, { "--filter=zzz" })
    assert(code == 2 and err:find("no tests found"), out)
    code, out, err = run_tests(nil, {}, { ["p.lua"] = POLICY })
    assert(code == 2 and err:find("no tests found"), out)
    code, out, err = run_tests(nil, { "gone" }, { ["p.lua"] = POLICY })
    assert(code == 2 and err:find("gone: No such file"), out)
end

function tests.tap()
    local code, out = run_tests("test 'a # b' { expect = { boot = 'ignore' } } test 'two' { expect = { boot = 'x' } }"
        .. " test 'three' { skip = 'later' } test 'four' { expect = 1 }", { "--format", "tap" })
    assert(code == 2)
    has(out, "TAP version 13\n", "ok 1 - a \\# b\n", "not ok 2 - two\n  ---\n", 'found: "\\"ignore\\""',
        "ok 3 - three # SKIP later\n", "not ok 4 - four\n", "severity: error", "  ...\n", "\n1..4\n")
end

function tests.usage()
    for _, name in ipairs { "test", "eval" } do
        local code, out = cli.run(name, { "--help" }, {})
        assert(code == 0 and out:find("^Usage: moonboot " .. name))
        local err
        code, out, err = cli.run(name, { "-x", "y" }, { ["p.lua"] = POLICY })
        assert(code == 2 and out == "" and err:find("Try: moonboot " .. name .. " --help", 1, true), err)
    end
    assert(run_tests("", { "--format", "xml" }) == 2)
    assert(run_tests("", { "--filter", "[" }) == 2)
end

local function eval(...)
    return cli.run("eval", { ... }, { ["d/p.lua"] = POLICY, ["d/bad.lua"] = "rul 'x' {}" })
end

function tests.eval_as_text()
    local code, out = eval("d/p.lua", "--mac", "52:54:00:AA:BB:CC", "--serial=S1", "--label", "a=b")
    assert(code == 0)
    assert(out == [[
verdict  boot compute
rule     rack (d/p.lua:2)
kernel   vmlinuz
initrd   initrd.img
args     ip=dhcp
         host=S1
         quiet
vars     role = db
]], out)
    code, out = eval("d/p.lua", "--serial", "boom")
    assert(code == 1)
    has(out, "verdict  disk\n", "error    d/p.lua:3: oops\n")
    code, out = eval("d/p.lua", "--stage", "dhcp", "--mac", "00:00:00:00:00:01")
    assert(code == 0)
    has(out, "verdict  undetermined\n", "needs    serial\n")
end

function tests.eval_as_json()
    local code, out = eval("--json", "d/p.lua", "--mac", "52:54:00:AA:BB:CC", "--serial", "S1", "--arch", "bios",
                           "--render", "ipxe,dhcp")
    assert(code == 0)
    local json = host.json.decode(out)
    assert(json.rule.name == "rack" and json.rule.line == 2 and json.verdict == "boot")
    assert(json.args[2] == "host=S1" and json.vars.role == "db")
    assert(json.render.ipxe:find("^#!ipxe") and json.render.dhcp.file == "undionly.kpxe")
    assert(json.render.dhcp.options["43"] == "060108ff")
end

function tests.eval_renders()
    local code, out = eval("d/p.lua", "--mac", "52:54:00:AA:BB:CC", "--serial", "a b", "--render", "ipxe")
    assert(code == 0)
    has(out, "\nipxe:\n#!ipxe\n", 'host="a b" quiet ||')
    code, out = eval("d/p.lua", "--mac", "00:00:00:00:00:01", "--serial", "x", "--render", "dhcp", "--json")
    assert(code == 0)
    has(out, '"dhcp"')
end

function tests.eval_refusals()
    for _, args in ipairs {
        { "d/p.lua", "--max", "1" }, { "d/p.lua", "--mac", "x" }, { "d/p.lua", "d/p.lua" }, {}, { "d/p.lua", "--mac" },
        { "d/p.lua", "--render", "x" }, { "d/p.lua", "--label", "x" }, { "gone/p.lua" }, { "d/p.lua", "-m", "x" },
    } do
        local code, out, err = eval(unpack(args))
        assert(code == 2 and out == "" and err:find("^moonboot eval: "), table.concat(args, " ") .. out)
    end
    local code, _, err = eval("d/bad.lua")
    assert(code == 1 and err:find('d/bad.lua:1: unknown word "rul"', 1, true), err)
end

function tests.check_says_all_problems()
    local files = { ["a.lua"] = POLICY, ["d/b.lua"] = "rule 'x' { boot = 'nope', bot = 1 }\nrul 'y' {}\n" }
    local code, out, err = cli.run("check", { "a.lua", "d/b.lua" }, files)
    assert(code == 1 and out == "a.lua: ok\n", out)
    has(err, "d/b.lua:1: ", "d/b.lua:2: ", "bot", "nope")
    assert(cli.run("check", { "a.lua" }, files) == 0)
    code, out, err = cli.run("check", { "gone/x.lua" }, files)
    assert(code == 1 and out == "" and err == "gone/x.lua: No such file or directory\n", err)
end

-- What is behind an entry, when that cannot be made.
function tests.entries_that_fail()
    local files = { ["p.lua"] = [[
profile "deb" { kernel = "k", args = { "h={{serial}}" } }
rule "m" { boot = menu { { "Install", "deb" }, { "Disk", disk } }, on_error = disk }
]] }
    local function ask(command, stage, ...)
        return cli.run(command, { "p.lua", "--mac", "52:54:00:00:00:01", "--stage", stage, ... }, files)
    end
    for _, command in ipairs { "eval", "explain" } do
        local code, out = ask(command, "ipxe")
        assert(code == 1 and out:find('* Install: fails: p.lua:1: serial is absent: write {{serial or "…"}}; instead: disk\n', 1, true), out)
        assert(out:find("  Disk: disk\n", 1, true), out)
        code, out = ask(command, "dhcp")
        assert(code == 0 and out:find("* Install: not known yet (serial)\n", 1, true), out)
        code, out = ask(command, "ipxe", "--serial", "x")
        assert(code == 0 and out:find("* Install: deb\n", 1, true), out)
    end
    local code, out = ask("eval", "ipxe", "--json")
    assert(code == 1 and out:find('"error": "p.lua:1: serial is absent', 1, true), out)
    code, out = ask("eval", "dhcp", "--json")
    assert(code == 0 and out:find('"needs": "serial"', 1, true), out)
end

return tests
