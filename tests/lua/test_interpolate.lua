local policies = require "policies"

local tests = {}

-- A text of a profile with these vars, filled in for this machine -> text | nil, problem.
local function fill(text, fields, vars, more)
    local policy = policies.load(string.format([[
profile "p" { kernel = "x", args = { %q }, vars = %s }
rule "r" { boot = %s }
]], text, vars or "{}", more or '"p"'))
    local decision = policies.decide(policy, fields or {})
    local args, problem = decision:render_args()
    return args and args[1], problem
end

local function fails(text, expected, fields, vars, more)
    local filled, problem = fill(text, fields, vars, more)
    assert(filled == nil, filled)
    assert(problem == "policy.lua:1: " .. expected, problem)
end

function tests.texts_and_expressions()
    local fields = { serial = "R5", vlan = 12, mac = "525400000001", label = { rack = "7" } }
    assert(fill("plain } text }}", fields) == "plain } text }}")
    assert(fill("{{serial}}", fields) == "R5")
    assert(fill("a{{serial}}b{{ vlan }}c", fields) == "aR5b12c")
    assert(fill("{{serial:lower()}}-{{string.rep('x', 3)}}", fields) == "r5-xxx")
    assert(fill("{{asset or serial}}", fields) == "R5")
    assert(fill("{{vlan + 1}} {{vlan > 3}}", fields) == "13 true")
    assert(fill("{{label.rack}} {{machine.label.row or 'none'}} {{machine.serial}}", fields) == "7 none R5")
    assert(fill("{{mac:gsub(':', '-')}}", fields) == "52-54-00-00-00-01")
    assert(fill([[{{"{{" .. '}}'}} {{({ a = { b = serial } }).a.b}}]], fields) == "{{}} R5")
    assert(fill("{{serial -- the comment ends here\n}}", fields) == "R5")
    assert(fill("it's {{serial}} isn't it", fields) == "it's R5 isn't it")
    assert(fill("${net0/mac} {{serial}}", fields) == "${net0/mac} R5")
    assert(fill("{{(serial:gsub('.', function(c) return c .. '.' end))}}", fields) == "R.5.")
end

function tests.vars_before_fields_before_basics()
    assert(fill("{{serial}} {{machine.serial}} {{vars.serial}}", { serial = "R5" }, '{ serial = "v" }') == "v R5 v")
    assert(fill("{{n}} {{yes}} {{no}}", {}, "{ n = 1.5, yes = true, no = false }") == "1.5 true false")
    assert(fill("{{role}}", {}, '{ role = "a" }', 'function() return { use = "p", vars = { role = "b" } } end') == "b")
    assert(fill("{{vars.late}}", {}, "{}", 'function() return { use = "p", vars = { late = "b" } } end') == "b")
end

function tests.failures()
    fails("{{serial}}", 'serial is absent: write {{serial or "…"}}')
    fails("{{label.rack}}", 'label.rack is absent: write {{label.rack or "…"}}')
    fails("{{serial and vlan}}", 'vlan is absent: write {{… vlan or "…" …}} ({{serial and vlan}} gave nothing)', { serial = "x" })
    fails("{{string}}", "{{string}} is a table, expected text")
    fails("{{error 'x'}}", "x")
    fails("{{error({})}}", "an error that is no text was thrown (a table)")
    fails("{{vars.late}}", 'vars.late is absent: write {{vars.late or "…"}}', {}, "{}",
          'function() return "p" end')
    local _, problem = fill "{{serial:lower()}}"
    assert(problem == [[policy.lua:1: serial is absent: write {{… serial or "…" …}} (attempt to index global 'serial' (a nil value))]], problem)
    fails("{{yaml(serial)}}", 'serial is absent: write {{… serial or "…" …}} (yaml: found nothing)')
    fails("{{serial or asset}}{{sh(serial)}}", 'asset is absent: write {{… asset or "…" …}} ({{serial or asset}} gave nothing)')
    fails("{{serial or 1}}{{yaml(nil)}}", "yaml: found nothing")
    fails("{{sh(role)}}", 'role is absent: write {{… role or "…" …}} (sh: found nothing, expected text)', {}, "{}",
          '"p"} profile "q" { kernel = "k", vars = { role = 1 }')
    _, problem = fill "{{(function() while true do end end)()}}"
    assert(problem:find("^policy.lua:1: stopped"), problem)
    _, problem = fill "{{(function() machine.serial = 1 end)()}}"
    assert(problem:find("a machine cannot be changed", 1, true), problem)
end

-- What one text does to a table is not seen by the next.
function tests.vars_are_the_policy_authors()
    local policy = policies.load [[
profile "p" { kernel = "x", args = { "{{(function() vars.a = 'changed' end)() or 1}}", "{{vars.a}}" }, vars = { a = "a" } }
rule "r" { boot = "p" }
]]
    local decision = policies.decide(policy, {})
    assert(decision.args[2] == "a" and policy.profiles.p.vars.a == "a")
end

function tests.the_line_of_the_text()
    local policy = policies.load [[
profile "p" {
  kernel = "x",
  args = {
    "ok",
    "{{serial}}",
  },
}
rule "r" { boot = "p" }
rule "s" { boot = disk }
]]
    local decision = policies.decide(policy, {}):render()
    assert(decision.error == 'policy.lua:5: serial is absent: write {{serial or "…"}}')
end

return tests
