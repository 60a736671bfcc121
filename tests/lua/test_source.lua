local source = require "source"

local tests = {}

local function words(text)
    local list = {}
    for _, token in ipairs(source.tokens(text)) do
        table.insert(list, token.text)
    end
    return table.concat(list, " ")
end

function tests.tokens()
    assert(words "a = 1 -- x\nb == 0x1F" == "a = 1 b == 0x1F")
    assert(words "--[[ x\n]] y --[==[ ]] ]==] z" == "y z")
    assert(words [["a\"b" 'c\\' d]] == [[a\"b c\\ d]])
    assert(words "[[x]] [=[y]]]=] t[1] t[ [[k]] ]" == "x y]] t [ 1 ] t [ k ]")
    assert(words "a..b ... 1.5e3 .5 a.b" == "a .. b ... 1.5e3 .5 a . b")
    assert(words "-- the end" == "" and words "--[[ never" == "" and words "'never" == "never")
end

function tests.lines_of_tokens()
    local tokens = source.tokens("a\n--[[\n\n]] b\n'x\\\ny' c")
    assert(tokens[1].line == 1 and tokens[2].line == 4)
    assert(tokens[3].line == 5 and tokens[4].line == 6)
end

local policy = [==[
rule "first" { boot = disk } rule "second" { match = {
    mac = "x", -- uuid = "no"
    ["label.rack"] = { "a",
        "b" },
    [3] = 1 } ,
  boot = function(m)
    local args, b = 1, { boot = 2 }
    if b then for i = 1, 2 do print(i) end end
    repeat local c = 1 until c == 1
    return "x", { args = 1 }
  end,
  args = { "one", f(1, 2),
     "three" ; "four" },
  vars = common,
}
rule(name) {
  boot = 1 }
dhcp
{ programs = {
   a = 1 } }
]==]

function tests.lines_of_keys()
    local s = source.new(policy)
    local open = s:call(1, "rule", "second")
    local function line(...)
        return s:line(open, { ... }, 99)
    end
    assert(line("match") == 1 and line("match", "mac") == 2)
    assert(line("match", "label.rack") == 3 and line("match", "label.rack", 2) == 4)
    assert(line("match", 3) == 5 and line("boot") == 6)
    assert(line("args") == 12 and line("args", 2) == 12 and line("args", 3) == 13)
    assert(line("args", 4) == 13 and line("args", 5) == 12)
    assert(line("vars") == 14 and line("vars", "x") == 14)
    assert(line("nope") == 99 and line("match", "uuid") == 1)
    assert(s:line(s:call(1, "rule", "first"), { "match" }, 99) == 99)
    assert(s:line(s:call(16, "rule", "computed"), { "boot" }, 99) == 17)
    assert(s:line(s:call(19, "dhcp", nil), { "programs", "a" }, 99) == 20)
    assert(s:call(2, "rule", "x") == nil and s:call(999, "rule", "x") == nil)
end

-- Whatever the text, tokens end and lines never run backwards.
function tests.any_bytes()
    local alphabet = { "[", "]", "=", "-", '"', "'", "\\", "\n", "a", "1", ".", "{", "}", " ", "\0" }
    math.randomseed(3)
    for _ = 1, 2000 do
        local parts = {}
        for i = 1, math.random(0, 30) do
            parts[i] = alphabet[math.random(#alphabet)]
        end
        local last = 1
        for _, token in ipairs(source.tokens(table.concat(parts))) do
            assert(token.line >= last)
            last = token.line
        end
    end
end

return tests
