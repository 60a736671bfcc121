-- Matchers: what a policy writes behind a field's name, compiled for that field.
--
-- A matcher is { kind =, test = function (value), describe = text, absent = boolean }: `test`
-- gets the field's normal value, never nil; `absent` is what a machine without one gets.
-- `calls` marks those that run the policy's functions: test (value, machine's view).
-- `keys` is how index.lua finds the machines that it may accept; nil: it cannot.
--
-- A new matcher word is one more function in `words`.

local arch = require "arch"
local glob = require "glob"
local normalise = require "normalise"
local problems = require "problems"
local sealed = require "sealed"

local bit, host = bit, host

local match = {}

local show = problems.show

-- A matcher that looks at one value; on a field of several, any of them may match.
local function leaf(field, kind, describe, test)
    if field.type == "set" then
        local one = test
        test = function(set)
            for member in pairs(set) do
                if one(member) then
                    return true
                end
            end
            return false
        end
    end
    return { kind = kind, describe = describe, absent = false, test = test }
end

-- Prefixes and globs look at text, whatever the field's type.
local function on_text(field, test)
    if field.type ~= "number" then
        return test
    end
    return function(value)
        return test(tostring(value))
    end
end

local case_blind = { lower = true, arch = true, set = true, uuid = true, mac = true }

local function fold(field, text)
    return case_blind[field.type] and text:lower() or text
end

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

-- The keys by which the start of a value is found; of numbers it is not.
local function starts_with(field, text)
    return field.type ~= "number" and text ~= "" and { prefix = { [text] = true } } or nil
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
local function all_keys(matchers)
    local keys = {}
    for _, matcher in ipairs(matchers) do
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
local function any_of(kind, matchers, describe)
    local matcher = { kind = kind, describe = describe, absent = false, keys = all_keys(matchers) }
    for _, each in ipairs(matchers) do
        matcher.absent = matcher.absent or each.absent
        matcher.calls = matcher.calls or each.calls
    end
    function matcher.test(value, view)
        for i = 1, #matchers do
            if matchers[i].test(value, view) then
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

-- A list: its plain values are one set, whatever their number.
local function list(field, values)
    local set, matchers, texts = {}, {}, {}
    local n = 0
    for _ in pairs(values) do
        n = n + 1
    end
    if n ~= #values then
        return nil, "found a table with keys, expected a list"
    end
    for i, value in ipairs(values) do
        local problem
        if type(value) == "table" and not sealed.open(value) then
            return nil, "found a list in a list", i
        elseif type(value) == "string" or type(value) == "number" then
            problem = add_plain(field, value, set)
            texts[i] = show(value)
        else
            matchers[#matchers + 1], problem = match.compile(field, value)
            texts[i] = not problem and matchers[#matchers].describe
        end
        if problem then
            return nil, problem, i
        end
    end
    if #matchers == 0 then
        return one_of(field, set, describe_list(texts))
    end
    table.insert(matchers, 1, one_of(field, set, ""))
    return any_of("list", matchers, describe_list(texts))
end

-- The digits of a prefix of a MAC address or UUID, any notation, as the field writes them.
local function hex_prefix(text, most, separator, groups)
    local digits = text:lower():gsub("[-:.{]", "")
    if digits == "" or #digits > most or digits:find("%X") then
        return nil
    end
    local out, at = {}, 1
    for _, size in ipairs(groups) do
        if at > #digits then
            break
        end
        table.insert(out, digits:sub(at, at + size - 1))
        at = at + size
    end
    return table.concat(out, separator)
end

local function prefix_text(field, text)
    if field.type == "mac" then
        return hex_prefix(text, 12, ":", { 2, 2, 2, 2, 2, 2 }),
               'the start of a MAC address, such as "52:54:00"'
    elseif field.type == "uuid" then
        return hex_prefix(text, 32, "-", { 8, 4, 4, 4, 12 }),
               'the start of a UUID, such as "4c4c4544-0052"'
    end
    return text ~= "" and fold(field, text) or nil, "some text"
end

-- The words by name: field, the word's argument -> matcher | nil, problem.
local words = {}

function words.prefix(field, argument)
    local text, expected = prefix_text(field, argument)
    if not text then
        return nil, string.format("prefix: found %s, expected %s", show(argument), expected)
    end
    local length = #text
    local matcher = leaf(field, "prefix", "prefix " .. show(text), on_text(field, function(value)
        return value:sub(1, length) == text
    end))
    matcher.keys = starts_with(field, text)
    return matcher
end

function words.glob(field, argument)
    local text = fold(field, argument)
    local alias = field.type == "mac" and { ["-"] = ":" } or nil
    local test, problem = glob.compile(text, alias)
    if not test then
        return nil, string.format("glob: found %s, expected %s", show(argument), problem)
    end
    local matcher = leaf(field, "glob", "glob " .. show(text), on_text(field, test))
    matcher.keys = starts_with(field, glob.head(text, alias))
    return matcher
end

function words.subnet(field, argument)
    if field.type ~= "ip" then
        return nil, string.format("subnet matches ip, gateway and relay, but %s is no address",
                                  field.name)
    end
    local address, mask = host.subnet(argument)
    if not address then
        return nil, string.format("subnet: found %s, expected an IPv4 network without bits set "
                                  .. "outside its mask, such as 10.0.0.0/8", show(argument))
    end
    address, mask = bit.tobit(address), bit.tobit(mask)
    local matcher = leaf(field, "subnet", "subnet " .. show(argument), function(value)
        return bit.band(host.ip(value), mask) == address
    end)
    matcher.keys = { subnet = { [argument] = true } }
    return matcher
end

function words.except(field, argument)
    local inner, problem = match.compile(field, argument)
    if not inner then
        return nil, problem
    end
    local test = inner.test
    return {
        kind = "except", describe = "not " .. inner.describe, absent = not inner.absent,
        calls = inner.calls,
        test = function(value, view)
            return not test(value, view)
        end,
    }
end

-- Compiles what a policy wrote for a field -> matcher | nil, problem, and the place in the
-- list that has it.
function match.compile(field, value)
    local kind = type(value)
    local content = sealed.open(value)
    if content then
        if not words[content.word] then
            return nil, string.format("found %s, which is no matcher", content.text)
        end
        return words[content.word](field, content.argument)
    elseif kind == "function" then
        return called(value)
    elseif kind == "table" then
        return list(field, value)
    elseif kind == "string" or kind == "number" then
        return plain(field, value)
    end
    return nil, string.format("found %s, expected a value, a list, a matcher or a function",
                              show(value))
end

return match
