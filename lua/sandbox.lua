-- The world of a policy: what is listed here and nothing else. Each policy gets tables of
-- its own, so that one can spoil neither another's nor the engine's.

local machine = require "machine"

local host = host

local sandbox = {}

-- gsub, sort and format call back from C and need C's stack; without a limit a recursion
-- through them overflows it.
local DEPTH = 50
local depth = 0

local function leave(ok, ...)
    depth = depth - 1
    if not ok then
        local message = ...
        -- What C functions, and `less`, complain of has no place yet: that of the policy's call.
        if type(message) == "string" then
            message = message:gsub("^lua/sandbox%.lua:%d+: ", "")
        end
        local placed = type(message) ~= "string" or message:find("^[^\n]-:%d+: ")
        error(message, placed and 0 or 2)
    end
    return ...
end

local function nested(f)
    return function(...)
        if depth >= DEPTH then
            error("callbacks are nested too deeply", 2)
        end
        depth = depth + 1
        return leave(pcall(f, ...))
    end
end

-- A function of the engine as policies call it: what it throws has the place of the call.
sandbox.placed = nested

-- A deadline can strike between entering and leaving: each guarded call starts anew.
function sandbox.reset()
    depth = 0
end

-- How deep callbacks are nested here, for who comes back after another decision.
function sandbox.depth()
    return depth
end

function sandbox.enter(at)
    depth = at
end

-- Lua's own matching cannot be stopped; the C half's ends with the decision's time.
local matching = host.pattern

local gsub = matching.gsub
local nested_gsub = nested(gsub)

local function safe_gsub(text, pattern, replacement, ...)
    if type(replacement) == "string" then
        return gsub(text, pattern, replacement, ...)
    end
    return nested_gsub(text, pattern, replacement, ...)
end

-- The handler runs after the error has been left, so that a deadline can end it.
local function safe_xpcall(f, handler, ...)
    local function pass(ok, ...)
        if ok then
            return true, ...
        end
        return false, select(2, pcall(handler, ...))
    end
    return pass(pcall(f, ...))
end

-- The text of values, as print writes them.
local function joined(...)
    local texts = {}
    for i = 1, select("#", ...) do
        texts[i] = tostring((select(i, ...)))
    end
    return table.concat(texts, " ")
end

-- Says where in the policy it was called; after a tail call nobody knows.
local function logger(level)
    return function(...)
        local name, line = host.where(2)
        local place = line and line > 0 and string.format("%s:%d: ", name, line) or ""
        host.log(level, place .. joined(...))
    end
end

-- A machine's fields are behind its metatable, where pairs does not look.
local function safe_pairs(t)
    if getmetatable(t) == "machine" then
        return machine.each(t)
    end
    return pairs(t)
end

-- Without a comparison that is Lua's, sorting a long list cannot be stopped.
local function less(a, b)
    return a < b
end

local nested_sort = nested(table.sort)

local function safe_sort(list, compare)
    return nested_sort(list, compare or less)
end

local allowed = {
    string = { "byte", "char", "len", "lower", "rep", "reverse", "sub", "upper" },
    table = { "concat", "insert", "maxn", "remove" },
    math = { "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor",
             "fmod", "frexp", "huge", "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow",
             "rad", "random", "sin", "sinh", "sqrt", "tan", "tanh" },
    bit = { "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift",
            "tobit", "tohex" },
}

local libraries = { string = string, table = table, math = math, bit = bit }

local function copy(library)
    local result = {}
    for _, name in ipairs(allowed[library]) do
        result[name] = libraries[library][name]
    end
    return result
end

local function string_library()
    local result = copy "string"
    for _, name in ipairs { "find", "match", "gmatch" } do
        result[name] = matching[name]
    end
    result.gsub = safe_gsub
    result.format = nested(string.format) -- calls __tostring
    return result
end

-- The basics: everything but the words of the policy language.
function sandbox.basics()
    local basics = {
        assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next,
        pairs = safe_pairs, pcall = pcall, select = select, setmetatable = setmetatable,
        tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
        xpcall = safe_xpcall,
        print = logger "info",
        string = string_library(),
        table = copy "table",
        math = copy "math",
        bit = copy "bit",
    }
    basics.table.sort = safe_sort
    basics.log = {
        debug = logger "debug", info = logger "info", warn = logger "warn", error = logger "error",
    }
    return basics
end

-- ("x"):dump() must not reach what string.dump does not; nor may a policy change what
-- methods all strings have.
local strings = getmetatable("")
if type(strings) == "table" then
    strings.__index = string_library()
    strings.__metatable = "string"
end

return sandbox
