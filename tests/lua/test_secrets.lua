local cli = require "fake_cli"
local policies = require "policies"
local problems = require "problems"
local secrets = require "secrets"

local host = host

local tests = {}

local NAMED, NAMELESS = "seal1.0123abcd.root-pw.AAAA", "seal1.0123abcd.BBBBBBBBBBBBBBBBBB"

local function args_of(policy)
    local decision = require "engine".decide(policy, policies.machine { mac = "52:54:00:00:00:01" })
    return table.concat(decision:render().args, " "), decision
end

local POLICY = ([[
profile "p" { kernel = "k", args = { "a=" .. sealed "%s", "b={{b}}" }, vars = { b = sealed "%s" } }
rule "all" { boot = "p" }
]]):format(NAMED, NAMELESS)

-- In place of the C half (tests/unit/test_seal.c, tests/e2e/secrets.sh): everything opens to
-- `value`; what is masked is put into the set that f is given.
local function in_a_server(value, f)
    local masked = {}
    function host.unseal(text)
        if text == NAMELESS and value == "bad" then
            return nil, "it was sealed for another key"
        end
        return value
    end
    function host.mask(text)
        masked[text] = true
    end
    local ok, message = xpcall(f, debug.traceback, masked)
    host.unseal, host.mask = nil, nil
    assert(ok, message)
end

function tests.it_stays_shut_and_has_a_stand_in()
    local masked = {}
    function host.mask(text)
        masked[text] = true
    end
    local args = args_of(policies.load(POLICY))
    host.mask = nil
    assert(args == "a=sealed-root-pw b=sealed-BBBBBBBBBBBB", args)
    assert(masked["sealed-root-pw"] and masked["sealed-BBBBBBBBBBBB"])
end

function tests.a_server_opens_it()
    in_a_server("hunter22", function()
        local args = args_of(policies.load(POLICY))
        assert(args == "a=hunter22 b=hunter22", args)
    end)
end

function tests.what_cannot_be_opened_is_a_problem_with_its_line()
    in_a_server("bad", function()
        policies.refuses(POLICY, { "policy.lua:1: sealed: it was sealed for another key" })
    end)
    policies.refuses([[
local a = sealed "x"
local b = sealed(12)
local c = sealed {}
profile "p" { kernel = "k", args = { a, b, c } }
]], { "policy.lua:1: sealed: it is no sealed value",
      'policy.lua:2: sealed: found 12, expected what moonboot seal printed: sealed "seal1.…"',
      'policy.lua:3: sealed: found a table, expected what moonboot seal printed: sealed "seal1.…"' })
end

function tests.all_forms_of_it_are_masked()
    in_a_server("it's <a> \"b\"\nshort\n  and a long line\n", function(masked)
        assert(secrets.open(NAMED))
        for _, form in ipairs { "it's <a> \\\"b\\\"\\nshort\\n  and a long line\\n", "it'\\''s <a> \"b\"",
                                "it%27s%20%3Ca%3E%20%22b%22", "and a long line", "it&#39;s &lt;a&gt; &quot;b&quot;",
                                "YW5kIGEgbG9uZyBsaW5l" } do
            assert(masked[form], form)
        end
        assert(not masked.short)
    end)
end

function tests.braces_in_it_are_no_expression()
    in_a_server("a{{os}}b", function()
        local policy = policies.load(([[
profile "p" { kernel = "k", args = { "b={{b}}" }, vars = { b = sealed "%s" } }
rule "all" { boot = "p" }
]]):format(NAMED))
        assert(args_of(policy) == "b=a{{os}}b")
        policies.refuses(([[profile "p" { kernel = "k", args = { "a=" .. sealed "%s" } }]]):format(NAMED),
            { "policy.lua:1: a sealed value has {{ in it, which is not to be read as an expression: put it into vars, "
              .. "and write {{name}} here" })
    end)
end

function tests.in_a_function_too()
    in_a_server("hunter22", function()
        local _, decision = args_of(policies.load(([[
profile "p" { kernel = "k" }
rule "all" { boot = function() return { use = "p", args = { sealed "%s" } } end }
]]):format(NAMED)))
        assert(decision.args[1] == "hunter22")
        _, decision = args_of(policies.load [[
profile "p" { kernel = "k" }
rule "all" { boot = function() return { use = "p", args = { sealed "x" } } end }
]])
        assert(decision.error == "policy.lua:2: sealed: it is no sealed value", decision.error)
    end)
end

-- What is cut short is without secrets before; what a client told him is not: it would tell him
-- that he has guessed one.
function tests.messages_hide_it_before_they_cut_it()
    function host.hide(text)
        return (text:gsub(("s"):rep(100), "•••"))
    end
    local long = ("s"):rep(100)
    local shown, told = problems.show(long), problems.told(long)
    host.hide = nil
    assert(shown == '"•••"' and told == '"' .. ("s"):rep(77) .. '..."')
end

local function run(test_file)
    return cli.run("test", {}, { ["p.lua"] = POLICY, ["p_test.lua"] = test_file })
end

function tests.a_test_says_what_is_inside()
    local code, out = run(([[
secrets { ["root-pw"] = "hunter22", ["%s"] = "other" }
test "a" { given = { mac = "52:54:00:00:00:01" }, expect = { args = { "a=hunter22", "b=other" } } }
]]):format(NAMELESS))
    assert(code == 0, out)
    code, out = run [[
test "b" { given = { mac = "52:54:00:00:00:01" }, expect = { args = { "a=sealed-root-pw", "b=sealed-BBBBBBBBBBBB" } } }
]]
    assert(code == 0, out)
end

function tests.a_test_says_it_of_what_is_sealed()
    local code, out = run [[
secrets { ["root-wp"] = "hunter22" }
test "a" { given = { mac = "52:54:00:00:00:01" }, expect = { boot = "p" } }
]]
    assert(code == 2 and out:find('p_test.lua:1: secrets: the policy has nothing sealed that is called "root-wp" '
                                  .. '(did you mean "root-pw"?)', 1, true), out)
    for text, problem in pairs {
        ['secrets { ["root-pw"] = "abc" }'] = 'secrets: "root-pw" has 3 bytes, and no sealed value has less than 4',
        ["secrets { 1 }"] = 'secrets: expected names of sealed values and texts: { ["root-password"] = "…" }',
        ["secrets(1)"] = "secrets is followed by a table",
        ["secrets {} secrets {}"] = "a test file has one table of secrets",
    } do
        code, out = run(text)
        assert(code == 2 and out:find("p_test.lua:1: " .. problem, 1, true), out)
    end
end

return tests
