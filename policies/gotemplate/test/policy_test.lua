for number = 1, 294 do
  test("Go says the same to template " .. number) {
    get = "/case/" .. number, expect = { status = 200, body = "agrees\n" },
  }
end

test "there are no more" { get = "/case/295", expect = { status = 404 } }

local function of(template, strict)
  return "/render?strict=" .. (strict or "yes") .. "&template=" .. template:gsub("[^%w]", function(char)
    return ("%%%02x"):format(char:byte())
  end)
end

local function is(text)
  return { status = 200, body = text }
end

local function fails(problem)
  return { status = 422, body = problem }
end

test "what cannot be made says file, line and reason" {
  cases = {
    { get = of "a\n{{.x}}", expect = fails 't:2: map has no entry for key "x"' },
    { get = of "a\n\n{{if .a}}", expect = fails "t:3: unexpected end of the template: an {{end}} is missing" },
    { get = of "{{end}}", expect = fails "t:1: unexpected {{end}}" },
    { get = of "{{nope 1}}", expect = fails 't:1: function "nope" not defined' },
    { get = of "\n{{$x}}", expect = fails 't:2: undefined variable "$x"' },
    { get = of "{{index .l 5}}", expect = fails "t:1: error calling index: index out of range: 5" },
    { get = of "{{.a.b}}", expect = fails "t:1: can't evaluate field b in type string" },
    { get = of "{{/* x", expect = fails "t:1: unclosed comment" },
    { get = of '{{"x}}', expect = fails "t:1: unterminated quoted string" },
    { get = of "{{.a", expect = fails "t:1: unclosed action" },
    { get = of "{{len}}", expect = fails "t:1: wrong number of args for len: want 1 got 0" },
    { get = of '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}',
      expect = fails "t:1: templates are nested deeper than 100" },
    { get = of("{{" .. ("("):rep(300) .. "1" .. (")"):rep(300) .. "}}"), expect = fails "t:1: nested too deeply" },
  },
}

test "a key that is missing may be no value" { get = of("{{.x}}|{{.q.x}}", "no"), expect = is "<no value>|" }
test "else with" { get = of "{{with .m}}a{{else with .a}}{{.}}{{end}}", expect = is "text" }
test "an empty list can be marked" { get = of "{{.none}} {{.m}}", expect = is "[] map[]" }
