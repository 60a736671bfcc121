-- What a test expects of a decision, compared with what was decided.

local problems = require "problems"
local simulate = require "simulate"

local expect = {}

local Contains = {}

-- `contains "x"`: a text has it somewhere in it, a list has it in one of its elements.
-- With a table: all of them.
function expect.contains(what)
    return setmetatable({ all = type(what) == "table" and what or { what } }, Contains)
end

-- Bytes that are no text: an option's.
local function is_binary(text)
    return text:find("[%z\1-\8\14-\31]") ~= nil
end

local function quote(text)
    if is_binary(text) then
        return '"' .. text:gsub('[%c"\\\127-\255]', function(c)
            return ("\\%03d"):format(c:byte())
        end) .. '"'
    elseif text:find("\n", 1, true) then
        return "\n" .. text
    end
    return '"' .. text .. '"'
end

local function show(value)
    if type(value) == "string" then
        return quote(value)
    elseif getmetatable(value) == Contains then
        return "contains " .. show(#value.all == 1 and value.all[1] or value.all)
    elseif value == nil or value == false then
        return "nothing"
    elseif type(value) ~= "table" then
        return tostring(value)
    end
    local parts, keys = {}, {}
    for _, element in ipairs(value) do
        parts[#parts + 1] = show(element)
    end
    for key in pairs(value) do
        if type(key) ~= "number" or not value[1] then
            keys[#keys + 1] = key
        end
    end
    table.sort(keys, function(a, b)
        return tostring(a) < tostring(b)
    end)
    for _, key in ipairs(keys) do
        local name = type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. show(key) .. "]"
        parts[#parts + 1] = name .. " = " .. show(value[key])
    end
    return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

local function has(found, wanted)
    if type(found) == "string" and type(wanted) == "string" then
        return found:find(wanted, 1, true) ~= nil
    elseif type(found) == "table" then
        for _, element in ipairs(found) do
            if element == wanted or has(element, wanted) then
                return true
            end
        end
    end
    return false
end

-- `false` expects nothing. A table with list elements is compared as a whole, one with
-- names by those that it names.
local function agrees(wanted, found)
    if getmetatable(wanted) == Contains then
        for _, element in ipairs(wanted.all) do
            if not has(found, element) then
                return false
            end
        end
        return true
    elseif wanted == false then
        return found == nil or found == false
    elseif type(wanted) ~= "table" then
        return wanted == found
    elseif type(found) ~= "table" or (#wanted > 0 or next(wanted) == nil) and #wanted ~= #found then
        return false
    end
    for key, value in pairs(wanted) do
        if not agrees(value, found[key]) then
            return false
        end
    end
    return true
end

-- What keys of `expect` look at, where it is not a fact of that name. `found` has policy,
-- machine and facts (outcome.lua).
local look = {
    rule = function(found) return found.facts.rule and found.facts.rule.name end,
    boot = function(found) return found.facts.profile or found.facts.verdict end,
    vars = function(found) return found.facts.vars or {} end,
    ipxe = function(found) return simulate.ipxe(found.policy, found.machine).body end,
    grub = function(found) return simulate.grub(found.policy, found.machine).body end,
    pxelinux = function(found) return simulate.pxelinux(found.policy, found.machine).body end,
    pixiecore = function(found) return simulate.pixiecore(found.policy, found.machine).body end,
    dhcp = function(found)
        local reply = simulate.dhcp(found.policy, found.machine)
        return reply and reply.dhcp
    end,
    config = function(found, wanted)
        local texts = {}
        for name in pairs(wanted) do
            local text, problem, failed = simulate.config(found.policy, found.machine, name)
            texts[name] = text
            found.facts.error = found.facts.error or failed and problem or nil
        end
        return texts
    end,
}

-- In the order in which they are reported.
local order = {
    "rule", "boot", "verdict", "why", "url", "kernel", "initrd", "args", "vars", "menu", "needs", "ipxe", "grub",
    "pxelinux", "pixiecore", "dhcp", "config", "error",
}

local keys = {}
for _, key in ipairs(order) do
    keys[key] = true
end

-- Types that a key may have, apart from `false` and `contains`.
local TABLES = { args = true, initrd = true, vars = true, menu = true, dhcp = true,
                 config = true }

-- Why a table is no expectation, or nil.
function expect.problem(wanted)
    if type(wanted) ~= "table" or getmetatable(wanted) == Contains then
        return "`expect` must be a table, such as { boot = \"compute\" }"
    end
    for key, value in pairs(wanted) do
        if not keys[key] then
            return ("`expect` has no key %s%s"):format(problems.show(key), problems.hint(key, keys))
        end
        local kind = TABLES[key] and "table" or "string"
        if value ~= false and getmetatable(value) ~= Contains and type(value) ~= kind then
            return ("`expect.%s` is %s, and must be a %s, contains … or false"):format(
                key, problems.show(value), kind == "table" and "table" or "text")
        end
    end
    if next(wanted) == nil then
        return "`expect` is empty: nothing would be tested"
    end
end

-- { key =, expected =, found = } when what was found is something else.
function expect.difference(key, wanted, found)
    if not agrees(wanted, found) then
        return { key = key, expected = show(wanted), found = show(found) }
    end
end

function expect.is_contains(value)
    return getmetatable(value) == Contains
end

-- The list of differences.
function expect.compare(wanted, subject)
    local differences = {}
    for _, key in ipairs(order) do
        if wanted[key] ~= nil then
            local found = subject.facts[key]
            if look[key] then
                found = look[key](subject, wanted[key])
            end
            differences[#differences + 1] = expect.difference(key, wanted[key], found)
        end
    end
    return differences
end

return expect
