-- Coverage: which lines can run, and the reports. tests/e2e/testing.sh counts for real.

local coverage = require "testing.coverage"
local covered = require "testing.covered"
local covered_html = require "testing.covered_html"

local tests = {}

-- The module runs in a state of its own, which has jit.util as a global.
local function lines(text)
    local chunk = assert(loadfile "lua/lines.lua")
    local found, message = setfenv(chunk, setmetatable({ util = require "jit.util" }, { __index = _G }))()(text, "@x")
    return found and table.concat(found, " "), message
end

function tests.lines_on_which_something_can_run()
    for text, wanted in pairs {
        ["local a = 1\n\n-- remark\nlocal b =\n  a"] = "1 5",
        ["local function f(x)\n  if x then\n    return 1\n  else\n    return 2\n  end\nend\nf()"] = "2 3 5 7 8",
        ["for i = 1, 2 do\n  f(i)\nend\ng()"] = "1 2 4",
        ["for i, v in ipairs(t) do\n  if v then\n    break\n  end\nend\ng()"] = "1 2 3 6",
        ["for k in pairs(t) do\n  f(function() return k end)\nend\ng()"] = "1 2 4",
        ["while true do\n  f()\nend"] = "1 2",
        ["repeat\n  f()\nuntil a\n  and b"] = "1 2 4",
        ["t = {\n  1,\n  a = f(),\n  b = {\n    c = d,\n  },\n}"] = "1 3 4 5 6 7",
        ["for i = 1, 3 do\n  do return end\nend\nf()"] = "1 2 4",
        ["return f(1,\n  g())"] = "1 2",
        [""] = "1",
    } do
        assert(lines(text) == wanted, text .. "\n" .. tostring(lines(text)))
    end
    local found, message = lines "if"
    assert(not found and message:find "x:1:")
end

-- What runs is among what can, in a program that has every kind of jump.
function tests.lines_that_run_can_run()
    local text = [=[
local out, t = {}, { a = 1, 2, 3 }
local function pick(x, ...)
  if x == 1 then return "one"
  elseif x then
    return ...
  end
end
for i = 1, 3 do
  local captured = i
  out[#out + 1] = function() return captured end
  if i == 2 then goto done end
end
::done::
for k, v in pairs(t) do
  if k == "a" then
    out.a = v
  elseif v > 2 then break end
end
for _, f in ipairs(out) do pick(f(), 1,
  2) end
while #out > 0 do
  out[#out] = nil
  repeat
    local stop = not out.b
    out.b = function()
      return stop
    end
  until stop and
    out.b()
  out.b = nil
end
return pick(nil, pick(1), pick(2, 3))]=]
    local can = " " .. lines(text) .. " "
    local chunk = assert(loadstring(text, "@counted"))
    local ran, n = {}, 0
    debug.sethook(function(_, line)
        if debug.getinfo(2, "S").source == "@counted" then
            ran[line] = true
        end
    end, "l")
    chunk()
    debug.sethook()
    for line in pairs(ran) do
        n = n + 1
        assert(can:find(" " .. line .. " ", 1, true), line .. " is not in" .. can)
    end
    assert(n >= 20, n)
end

local function data()
    return {
        files = {
            ["a.lua"] = { lines = { 1, 3, 4, 5, 8 }, counts = { 2, 0, 0, 0, 1 }, text = "one\n<two>\n3\n4\n5\n6\n7\n8\n" },
            ["moonboot/b/init.lua"] = { lines = { 1 }, counts = { 0 } },
            ["moonboot/c.lua"] = { lines = { 1 }, counts = { 1 } },
        },
        rules = {
            x = { file = "a.lua", line = 3, name = "x", hits = 0 }, y = { file = "a.lua", line = 1, name = "y", hits = 4 },
            z = { file = "moonboot/b/init.lua", line = 1, name = "z", hits = 0 },
            w = { file = "moonboot/c.lua", line = 1, name = "w", hits = 0 },
        },
        documents = { d = { owner = 'a.lua: profile "p"', name = "user-data", hits = 0 } },
    }
end

-- With the shipped policies' texts, what lines there are, and files, all made up.
local function report(of)
    local policy = host.policy
    host.policy = function(name)
        return name .. "'s text"
    end
    host.cli = { lines = function(text) return text:find "code" and { 1, 2 } or {} end }
    local files = { ["tree/b/init.lua"] = "b.init's text", ["tree/c.lua"] = "another", ["new.lua"] = "code", ["a_test.lua"] = "code" }
    local made = covered.report(of, { "a.lua", "tree/b/init.lua", "tree/c.lua", "new.lua", "a_test.lua", "note.txt" },
                                { ["a_test.lua"] = true }, function(name) return files[name] end)
    host.policy, host.cli = policy, nil
    return made
end

function tests.one_line_of_one_file()
    local made = covered.report({ files = { a = { lines = { 1 }, counts = { 1 }, text = "x" } }, rules = {}, documents = {} },
                                {}, {}, function() return "x" end)
    assert(covered.text(made):find("\n  100.0 % of 1 line in 1 file\n", 1, true), covered.text(made))
    assert(covered_html(made):find("<h1>100.0 % of 1 line in 1 file</h1>", 1, true))
end

function tests.the_report()
    local made = report(data())
    assert(covered.text(made) == [[
coverage
   40.0 %        2/5  a.lua: 3-5
    0.0 %        0/2  new.lua: no test loads it
    0.0 %        0/1  tree/b/init.lua: 1
  2 of 3 rules never decided:
    a.lua:3: rule "x"
    tree/b/init.lua:1: rule "z"
  1 of 1 documents were never rendered:
    a.lua: profile "p": document "user-data"
  25.0 % of 8 lines in 3 files
]], covered.text(made))
    local lcov = covered.lcov(made)
    assert(lcov:find("TN:\nSF:a.lua\nDA:1,2\nDA:3,0\nDA:4,0\nDA:5,0\nDA:8,1\nLF:5\nLH:2\nend_of_record\n", 1, true), lcov)
    local plain = covered.plain(made)
    assert(plain.percent == 25 and plain.files[1].missing == "3-5" and plain.rules.total == 3 and #plain.documents.missed == 1)
    local html = covered_html(made)
    for _, part in ipairs {
        "<h1>25.0 % of 8 lines in 3 files</h1>", '<span class="n0"><b>    3      0×</b>3</span>', "&lt;two&gt;",
        '<span class="y"><b>    8      1×</b>8</span>', "Rules that never decided: 2 of 3", "document &quot;user-data&quot;",
        "new.lua</a> (no test loads it)",
    } do
        assert(html:find(part, 1, true), part .. "\n" .. html)
    end
    assert(not html:find "https?://" and not html:find "<script")
end

function tests.what_processes_count_is_one()
    local both = coverage.merge(data(), data())
    assert(both.rules.y.hits == 8 and both.files["a.lua"].counts[1] == 4 and #both.files["a.lua"].lines == 5)
    local other = { files = { ["a.lua"] = { lines = { 2, 3 }, counts = { 1, 1 } } }, rules = {}, documents = {} }
    local file = coverage.merge(data(), other).files["a.lua"]
    assert(table.concat(file.lines, " ") == "1 2 3 4 5 8" and table.concat(file.counts, " ") == "2 1 1 0 0 1" and file.text)
    local empty = report { files = {}, rules = {}, documents = {} }
    assert(empty.percent == 0 and #empty.files == 1)
end

return tests
