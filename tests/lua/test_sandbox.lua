local engine = require "engine"
local policies = require "policies"

local tests = {}

-- Runs code as a policy's top level; it may use `check`.
local function run(code)
    local policy, problems = engine.load {
        display = "policy.lua",
        text = "local function check(ok, what) if not ok then error(what or 'check failed', 2) end end\n" .. code,
    }
    assert(policy, problems and table.concat(problems, "\n"))
end

function tests.what_works()
    run [[
check(("abc"):upper() == "ABC" and string.format("%d %s", 1, "x") == "1 x")
check(("abc"):gsub("b", "x") == "axc" and ("abc"):gsub("%w", { a = "1" }) == "1bc")
check(("abc"):gsub("%w", function(c) return c .. c end, 2) == "aabbc")
local list = { 3, 1, 2 }
table.sort(list) check(list[1] == 1)
table.sort(list, function(a, b) return a > b end) check(list[1] == 3)
check(select("#", unpack({ 1, 2 })) == 2 and bit.band(7, 2) == 2 and math.floor(1.5) == 1)
local ok, problem = pcall(error, "x", 0) check(not ok and problem == "x")
local ok, problem = xpcall(function() error("x", 0) end, function(e) return e .. "!" end)
check(not ok and problem == "x!")
check(select(2, xpcall(function(a, b) return a + b end, print, 1, 2)) == 3)
local meta = {} local t = setmetatable({}, meta) check(getmetatable(t) == meta)
for k, v in pairs({ a = 1 }) do check(k == "a" and v == 1) end
check(tostring(disk) == "disk" and tostring(prefix "a") == 'prefix "a"')
]]
end

function tests.no_way_to_what_strings_share()
    run [[
check(getmetatable("") == "string" and ("x").dump == nil)
check(not pcall(setmetatable, "", {}))
check(not pcall(function() local s = "x" s.rep = 1 end))
]]
end

function tests.no_way_into_the_engines_values()
    run [[
check(type(getmetatable(disk)) == "string" and not pcall(setmetatable, disk, {}))
check(not pcall(function() disk.verdict = "boot" end))
check(not pcall(function() return disk.verdict end))
check(next(disk) == nil)
]]
    local policy = policies.load [[
rule "r" { boot = function(m)
  if type(getmetatable(m)) ~= "string" or pcall(setmetatable, m, {}) then return deny "open" end
  if pcall(function() m.mac = "x" end) then return deny "writable" end
  table.insert(m, "x")
  local names = ""
  for name, value in pairs(m) do names = names .. name .. " " end
  return chain(names)
end }]]
    local d = policies.decide(policy, { mac = "525400000001", serial = "x" })
    assert(d.url == "mac serial stage label ", d.url or d.why or d.error)
end

-- What one policy does to its tables, another does not see; nor does the engine.
function tests.policies_apart()
    run "string.lower = nil table.concat = nil math.floor = nil bit.band = nil log.info = nil"
    run "check(string.lower and table.concat and math.floor and bit.band and log.info)"
    assert(string.lower and ("x"):lower() == "x" and table.concat and math.floor and bit.band)
end

-- A policy may keep the tables it gave away; changing them changes nothing.
function tests.tables_are_copied()
    local policy = policies.load [[
local args, vars, list = { "a" }, { v = "1" }, { "A", "B" }
local not_these = { "X" }
profile "p" { kernel = "x", args = args, vars = vars }
rule "q" { match = { asset = except(not_these), serial = list }, boot = "p" }
args[1], vars.v, list[1], not_these[1] = "b", "2", "C", "Y"
rule "r" { boot = function() args[1] = "c" return "p" end }
]]
    local d = policies.decide(policy, { serial = "A", asset = "Y" })
    assert(d.rule.name == "q" and d.args[1] == "a" and d.vars.v == "1")
    d = policies.decide(policy, { serial = "C" })
    assert(d.rule.name == "r" and d.args[1] == "a")
end

function tests.callbacks_that_recurse_through_c()
    run [[
local function f() return (("a"):gsub("a", f)) end
local ok, problem = pcall(f)
check(not ok and problem:find("nested too deeply"))
local t = setmetatable({}, { __tostring = function(t) return string.format("%s", t) end })
check(not pcall(tostring, t))
local function g() table.sort({ 1, 2, 3 }, g) end
check(not pcall(g))
local r = setmetatable({}, {}) getmetatable(r).__index = function() return (("a"):gsub("a", r)) end
check(not pcall(function() return r.x end))
for i = 1, 200 do pcall(f) end
check(("a"):gsub("a", function() return "b" end) == "b")
]]
end

function tests.errors_of_c_functions_name_the_policys_line()
    local _, problems = engine.load { display = "policy.lua", text = "\nstring.format('%d', 'x')" }
    assert(problems[1]:find("^policy.lua:2: bad argument #2 to"), problems[1])
    _, problems = engine.load { display = "policy.lua", text = "\ntable.sort({ 1, 'x' })" }
    assert(problems[1]:find("^policy.lua:2: attempt to compare"), problems[1])
end

function tests.printing_is_logging()
    host.logged = {}
    run 'print("a", 1, nil) log.warn("careful", true) log.debug()'
    assert(#host.logged == 3 and host.logged[1].level == "info" and host.logged[1].message == "policy.lua:2: a 1 nil")
    assert(host.logged[2].level == "warn" and host.logged[2].message == "policy.lua:2: careful true")
    assert(host.logged[3].message == "policy.lua:2: ")
end

return tests
