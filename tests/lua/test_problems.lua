local problems = require "problems"

local tests = {}

local names = { kernel = true, initrd = true, args = true, boot = true }

function tests.nearest_names()
    assert(problems.nearest("kernal", names) == "kernel")
    assert(problems.nearest("inird", names) == "initrd")
    assert(problems.nearest("agrs", names) == "args")
    assert(problems.nearest("BOOT", names) == "boot")
    assert(problems.nearest("something", names) == nil)
    assert(problems.nearest("", names) == nil)
    assert(problems.nearest(12, names) == nil)
    assert(problems.nearest("ab", { aa = true, ac = true }) == "aa") -- the first of two
    assert(problems.hint("arg", names) == ' (did you mean "args"?)')
    assert(problems.hint("zzz", names) == "")
end

function tests.values_in_messages()
    assert(problems.show("a") == '"a"')
    assert(problems.show("a\n\0\127") == '"a\\10\\0\\127"')
    assert(#problems.show(("x"):rep(1000)) == 82)
    assert(problems.show(nil) == "nothing" and problems.show(12) == "12")
    assert(problems.show({}) == "a table" and problems.show(print) == "a function")
end

function tests.places_in_what_lua_says()
    local line, text = problems.split("policy.lua:12: no: 7: really", "policy.lua")
    assert(line == 12 and text == "no: 7: really")
    line, text = problems.split("other.lua:12: no", "policy.lua")
    assert(line == nil and text == "other.lua:12: no")
    line = problems.split("...sites/a/policy.lua:3: no", "/srv/very/long/sites/a/policy.lua")
    assert(line == 3)
    line = problems.split("C:8: a:1: no", "C:8: a")
    assert(line == 1)
end

function tests.in_the_order_of_lines_and_once()
    local list = problems.new("p.lua")
    assert(not list:any())
    list:add(12, "b %s", "%d")
    list:add(2, "100% a")
    list:add(12, "b %s", "%d")
    list:add(12, "a")
    assert(table.concat(list:strings(), "\n") == "p.lua:2: 100% a\np.lua:12: a\np.lua:12: b %d")
end

return tests
