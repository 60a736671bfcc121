local policies = require "policies"

local tests = {}

local POLICY = [[
profile "p" {
  kernel = "k",
  vars   = { user = "core", keys = { "a b", "it's" }, disks = { { name = "sda", size = 10 } }, on = true },
  config = { x = template "x" },
}
rule "r" { boot = "p" }
]]

-- The document x of that template, for this machine -> text | nil, problem.
local function fill(text, fields, more)
    local files = { ["policy.lua"] = POLICY, x = text }
    for name, each in pairs(more or {}) do
        files[name] = each
    end
    local policy, problems = policies.load_files(files)
    assert(policy, problems and table.concat(problems, "\n"))
    return policies.decide(policy, fields or {}):document("x")
end

local function gives(text, expected, fields, more)
    local found, problem = fill(text, fields, more)
    if found ~= expected then
        error(("%q\nfound    %q %s\nexpected %q"):format(text, tostring(found), problem or "", expected), 2)
    end
end

local function refuses(files, expected)
    files["policy.lua"] = files["policy.lua"] or POLICY
    local policy, problems = policies.load_files(files)
    assert(not policy, "the policy loaded")
    local found = table.concat(problems, "\n")
    local wanted = table.concat(expected, "\n")
    if found ~= wanted then
        error("expected:\n" .. wanted .. "\nfound:\n" .. found, 2)
    end
end

function tests.texts_and_expressions()
    gives("", "")
    gives("plain } }} %} #} { text\n", "plain } }} %} #} { text\n")
    gives("{{user}}", "core")
    gives("a{{ user }}b{{vars.user}}c{{machine.mac}}\n", "acorebcorec52:54:00:00:00:01\n", { mac = "525400000001" })
    gives("{{ 1 + 2 }} {{ on }} {{ 1.5 }}", "3 true 1.5")
    gives("{{ ({ a = { b = 'x' } }).a.b }}{{ '}}' }}{{ [[}}]] }}", "x}}}}")
    gives("{{ serial or 'none' -- no serial }}!", "none!")
    gives("{{ serial or\n  'none' -- no serial\n}}!", "none!")
    gives('{"a":{"b":{{json(user)}}}}', '{"a":{"b":"core"}}')
    gives("{{#keys}}", "2")
    gives("a\r\nb{{user}}\r\n", "a\r\nbcore\r\n")
    gives("\0\1\255{{user}}", "\0\1\255core")
end

function tests.statements()
    gives("{% for i, key in ipairs(keys) do %}{{i}}={{key}};{% end %}", "1=a b;2=it's;")
    gives("{% if on then %}yes{% else %}no{% end %}", "yes")
    gives("{% if serial then %}{{serial}}{% else %}no{% end %}", "no")
    gives("{% local function twice(x) return x .. x end %}{{twice(user)}}", "corecore")
    gives("{% local n = 0 while n < 3 do %}{{n}}{% n = n + 1 end %}", "012")
    gives("{% do return end -- the rest is left out %}x", "")
    gives("{% local t = { a = { b = 1 }} -- } %}\n{{t.a.b}}", "1")
end

-- A statement or comment that is alone on its line leaves nothing behind.
function tests.lines_of_their_own()
    gives("a\n  {% if on then %}  \nb\n  {% end %}\nc\n", "a\nb\nc\n")
    gives("{% if on then %}\nb\n{% end %}", "b\n")
    gives("a\n\t{# one\n two #}\nb\n", "a\nb\n")
    gives("a\r\n{% if on then %}\r\nb\r\n{% end %}\r\n", "a\r\nb\r\n")
    gives("a {% if on then %}\nb{% end %}\n", "a \nb\n")
    gives("{% if on then %}{% if on then %}\nb{% end %}{% end %}\n", "\nb\n")
    gives("{{user}}\n", "core\n")
    gives("  {{user}}  \n", "  core  \n")
end

function tests.white_space_control()
    gives("a \n {{- user -}} \n b", "acoreb")
    gives("a \n {%- if on then -%} \n b \n {%- end -%} \n c", "abc")
    gives("a {#- x -#} b", "ab")
    gives("{{ -1 }} {{-1}}", "-11")
end

function tests.raw()
    gives("{% raw %}{{user}} {% x %} {# y #}{% endraw %}{{user}}", "{{user}} {% x %} {# y #}core")
    gives("a\n{% raw %}\n{{x}}\n{% endraw %}\nb\n", "a\n{{x}}\nb\n")
    refuses({ x = "\n{% raw %}\n{{x}}" }, { "site/x:2: {% raw %} without {% endraw %}",
                                            'site/x:3: unknown name "x"' })
end

function tests.includes()
    gives('<{% include "y" %}>', "<core>", {}, { y = "{{user}}" })
    gives("a\n  {% include 'd/y' %}\nb\n", "a\n  one\n\n  two\nb\n", {}, { ["d/y"] = "one\n\ntwo\n" })
    gives('{{ json(include "y") }}', [["\"core\"\n"]], {}, { y = '"{{user}}"\n' })
    gives('{% for i = 1, 3 do %}{% include("y") %}{% end %}', "...", {}, { y = "." })
    gives('{% include "y" %}{% include "y" %}', "zz", {}, { y = '{% include "z" %}', z = "z" })
    refuses({ x = 'a\n{% include "y" %}\n{{ include "./no" }}', y = '\n\n{% include "z" %}', z = '{% include "y" %}' }, {
        'site/x:3: include: "site/no" cannot be read: No such file or directory',
        "site/y:3: includes go round: y, z, y",
        "site/z:1: includes go round: z, y, z",
    })
    refuses({ x = '{% include "x" %}' }, { "site/x:1: includes go round: x, x" })
    local _, problem = fill("\n{{ include(user) }}")
    assert(problem == 'site/x:2: include takes the name of a file that stands in the template: include "file", '
        .. 'not "core"', problem)
end

function tests.helpers()
    gives("{{json(vars)}}", '{"disks": [{"name": "sda", "size": 10}], "keys": ["a b", "it\'s"], "on": true, "user": "core"}')
    gives("{{yaml(keys)}} {{sh(keys)}} {{url('a/b')}} {{xml('<')}} {{b64(user)}}",
          '["a b", "it\'s"] \'a b\' \'it\'\\\'\'s\' a%2Fb &lt; Y29yZQ==')
    gives("{{json(machine)}}", '{"label": {"rack": "1"}, "serial": "R5", "stage": "http"}',
          { serial = "R5", label = { rack = "1" } })
    gives("{{json(label)}}", '{"rack": "1"}', { label = { rack = "1" } })
    local _, problem = fill "\n\n{{json(serial)}}"
    assert(problem == 'site/x:3: serial is absent: write {{… serial or "…" …}} (json: found nothing)', problem)
end

-- Vars before fields before helpers, and what one expression does is not seen by the next.
function tests.names()
    local policy = policies.load_files {
        ["policy.lua"] = [[
profile "p" { kernel = "k", config = { x = template "x" }, vars = { serial = "v", l = { 1 } } }
rule "r" { boot = "p" }]],
        x = "{{serial}} {{machine.serial}}{% l[2] = 2 %} {{#l}} {{#vars.l}} {% for k in pairs(vars) do %}x{% end %}",
    }
    assert(policies.decide(policy, { serial = "f" }):document("x") == "v f 1 1 xx")
end

-- Whatever is wrong, all of it is found at load, at the template's own lines.
function tests.problems_at_load()
    refuses({ x = table.concat({
        "{{ usr }} {{ seril }}",
        "{% fr = 1 %}",
        "{{ string.fidn('x') }} {{ vars.kyes }}",
        "{# three",
        "lines #} {{ machine.sreial }}",
        "{% for _, x in ipairs(keys) do %}",
        "  {{ x }} {{ y }}",
        "{% end %}",
        "{{ config 'nope' }} {{ config 'x' }}",
        "{{ os.execute('x') }}",
    }, "\n") }, {
        'site/x:1: unknown name "seril" (did you mean "serial"?)',
        'site/x:1: unknown name "usr" (did you mean "user"?)',
        'site/x:2: "fr" cannot be assigned to: write "local fr"',
        'site/x:3: no profile or rule has a var "kyes" (did you mean "keys"?)',
        'site/x:3: unknown name "string.fidn" (did you mean "find"?)',
        'site/x:5: a machine has no field "sreial" (did you mean "serial"?)',
        'site/x:7: unknown name "y"',
        'site/x:9: config: there is no document "nope"',
        'site/x:10: unknown name "os" (did you mean "on"?)',
    })
    refuses({ x = "a\n\n{{ 1 +\n\n }}" }, { "site/x:5: unexpected symbol near '}}'" })
    refuses({ x = "a\n{% for i = 1, 2 do %}\n\n" }, { "site/x:2: 'for' without 'end'" })
    refuses({ x = "a\n{{ x \n" }, { "site/x:2: {{ without }}" })
    refuses({ x = "a\n{% x \n" }, { "site/x:2: {% without %}" })
    refuses({ x = "a\n\n{# x \n" }, { "site/x:3: {# without #}" })
    refuses({ x = "a\n{{ }}" }, { "site/x:2: {{ }} has no expression in it" })
    refuses({ ["policy.lua"] = 'profile "p" {\n  kernel = "k", config = {\n x = template "y" } }\nlocal t = template(3)\n' }, {
        'site/policy.lua:3: template: "site/y" cannot be read: No such file or directory',
        'site/policy.lua:4: template: found 3, expected text: template "…"',
    })
end

-- The tag that is wrong, whatever stands behind it.
function tests.which_tag_is_wrong()
    refuses({ x = "a\n{% for %}\n" }, { "site/x:2: '<name>' expected near '%}'" })
    refuses({ x = "a\n{% for %}\n\nb {{user}}" }, { "site/x:2: '<name>' expected near '%}'" })
    refuses({ x = "{% if on then %}\n{% if %}\n{% end %}\n{% end %}" }, { "site/x:2: unexpected symbol near '%}'" })
    refuses({ x = "{{user}}\n{% x %}\n{{user}}" }, { "site/x:2: '=' expected near '%}'" })
    refuses({ x = "{{user}}\n{% local x = ( %}\n{{user}}" }, { "site/x:2: unexpected symbol near '%}'" })
    refuses({ x = "{% if on then %}a{% end %}\nb{% end %}\n" }, { "site/x:2: 'end' without what it ends" })
    refuses({ x = "{% if on then %}\n{% else if %}\n{% end %}" }, { "site/x:2: unexpected symbol near '%}'" })
    refuses({ x = "{% if on then %}{% for i = 1, 2 do %}" }, { "site/x:1: 'end' expected" })
    refuses({ x = "\n{% return %}\nb {{user}}" }, { "site/x:2: nothing can follow a return in its block: write do return end" })
    refuses({ x = "{{user}}\n{{ 1, 2 }}\n{{user}}" }, { "site/x:2: ')' expected near ','" })
    refuses({ x = "{% local f = function() %}\n{{user}}{% repeat %}\n" }, { "site/x:2: 'repeat' without 'until'" })
end

function tests.problems_at_run_time()
    local function fails(text, expected, fields)
        local found, problem = fill(text, fields)
        assert(found == nil, found)
        assert(problem == expected, problem)
    end
    fails("a\n\n{{serial}}", 'site/x:3: serial is absent: write {{serial or "…"}}')
    fails("a\n{# x\n\n#}\n  {{ serial\n}}", 'site/x:5: serial is absent: write {{serial or "…"}}')
    fails("{{ keys }}", "site/x:1: {{keys}} is a table, expected text")
    fails("{{ user }}\n{{ nil and 1 }}", "site/x:2: {{nil and 1}} gave nothing")
    fails("\n{% error('oops') %}", "site/x:2: oops")
    fails("\n{% local s = serial .. 'x' %}", [[site/x:2: serial is absent: write {{… serial or "…" …}} (attempt to concatenate global 'serial' (a nil value))]])
    fails("\n{{ yaml(serial .. asset) }}", [[site/x:2: asset is absent: write {{… asset or "…" …}} (attempt to concatenate global 'asset' (a nil value))]], { serial = "a" })
    fails("{{ yaml(serial or 'x') }}\n{{ sh(machine.asset) }}", 'site/x:2: machine.asset is absent: write {{… machine.asset or "…" …}} (sh: found nothing, expected text)')
    fails("{{ machine.asset:lower() }}", [[site/x:1: machine.asset is absent: write {{… machine.asset or "…" …}} (attempt to index field 'asset' (a nil value))]])
    fails("{{ yaml(serial or asset) }}", 'site/x:1: asset is absent: write {{… asset or "…" …}} (yaml: found nothing)')
    fails("{{ yaml(serial and 1 or asset and 2) }}", "site/x:1: yaml: found nothing")
    fails("{% local x %}{{ yaml(x) }}", "site/x:1: yaml: found nothing")
    fails("{{ user:nope(serial) }}", "site/x:1: attempt to call method 'nope' (a nil value)")
    fails("{{ url(serial and nil or serial) .. xml(asset) }}", "site/x:1: serial and asset are absent (url: found nothing, expected text)")
    fails("\n\n{% while true do end %}", "site/x:3: stopped: it ran for too long")
    fails("\n{% machine.serial = 1 %}", "site/x:2: a machine cannot be changed")
end

function tests.only_while_the_policy_loads()
    local policy = policies.load_files {
        ["policy.lua"] = 'profile "p" { kernel = "k" }\nrule "r" { boot = function() return template "x" end }',
        x = "",
    }
    local d = policies.decide(policy, {})
    assert(d.error and d.error:find("site/policy.lua:2: template: only while the policy loads", 1, true), d.error)
end

-- Many tags take time in proportion.
function tests.large_templates()
    local parts = {}
    for i = 1, 4000 do
        parts[i] = "  {{ user }} { { it's\n{% if on then %}\nx\n{% end %}\n"
    end
    local text = fill(table.concat(parts))
    assert(text == ("  core { { it's\nx\n"):rep(4000))
end

return tests
