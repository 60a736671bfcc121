require "shipped"
local gotemplate = require "moonboot.gotemplate"
local policies = require "policies"

local tests = {}

local function render(text, data)
    local template, problem = gotemplate.parse("t", text)
    if not template then
        return nil, problem
    end
    return template:render(data or {}, true)
end

local function refuses(text, expected, data)
    local result, problem = render(text, data)
    assert(result == nil, text .. " gave " .. tostring(result))
    assert(problem == expected, ("%s\nexpected: %s\nfound:    %s"):format(text, expected, problem))
end

-- What Go's own package says to each of these (tests/lua/gotemplate.go).
function tests.agrees_with_go()
    local data
    for line in io.lines "policies/gotemplate/test/cases.json" do
        local case = host.json.decode(line)
        if not data then
            data = case
            data.query = gotemplate.texts(data.query)
        else
            local template = gotemplate.parse("t", case.template)
            local text = template and template:render(data, true)
            local failed = not template and "parse" or not text and "run" or nil
            assert(text == case.out and failed == case.fails, ("%s\nGo:  %s\nhere: %s"):format(
                case.template, case.out or case.fails, text or failed))
        end
    end
    assert(data)
end

function tests.messages_say_file_line_and_reason()
    for text, expected in pairs {
        ["a\n{{.x}}"] = 't:2: map has no entry for key "x"',
        ["a\n\n{{if .a}}"] = "t:3: unexpected end of the template: an {{end}} is missing",
        ["{{end}}"] = "t:1: unexpected {{end}}",
        ["{{nope 1}}"] = 't:1: function "nope" not defined',
        ["\n{{$x}}"] = 't:2: undefined variable "$x"',
        ["{{index .l 5}}"] = "t:1: error calling index: index out of range: 5",
        ["{{.a.b}}"] = "t:1: can't evaluate field b in type string",
        ["{{`x\ny`}}\n{{.z}}"] = 't:3: map has no entry for key "z"',
        ["{{/* x"] = "t:1: unclosed comment",
        ['{{"x}}'] = "t:1: unterminated quoted string",
        ["{{.a"] = "t:1: unclosed action",
        ["{{len}}"] = "t:1: wrong number of args for len: want 1 got 0",
        ['{{define "a"}}{{template "a"}}{{end}}{{template "a"}}'] = "t:1: templates are nested deeper than 100",
        ["{{" .. ("("):rep(300) .. "1" .. (")"):rep(300) .. "}}"] = "t:1: nested too deeply",
        ["{{.a}}{{printf .l}}"] = "t:1: wrong type for the first argument of printf: expected string; found []interface {}",
    } do
        refuses(text, expected, { a = "text", l = { "a" } })
    end
end

function tests.a_missing_key_may_be_no_value()
    assert(gotemplate.parse("t", "{{.x}}|{{.q.x}}"):render { q = gotemplate.texts {} } == "<no value>|")
end

function tests.else_with_is_newer_than_the_cases()
    assert(render("{{with .e}}a{{else with .n}}{{.}}{{end}}", { e = "", n = "b" }) == "b")
end

function tests.an_empty_list_can_be_marked()
    assert(render("{{.l}} {{.m}}", { l = gotemplate.list {}, m = {} }) == "[] map[]")
end

function tests.data_is_not_changed()
    local data = { a = { b = 1 } }
    assert(render("{{$x := .a}}{{$x = 2}}{{range $k, $v := .a}}{{$v = 3}}{{end}}{{.a.b}}", data) == "1")
    assert(data.a.b == 1)
end

-- Text of a policy's own making ends at the policy's deadline, wherever it is.
function tests.a_template_is_under_the_deadline()
    local policy = policies.load [=[
        local gotemplate = require "moonboot.gotemplate"
        local many = {}
        for i = 1, 300 do many[i] = i end
        local template = gotemplate.parse("t", "{{range .}}{{range $}}{{range $}}{{printf \"%q\" .}}{{end}}{{end}}{{end}}")
        rule "r" { boot = function() template:render(many) end, on_error = disk }
    ]=]
    local decision = policies.decide(policy, {})
    assert(decision.verdict == "disk" and decision.error:find("ran for too long", 1, true), decision.error)
end

return tests
