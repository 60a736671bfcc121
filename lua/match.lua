-- Matchers: what a policy writes behind a field's name, compiled for that field.
--
-- A matcher is { kind =, test = function (value), describe = text, absent = boolean }: `test`
-- gets the field's normal value, never nil; `absent` is what a machine without one gets.
-- `calls` marks those that run the policy's functions: test (value, machine's view).
-- `keys` is how index.lua finds the machines that it may accept; nil: it cannot. `any` has those of
-- a list, `inner` the one that an except wants not; `text`, `first`, `last`, `scale` and `of` are
-- what words were given, for lint/covers.lua to compare.
--
-- The words that take an argument are in matchers.lua.

local arch = require "arch"
local matchers = require "matchers"
local normalise = require "normalise"
local problems = require "problems"
local reader = require "reader"
local sealed = require "sealed"
local void = require "void"

local match = {}

local leaf, show = matchers.leaf, problems.show

-- Adds up to `set` the normal values that a plain value stands for; nil, or what is wrong.
local function add_plain(field, value, set)
    local normal, expected
    if field.type == "set" then
        normal = type(value) == "string" and value:lower()
        expected = not normal and "a word"
    else
        normal, expected = normalise[field.type](value)
    end
    if expected then
        return string.format("found %s, expected %s", show(value), expected)
    elseif normal == nil then
        return string.format("found %s, which stands for none and never matches", show(value))
    end
    for _, variant in ipairs(field.type == "arch" and arch.variants(normal) or { normal }) do
        set[variant] = true
    end
    return nil
end

-- A matcher of the values in this set.
local function one_of(field, set, describe)
    local matcher = leaf(field, "plain", describe, function(found)
        return set[found] == true
    end)
    matcher.keys = { plain = set }
    return matcher
end

local function plain(field, value)
    local set = {}
    local problem = add_plain(field, value, set)
    if problem then
        return nil, problem
    end
    return one_of(field, set, show(value))
end

-- A policy's function as a test: `nil, problem` throws, as it may stand inside an except.
function match.test_of(f)
    return function(...)
        local matched, problem = f(...)
        if matched == nil and problem ~= nil then
            error(type(problem) == "string" and problem or show(problem), 0)
        end
        return matched and true or false
    end
end

local function called(f)
    return {
        kind = "function", describe = "what its function wants", absent = false, calls = true,
        test = match.test_of(f),
    }
end

-- What is accepted by any of these has one of their keys, if all have some.
local function all_keys(these)
    local keys = {}
    for _, matcher in ipairs(these) do
        if not matcher.keys then
            return nil
        end
        for kind, texts in pairs(matcher.keys) do
            keys[kind] = keys[kind] or {}
            for text in pairs(texts) do
                keys[kind][text] = true
            end
        end
    end
    return keys
end

-- Any of these matchers.
local function any_of(these, describe)
    local matcher = { kind = "list", describe = describe, absent = false, keys = all_keys(these), any = these }
    for _, each in ipairs(these) do
        matcher.absent = matcher.absent or each.absent
        matcher.calls = matcher.calls or each.calls
    end
    function matcher.test(value, view)
        for i = 1, #these do
            if these[i].test(value, view) then
                return true
            end
        end
        return false
    end
    return matcher
end

local function describe_list(values)
    local texts = {}
    for i = 1, math.min(#values, 5) do
        texts[i] = values[i]
    end
    if #values > 5 then
        table.insert(texts, string.format("%d more", #values - 5))
    end
    return "one of " .. table.concat(texts, ", ")
end

-- A list, of lists too: its plain values are one set, whatever their number.
local function list(reading, path, field, values)
    local set, found, texts, good = {}, {}, {}, true
    local n = 0
    for _ in pairs(values) do
        n = n + 1
    end
    if n ~= #values then
        reading:problem(path, "%s: found a table with keys, expected a list", reading.where(path))
        return nil
    end
    for i, value in ipairs(values) do
        local at = reader.within(path, i)
        if type(value) == "string" or type(value) == "number" then
            local problem = add_plain(field, value, set)
            if problem then
                reading:problem(at, "%s: %s", reading.where(at), problem)
                good = false
            end
            texts[i] = show(value)
        elseif value ~= void.value then
            local matcher = match.compile(reading, at, field, value)
            found[#found + 1] = matcher
            texts[i] = matcher and matcher.describe or "?"
            good = good and matcher ~= nil
        end
    end
    if not good then
        return nil
    elseif #found == 0 then
        return one_of(field, set, describe_list(texts))
    end
    table.insert(found, 1, one_of(field, set, ""))
    return any_of(found, describe_list(texts))
end

local function except(reading, path, field, argument)
    local inner = match.compile(reading, path, field, argument)
    if not inner then
        return nil
    end
    local test = inner.test
    return {
        kind = "except", describe = "not " .. inner.describe, absent = not inner.absent,
        calls = inner.calls, inner = inner,
        test = function(value, view)
            return not test(value, view)
        end,
    }
end

-- What a word made for this field -> matcher | nil, problem.
local function by_word(field, content)
    local make = matchers.words[content.word]
    if not make then
        return nil, string.format("found %s, which is no matcher", content.text)
    end
    return make(field, content.argument)
end

-- Compiles what a policy wrote for a field -> matcher; nil when it is wrong, which is
-- reported.
function match.compile(reading, path, field, value)
    local kind = type(value)
    local content = sealed.open(value)
    local matcher, problem
    if value == void.value then
        return nil
    elseif content and content.word == "except" then
        return except(reading, path, field, content.argument)
    elseif content then
        matcher, problem = by_word(field, content)
    elseif kind == "function" and reading:is_word(value) then
        problem = "found a word without its argument"
    elseif kind == "function" then
        return called(value)
    elseif kind == "table" then
        return list(reading, path, field, value)
    elseif kind == "string" or kind == "number" then
        matcher, problem = plain(field, value)
    else
        problem = string.format("found %s, expected a value, a list, a matcher or a function",
                                show(value))
    end
    if problem then
        reading:problem(path, "%s: %s", reading.where(path), problem)
    end
    return matcher
end

return match
