-- The words of the language for editors: a file of LuaLS annotations, made from words.lua.

local words = require "words"

local stubs = {}

local ours = {}
for name in pairs(words.tables) do
    ours[name] = true
end
for _, alias in ipairs(words.aliases) do
    ours[alias[1]] = true
end

-- A type, our own names under "moonboot.".
local function qualified(text)
    return (text:gsub("%f[%w\"]%u%w*", function(name)
        return ours[name] and "moonboot." .. name or nil
    end))
end

local function add(lines, text, ...)
    lines[#lines + 1] = text:format(...)
end

local function add_table(lines, name)
    local of = words.tables[name]
    add(lines, "---%s", of.doc)
    add(lines, "---@class moonboot.%s", name)
    for _, field in ipairs(of.fields) do
        add(lines, "---@field %s %s %s", field[1], qualified(field[2]), field[3])
    end
    add(lines, "")
end

local function add_alias(lines, alias)
    local name, doc, is = unpack(alias)
    add(lines, "---%s", doc)
    if is then
        add(lines, "---@alias moonboot.%s %s", name, qualified(is))
    else
        add(lines, "---@class moonboot.%s", name)
    end
    add(lines, "")
end

local function add_word(lines, word, path)
    local name = path .. word[1]
    add(lines, "---%s", word.doc)
    add(lines, "---")
    add(lines, "---`%s`", word.usage)
    if word.members then
        add(lines, "%s = {}\n", name)
        for _, member in ipairs(word.members) do
            add_word(lines, member, name .. ".")
        end
        return
    elseif word.type then
        add(lines, "---@type %s\n%s = nil\n", qualified(word.type), name)
        return
    end
    local names = {}
    for i, param in ipairs(word.params) do
        names[i] = param[1]:gsub("%?$", "")
        add(lines, "---@param %s %s", param[1], qualified(param[2]))
    end
    local returns = word.returns or {}
    for _, returned in ipairs(type(returns) == "table" and returns or { returns }) do
        add(lines, "---@return %s", qualified(returned))
    end
    add(lines, "function %s(%s) end\n", name, table.concat(names, ", "))
end

-- The text of moonboot.lua.
function stubs.text()
    local lines = {
        "---@meta moonboot", "",
        "-- The policy language, for editors that speak LuaLS. Written by `moonboot stubs`.", "",
    }
    for _, name in ipairs(words.table_order) do
        add_table(lines, name)
    end
    for _, alias in ipairs(words.aliases) do
        add_alias(lines, alias)
    end
    for _, list in ipairs { words.list, words.tests } do
        for _, word in ipairs(list) do
            add_word(lines, word, "")
        end
    end
    lines[#lines] = lines[#lines]:gsub("\n$", "")
    return table.concat(lines, "\n") .. "\n"
end

-- The text of a .luarc.json that finds moonboot.lua in that directory. What policies do not
-- have of Lua is off.
function stubs.settings(directory)
    return ([[
{
  "runtime.version": "LuaJIT",
  "runtime.builtin": {
    "coroutine": "disable", "debug": "disable", "ffi": "disable", "io": "disable",
    "jit": "disable", "os": "disable", "package": "disable"
  },
  "workspace.library": ["%s"]
}
]]):format(directory)
end

return stubs
