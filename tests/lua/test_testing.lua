-- `moonboot test`: cases, properties, golden files, files of a test's own, formats.

local any = require "testing.any"
local cli = require "fake_cli"
local pretty = require "testing.pretty"
local property = require "testing.property"
local random = require "testing.random"
local lines_diff = require "testing.lines_diff"
local suite = require "testing.suite"
local utf8 = require "testing.utf8"
local words = require "words"

local tests = {}

local POLICY = [=[
profile "compute" { kernel = "vmlinuz", args = { "host={{serial or 'none'}}" }, config = { seed = "x={{json(serial or 0)}}\n" } }
rule "rack" { match = { mac = prefix "52:54:00" }, boot = "compute" }
rule "twelve" { match = { vlan = range(100, 4094) }, boot = function(m) if m.vlan >= 1234 then error "too many" end return disk end }
rule "rest" { boot = ignore }
]=]

local function run(body, args, files, save)
    files = files or {}
    files["p.lua"] = files["p.lua"] or POLICY
    files["p_test.lua"] = body
    return cli.run("test", args or {}, files, save)
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

local function lacks(text, part)
    assert(not text:find(part, 1, true), ("%q is in:\n%s"):format(part, text))
end

function tests.the_words_are_those_of_words_lua()
    local env = suite.words { tests = {} }
    for _, word in ipairs(words.tests) do
        assert(env[word[1]] ~= nil, word[1])
        for _, member in ipairs(word.members or {}) do
            assert(env[word[1]][member[1]] ~= nil, member[1])
            env[word[1]][member[1]] = nil
        end
        assert(not word.members or next(env[word[1]]) == nil)
        env[word[1]] = nil
    end
    env.json = nil -- the policy language's own
    for name in pairs(env) do
        assert(require("sandbox").basics()[name] ~= nil, name .. " is not in words.lua")
    end
end

--- Cases -----------------------------------------------------------------------------------

function tests.cases_have_names_lines_and_what_their_test_has()
    local code, out = run([=[
test "racks" {
  given  = { serial = "S" },
  expect = { boot = "compute" },
  cases  = {
    { given = { mac = "52:54:00:00:00:01" } },
    { given = { mac = "00:00:00:00:00:01" }, expect = { boot = "ignore", rule = "rest" } },
    other = { given = { mac = "00:00:00:00:00:02" }, expect = { rule = "rest" } },
    later = { skip = "not yet" },
  },
}
]=])
    assert(code == 1, out)
    has(out, "ok    racks: 1\n", "ok    racks: 2\n", "skip  racks: later\n      not yet\n",
        'FAIL  racks: other\n      p_test.lua:7\n      boot\n        expected  "compute"\n        found     "ignore"\n',
        "2 passed, 1 failed, 1 skipped")
    assert(out:find("racks: 2", 1, true) < out:find("racks: later", 1, true))
    code, out = run("test 'x' { given = { serial = 'S' }, expect = { boot = 'ignore' }, cases = { a = {}, b = {} } }",
                    { "--filter", "b$" })
    assert(code == 0)
    has(out, "x: b", "1 passed")
end

function tests.what_is_no_case()
    for body, said in pairs {
        ["cases = {}"] = "`cases` is empty",
        ["cases = { 1 }"] = "case 1 is 1, and must be a table",
        ["cases = { a = { cases = {} } }"] = "`cases` belongs to the test",
        ["cases = { a = { runs = 3 } }"] = "`runs` belongs to the test",
        ["cases = { a = { expekt = {} } }"] = 'a case has no key "expekt" (did you mean "expect"?)',
        ["cases = { [true] = {} }"] = "a case is named by a text or its number",
        ["cases = 1"] = "`cases` is 1, and must be a table",
        ["expect = { rule = false }, csaes = {}, cases = { {} }"] = 'a test has no key "csaes" (did you mean "cases"?)',
        ["cases = { { given = {} } }"] = "a test wants `expect`",
    } do
        local code, out = run("test 'x' { " .. body .. " }")
        assert(code == 2, body .. "\n" .. out)
        has(out, said, "0 passed, 0 failed, 1 error")
    end
end

--- Words -----------------------------------------------------------------------------------

function tests.lacks_and_matches()
    local given = "given = { mac = '525400000001', serial = 'S1' }, "
    local code, out = run("test 'x' { " .. given .. [=[expect = {
        args = lacks { "quiet", "debug" }, ipxe = lacks "nope", kernel = matches "^vm%l+$", boot = matches "comp",
    } }]=])
    assert(code == 0, out)
    code, out = run("test 'x' { " .. given .. "expect = { args = lacks 'host=', boot = matches '^C' } }")
    assert(code == 1)
    has(out, 'expected  lacks "host="', 'expected  matches "^C"')
    code, out = run("test 'x' { expect = { boot = matches '[' } }")
    assert(code == 2)
    has(out, 'matches is followed by a Lua pattern, not by "["')
    code, out = run("test 'x' { expect = { boot = any.mack } }")
    assert(code == 2)
    has(out, 'unknown word "any.mack" (did you mean "mac"?)')
end

function tests.functions_expect()
    local given = "given = { mac = '525400000001', serial = 'S1' }, expect = function(found, machine) "
    for body, status in pairs {
        ["return found.boot == 'compute' and found.args[1] == 'host=' .. machine.serial"] = 0,
        ["return found.ipxe:find 'kernel' ~= nil and found.config.seed == 'x=\"S1\"\\n' and found.config.none == nil"] = 0,
        ["return { boot = 'compute', uefi_http = { vendor_class = 'HTTPClient' } }"] = 0,
        ["return { boot = 'compute', args = contains 'nope' }"] = 1,
        ["return false"] = 1,
        ["return nil, 'the why of it'"] = 1,
        ["return"] = 2,
        ["return { bot = 'x' }"] = 2,
        ["return found.bot"] = 2,
        ["found.boot = 1"] = 2,
        ["error 'mine'"] = 2,
        ["while true do end"] = 2,
    } do
        local code, out = run("test 'x' { " .. given .. body .. " end }")
        assert(code == status, body .. "\n" .. out)
    end
    local _, out = run("test 'x' { " .. given .. "return nil, 'the why of it' end }")
    has(out, "found     the why of it", "the rules that were tried")
    _, out = run("test 'x' { " .. given .. "return found.bot end }")
    has(out, 'nothing is found under "bot" (did you mean "boot"?)')
end

function tests.every_rendering()
    local given = "given = { mac = '525400000001', serial = 'S1', uuid = '4c4c4544-0052-3510-8051-b4c04f4e3732', arch = '%s' }, "
    local code, out = run("test 'x' { " .. given:format "efi-x64" .. [=[expect = {
        ipxe = contains "kernel http", grub = contains "linux", pxelinux = contains "LINUX http", pixiecore = contains '"kernel"',
        dhcp = { vendor_class = "PXEClient" }, uefi_http = { vendor_class = "HTTPClient", file = contains "http://" },
        config = { seed = 'x="S1"\n', none = false },
    } }]=])
    assert(code == 0, out)
    code, out = run("test 'x' { " .. given:format "powerpc-epapr" .. "expect = { uefi_http = false } }")
    assert(code == 0, out)
end

--- Properties ------------------------------------------------------------------------------

function tests.a_property_holds_or_its_smallest_counterexample_is_shown()
    local code, out = run([=[test "all of the rack" {
        for_all = { mac = any.mac "52:54:00", serial = any.serial, arch = any.arch }, expect = { boot = "compute" } }
    test "no serial breaks out" {
        for_all = { mac = any.mac "52-54-00", serial = any.text }, runs = 50,
        expect  = function(found) return found.error == nil or found.boot == "ignore" end }]=], { "--seed", "1" })
    assert(code == 0, out)
    local body = [=[test "vlans" { given = { mac = "00:00:00:00:00:01" },
        for_all = { vlan = any.integer(100, 4094), serial = any.maybe(any.text), ip = any.ip }, expect = { error = false } }]=]
    code, out = run(body, { "--seed", "7" })
    assert(code == 1, out)
    has(out, 'for { ip = "0.0.0.1", vlan = 1234 }', "--seed 7 finds it again", "too many", "the rules that were tried")
    local _, again = run(body, { "--seed=7" })
    assert(again == out)
    for _, format in ipairs { "tap", "junit", "json" } do
        _, out = run(body, { "--seed", "7", "--format", format })
        has(out, "vlan = 1234")
    end
end

function tests.pages_for_all()
    local body = [=[test "x" { for_all = { mac = any.mac }, runs = 10,
        get = function(given) return "/boot.ipxe?mac=" .. given.mac end, expect = { body = contains "%s", status = 200 } }]=]
    assert(run(body:format "#!ipxe") == 0)
    local code, out = run(body:format "nope")
    assert(code == 1)
    has(out, 'for { mac = "00:00:00:00:00:00" }')
    code, out = run "test 'x' { for_all = { mac = any.mac }, get = function() end, expect = { status = 200 } }"
    assert(code == 2)
    has(out, "`get` gave nothing, and must give a path")
    code, out = run "test 'x' { get = '/boot.ipxe', expect = function(found) return { status = 201 } end }"
    assert(code == 1)
    has(out, "expected  201")
end

function tests.what_is_no_property()
    for body, said in pairs {
        ["for_all = {}, expect = { rule = 'x' }"] = "`for_all` is empty",
        ["for_all = { any.mac }, expect = { rule = 'x' }"] = "must have names of fields",
        ["for_all = { mac = any.mac }, given = { mac = 'x' }, expect = { rule = 'x' }"] = '`given` and `for_all` both have the field "mac"',
        ["runs = 3, expect = { rule = 'x' }"] = "`runs` is how often `for_all` is tried",
        ["for_all = { mac = any.mac }, runs = 0, expect = { rule = 'x' }"] = "`runs` is 0, and must be a whole number",
        ["for_all = { max = any.mac }, expect = { rule = 'x' }"] = 'no field "max" (did you mean "mac"?)',
        ["for_all = { mac = any.mac 'zz' }, expect = { rule = 'x' }"] = "any.mac: found \"zz\"",
        ["for_all = { uuid = any.uuid(1) }, expect = { rule = 'x' }"] = "any.uuid: found 1",
        ["for_all = { ip = any.ip 'x' }, expect = { rule = 'x' }"] = "any.ip: found \"x\"",
        ["for_all = { vlan = any.integer(2, 1) }, expect = { rule = 'x' }"] = "any.integer: found 1",
        ["for_all = { vlan = any.one_of {} }, expect = { rule = 'x' }"] = "any.one_of: found a table",
        ["for_all = { vlan = any.maybe() }, expect = { rule = 'x' }"] = "any.maybe: found nothing",
        ["for_all = { vlan = any.text(0) }, expect = { rule = 'x' }"] = "any.text: found 0",
        ["for_all = { vlan = any.serial(0) }, expect = { rule = 'x' }"] = "takes no arguments",
    } do
        local code, out = run("test 'x' { " .. body .. " }")
        assert(code == 2, body .. "\n" .. out)
        has(out, said)
    end
end

function tests.generators_make_what_they_say()
    local next = random.new(42)
    for _ = 1, 500 do
        local draw = random.recording(next, {})
        local mac = any.make(any.mac "52-54-0", draw)
        assert(mac:find "^52:54:0%x:%x%x:%x%x:%x%x$" and host.mac(mac) == mac, mac)
        assert(host.uuid(any.make(any.uuid, draw)))
        assert(any.make(any.uuid "4c4c4544-0", draw):find "^4c4c4544%-0%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+$")
        local ip = any.make(any.ip "10.1.0.0/16", draw)
        assert(ip:find "^10%.1%.%d+%.%d+$" and host.ip(ip), ip)
        assert(host.ip(any.make(any.ip, draw)))
        local number = any.make(any.integer(-2, 3), draw)
        assert(number >= -2 and number <= 3 and number % 1 == 0)
        assert(any.make(any.serial, draw):find "^[A-Z0-9]+$")
        assert(any.make(any.one_of { "a", any.integer(1, 1) }, draw) ~= nil)
    end
    local zero = random.replaying {}
    assert(any.make(any.text, zero) == "" and any.make(any.maybe(any.text), zero) == nil and any.make(any.serial, zero) == "A")
    assert(any.make(any.arch, zero) == "bios" and any.make(any.mac, zero) == "00:00:00:00:00:00" and any.make(7, zero) == 7)
end

-- Every counterexample is as small as one can be, from any seed.
function tests.shrinking()
    for seed = 1, 20 do
        local found = property.check({ n = any.integer(0, 100000), s = any.text }, 500, random.mix(seed, "x"), function(values)
            local bad = values.n >= 777 and values.s:find("{{", 1, true)
            return { status = bad and "fail" or "pass", differences = bad and { { key = "k" } } or {}, values = values }
        end)
        assert(found.status == "fail", seed)
        assert(found.values.n == 777 and found.values.s == "{{", found.values.n .. " " .. found.values.s)
    end
    -- A failure of another kind is not what is being looked for.
    local found = property.check({ n = any.integer(0, 1000) }, 500, 3, function(values)
        return values.n > 500 and { status = "fail", differences = { { key = "big" } } }
               or values.n < 10 and { status = "error" } or { status = "pass" }
    end)
    assert(found.status == "error" or found.differences[1].key == "big")
end

--- Golden files ----------------------------------------------------------------------------

function tests.golden_files()
    local saved, files = {}, {}
    local function save(path, text, replace)
        assert(replace)
        saved[path], files[path] = text, text
        return true
    end
    local body = [=[test "x" { given = { mac = "525400000001", serial = "S1", arch = "bios" },
        expect = { golden = "golden/x.txt" } }
    test "y" { given = { mac = "525400000001", serial = "S2", arch = "efi-x64" },
        expect = { boot = "compute", golden = { ipxe = "y.ipxe", ["config/seed"] = "y.seed", dhcp = "y.dhcp" } } }]=]
    local code, out = run(body, {}, files, save)
    assert(code == 1 and not next(saved))
    has(out, "expected  golden/x.txt, which is not there", "(write it by --update-golden)", "golden.ipxe")
    code, out = run(body, { "--update-golden" }, files, save)
    assert(code == 0, out)
    has(out, "wrote golden/x.txt\n", "wrote y.ipxe", "2 passed, 0 failed")
    has(saved["golden/x.txt"], "--- decision\nrule = rack\nboot = compute\nkernel = vmlinuz\nargs = host=S1\n", "--- dhcp\nfile = ",
        "option 43 = ", "--- uefi_http\n", "--- ipxe\n#!ipxe", "--- grub\n", "--- pxelinux\n", "--- pixiecore\n",
        '--- config/seed\nx="S1"\n')
    assert(saved["y.seed"] == 'x="S2"\n')
    saved = {}
    code, out = run(body, { "--update-golden" }, files, save)
    assert(code == 0 and not next(saved) and not out:find "wrote")
    files["y.seed"] = "one\nx=\"S1\"\n"
    code, out = run(body, {}, files, save)
    assert(code == 1)
    has(out, "golden.config/seed\n", "expected  y.seed", '- one\n          - x="S1"\n          + x="S2"')
    files["golden/x.txt"] = nil
    code, out = run(body, { "--update-golden" }, files, function()
        return nil, "Read-only file system"
    end)
    assert(code == 2)
    has(out, "golden file golden/x.txt cannot be written: Read-only file system")
end

function tests.what_is_no_golden_file()
    for wanted, said in pairs {
        ["1"] = "`expect.golden` is 1", ["{}"] = "`expect.golden` is a table", ["''"] = "`expect.golden` is \"\"",
        ["{ ipx = 'a' }"] = 'there is no rendering "ipx" (did you mean "ipxe"?)',
        ["{ ipxe = 1 }"] = "`expect.golden.ipxe` is 1, and must be a file's name",
        ["contains 'x'"] = "must be a file's name, or a table",
    } do
        local code, out = run("test 'x' { expect = { golden = " .. wanted .. " } }")
        assert(code == 2, out)
        has(out, said)
    end
    local code, out = run("test 'x' { given = { mac = '525400000001', serial = '1' }, expect = { golden = { ['config/none'] = 'a' } } }", { "--update-golden" })
    assert(code == 1)
    has(out, "golden.config/none", "found     nothing")
end

function tests.differences_are_those_lines_alone()
    assert(lines_diff.text("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nX\nY\ne\nf\n") == "@@ line 4 @@\n  b\n  c\n- d\n+ X\n+ Y\n  e\n  f")
    assert(lines_diff.text("a\na\n", "a\na\na\n") == "@@ line 3 @@\n  a\n  a\n+ a")
    assert(lines_diff.text("1\na\n2\n3\n4\n5\n6\nb\n7\n", "0\n1\nA\n2\n3\n4\n5\n6\n7\n")
           == "@@ line 1 @@\n+ 0\n  1\n- a\n+ A\n  2\n  3\n@@ line 8 @@\n  5\n  6\n- b\n  7")
    -- of long texts there is one hunk
    local middle = ("m\n"):rep(1000)
    local long = lines_diff.text("a\n" .. middle .. "b\n", "c\n" .. middle .. "d\n")
    assert(select(2, long:gsub("@@ line", "")) == 1 and #long > 6000)
    middle = ("m\n"):rep(900)
    assert(lines_diff.text("a\n" .. middle .. "b\n", "c\n" .. middle .. "d\n")
           == "@@ line 1 @@\n- a\n+ c\n  m\n  m\n@@ line 902 @@\n  m\n  m\n- b\n+ d")
    assert(lines_diff.text("", "x\n") == "@@ line 1 @@\n+ x" and lines_diff.text("x\n", "") == "@@ line 1 @@\n- x")
    assert(lines_diff.text("x", "x\n") == "(only the end of the last line)")
end

--- Files of a test's own -------------------------------------------------------------------

local READS = [=[
local hosts = {}
for line in read("hosts.txt", ""):gmatch "[^\n]+" do
  if line == "bad" then problem("hosts.txt", 1, "bad host") else hosts[#hosts + 1] = line end
end
rule "hosts" { match = { mac = hosts }, boot = disk }
for _, name in ipairs(list("d", {})) do rule(name) { match = { serial = name }, boot = shell } end
]=]

function tests.files_stand_in_for_those_of_the_policy()
    local files = { ["p.lua"] = READS, ["hosts.txt"] = "52:54:00:00:00:01\n" }
    local code, out = run([=[
test "own" { given = { mac = "525400000001" }, expect = { boot = "disk" } }
test "other" { files = { ["hosts.txt"] = "52:54:00:00:00:02" }, cases = {
  { given = { mac = "525400000001" }, expect = { boot = "ignore" } },
  { given = { mac = "525400000002" }, expect = { boot = "disk" } },
  { given = { mac = "525400000002" }, files = { ["hosts.txt"] = false }, expect = { boot = "ignore" } },
  { given = { serial = "f" }, files = { ["d/f"] = "", ["d/g/h"] = "" }, expect = { boot = "shell" } },
  { given = { serial = "g/" }, files = { ["d/f"] = "", ["d/g/h"] = "" }, expect = { boot = "shell" } },
} }
test "the policy itself" { files = { ["p.lua"] = "rule 'x' { boot = shell }" }, expect = { rule = "x" } }
test "bad" { files = { ["hosts.txt"] = "bad" }, expect = { problems = { "hosts.txt:1: bad host" } } }
test "bad too" { files = { ["hosts.txt"] = "bad" }, expect = { problems = contains "bad host" } }
test "not so bad" { files = { ["hosts.txt"] = "bad" }, expect = { problems = contains "worse" } }
test "good" { expect = { problems = contains "worse" } }
test "none" { files = { ["hosts.txt"] = "bad" }, expect = { boot = "disk" } }
]=], {}, files)
    assert(code == 2, out)
    has(out, "9 passed, 2 failed, 1 error", "FAIL  not so bad", 'found     { "hosts.txt:1: bad host" }', "FAIL  good",
        "none: the policy loads", "the policy does not load:\n      hosts.txt:1: bad host")
    for body, said in pairs {
        ["files = { 'x' }, expect = { boot = 'x' }"] = "`files` has \"x\" behind 1",
        ["files = { x = 1 }, expect = { boot = 'x' }"] = "`files` has 1 behind \"x\"",
        ["expect = { problems = contains 'x', boot = 'x' }"] = "`expect.problems` stands alone",
        ["expect = { problems = 'x' }"] = "`expect.problems` is \"x\"",
    } do
        code, out = run("test 'x' { " .. body .. " }", {}, files)
        assert(code == 2, out)
        has(out, said)
    end
end

--- Formats ---------------------------------------------------------------------------------

local MIXED = [=[
test "good" { expect = { boot = "ignore" } }
test "bad <&\"> \255\1" { expect = { boot = "]]>\255\0" } }
test "odd" { expect = 1 }
test "later" { skip = "why & when" }
]=]

function tests.four_statuses_in_every_format()
    for _, format in ipairs { "pretty", "tap" } do
        assert(run(MIXED, { "--format", format }) == 2, format)
    end
    local code, out = run(MIXED, { "--format", "junit" })
    assert(code == 2)
    has(out, '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="moonboot" tests="4" failures="1" errors="1" time="',
        '<testsuite name="p_test.lua" tests="4" failures="1" errors="1" skipped="1" time="', '<testcase classname="p_test" name="good" file="p_test.lua" line="1" time="',
        'name="bad &lt;&amp;&quot;&gt; \239\191\189\239\191\189"', '<failure message="not as expected: boot" type="failure">',
        '<error message="p_test.lua:3: `expect` is 1', '<skipped message="why &amp; when"/>', "</testsuites>\n")
    assert(not out:find "[%z\1-\8\255]")
    code, out = run(MIXED, { "--format", "json", "--seed", "5" })
    assert(code == 2)
    local document = host.json.decode(out)
    assert(document.version == 1 and document.seed == 5 and document.passed == 1 and document.failed == 1)
    assert(document.errors == 1 and document.skipped == 1 and document.stopped == false and document.us > 0)
    local good, bad, odd, later = unpack(document.tests)
    assert(good.status == "pass" and good.file == "p_test.lua" and good.line == 1 and good.name == "good" and good.us >= 0)
    assert(bad.status == "fail" and bad.differences[1].key == "boot" and bad.differences[1].found == '"ignore"')
    assert(#bad.rules == 3 and bad.rules[1].matched == false and bad.rules[1].why:find "wanted" and bad.rules[3].matched)
    assert(odd.status == "error" and odd.message:find "^p_test.lua:3: ")
    assert(later.status == "skip" and later.message == "why & when")
    has(out, '"differences": []')
    assert(not out:find "\255")
end

function tests.stopping_early()
    local body = "test 'a' { expect = { boot = 'ignore' } } test 'b' { expect = { boot = 'x' } } test 'c' { expect = { boot = 'x' } }"
    local code, out = run(body, { "--fail-fast" })
    assert(code == 1)
    has(out, "1 passed, 1 failed\n")
    lacks(out, "FAIL  c")
    code, out = run("test 'a' { expect = 1 } test 'b' { expect = { boot = 'x' } }", { "--fail-fast", "--format", "tap" })
    assert(code == 2)
    has(out, "1..1\n# stopped")
    code, out = run(body, { "--fail-fast", "--format", "json" })
    assert(code == 1 and host.json.decode(out).stopped == true)
end

function tests.options_that_are_wrong()
    for args, said in pairs {
        [{ "--format", "junti" }] = 'there is no format "junti" (did you mean "junit"?)',
        [{ "--seed", "x" }] = '--seed is followed by a number from 0 to 2147483647, not by "x"',
        [{ "--jobs", "0" }] = "--jobs is followed by a number from 1 to 64",
        [{ "-j", "1.5" }] = "--jobs is followed by a number",
        [{ "--filter", "[" }] = '"[" is no Lua pattern',
    } do
        local code, out, err = run("", args)
        assert(code == 2 and out == "", out)
        has(err, said, "Try: moonboot test --help")
    end
end

function tests.texts_that_are_none()
    assert(utf8.clean "a\195\164\226\130\172\240\159\146\169" == "a\195\164\226\130\172\240\159\146\169")
    for _, bad in ipairs { "\255", "\192\128", "\195", "\237\160\128", "\244\144\128\128", "\224\128\128", "\240\128\128\128", "\128" } do
        local clean = utf8.clean("a" .. bad .. "b")
        assert(clean:find "^a[\239\191\189]+b$" and #clean == 2 + 3 * #bad, bad)
    end
    assert(utf8.xml("a\nb\0<", true) == "a\nb\239\191\189&lt;" and utf8.xml "a\nb" == "a&#10;b")
    local deep = utf8.deep { ["\255"] = { "\255" }, n = 1 }
    assert(deep["\239\191\189"][1] == "\239\191\189" and deep.n == 1)
end

function tests.colour_is_for_terminals()
    local out = {}
    local report = pretty.new(function(text) out[#out + 1] = text end, true)
    report:result { status = "pass", name = "x", file = "f", line = 1 }
    report:finish { pass = 1, fail = 0, error = 0, skip = 0 }
    has(table.concat(out), "\27[32mok   \27[0m x\n", "\27[32m1 passed, 0 failed\27[0m\n")
end

return tests
