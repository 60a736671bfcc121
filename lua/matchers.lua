-- The words that match: `prefix "52:54"`, `range(1, 9)`, … Each function of `matchers.words`: field,
-- what the word was given -> matcher (match.lua) | nil, problem.
--
-- A new one is a function here and a line in words.lua.

local glob = require "glob"
local pattern = require "pattern"
local problems = require "problems"

local bit, host = bit, host

local matchers = { words = {} }

local words, show = matchers.words, problems.show

-- A matcher that looks at one value; on a field of several, any of them may match.
function matchers.leaf(field, kind, describe, test)
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

local leaf = matchers.leaf

-- Prefixes and patterns look at text, whatever the field's type.
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

-- The keys by which the start of a value is found; of numbers it is not.
local function starts_with(field, text)
    return field.type ~= "number" and text ~= "" and { prefix = { [text] = true } } or nil
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

function words.prefix(field, argument)
    local text, expected = prefix_text(field, argument)
    if not text then
        return nil, string.format("prefix: found %s, expected %s", show(argument), expected)
    end
    local length = #text
    local matcher = leaf(field, "prefix", "prefix " .. show(text), on_text(field, function(value)
        return value:sub(1, length) == text
    end))
    matcher.keys, matcher.text = starts_with(field, text), text
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
    matcher.keys, matcher.text = starts_with(field, glob.head(text, alias)), text
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
    local first, size = address, 2 ^ 32 - mask
    address, mask = bit.tobit(address), bit.tobit(mask)
    local matcher = leaf(field, "subnet", "subnet " .. show(argument), function(value)
        return bit.band(host.ip(value), mask) == address
    end)
    matcher.keys = { subnet = { [argument] = true } }
    matcher.first, matcher.last = first, first + size - 1
    return matcher
end

-- The end of an address, in any notation, is compared by its digits.
local function suffix_text(field, text)
    local most = field.type == "mac" and 12 or field.type == "uuid" and 32
    if not most then
        return text ~= "" and fold(field, text) or nil, "some text"
    end
    local digits = text:lower():gsub("[-:.}]", "")
    local good = digits ~= "" and #digits <= most and not digits:find("%X")
    return good and digits or nil,
           most == 12 and 'the end of a MAC address, such as "12:34:56"'
           or 'the end of a UUID, such as "b4c04f4e3732"'
end

function words.suffix(field, argument)
    local text, expected = suffix_text(field, argument)
    if not text then
        return nil, string.format("suffix: found %s, expected %s", show(argument), expected)
    end
    local length = #text
    local hex = field.type == "mac" or field.type == "uuid"
    local matcher = leaf(field, "suffix", "suffix " .. show(argument), on_text(field, function(value)
        if hex then
            value = value:gsub("[-:]", "")
        end
        return value:sub(-length) == text
    end))
    matcher.text = text
    return matcher
end

function words.pattern(field, argument)
    local problem = pattern.problem(argument)
    if problem then
        return nil, string.format("pattern: found %s, %s", show(argument), problem)
    end
    -- The classes keep their case: %S is not %s.
    local text = case_blind[field.type] and argument:gsub("%%?.", function(item)
        return #item == 1 and item:lower() or nil
    end) or argument
    local matcher = leaf(field, "pattern", "pattern " .. show(argument), on_text(field, function(value)
        return value:find(text) ~= nil
    end))
    matcher.text = text
    return matcher
end

-- How the bounds of a range are compared: field, bound -> function (value) -> what is
-- compared, or nil when a range makes no sense of it.
local function scale(field, bound)
    if field.type == "ip" then
        return host.ip, "IPv4 addresses"
    elseif field.type == "mac" then
        return host.mac, "MAC addresses"
    elseif field.type == "number" or type(bound) == "number" and field.type == "text" then
        return tonumber, "numbers"
    end
end

-- Keys that all between two values have: the start that they share.
local function shared_keys(field, first, last)
    local same = 0
    if field.type == "mac" then
        while same < #first and first:byte(same + 1) == last:byte(same + 1) do
            same = same + 1
        end
        return starts_with(field, first:sub(1, same))
    elseif field.type == "ip" then
        local bits = 32
        while math.floor(first / 2 ^ (32 - bits)) ~= math.floor(last / 2 ^ (32 - bits)) do
            bits = bits - 1
        end
        local network = first - first % 2 ^ (32 - bits)
        return { subnet = { [string.format(
            "%d.%d.%d.%d/%d", math.floor(network / 2 ^ 24), math.floor(network / 2 ^ 16) % 256,
            math.floor(network / 2 ^ 8) % 256, network % 256, bits)] = true } }
    end
    return nil
end

function words.range(field, argument)
    local from, to = argument[1], argument[2]
    local of, kind = scale(field, from)
    if not of then
        return nil, string.format("range matches numbers and addresses, but %s is %s", field.name,
                                  field.type == "text" and "text: give it numbers" or "neither")
    end
    local first, last = of(from), of(to)
    if not first or not last then
        return nil, string.format("range: found %s, expected %s", show(not first and from or to), kind)
    elseif first > last then
        return nil, string.format("range: found %s, which is less than %s", show(to), show(from))
    end
    local matcher = leaf(field, "range", string.format("range(%s, %s)", show(from), show(to)), function(value)
        value = of(value)
        return value ~= nil and value >= first and value <= last
    end)
    matcher.keys = shared_keys(field, first, last)
    matcher.first, matcher.last, matcher.scale = first, last, of
    return matcher
end

-- One of the hosts of an inventory (inventory.lua).
function words.inventory(field, of)
    if field.type ~= of.key.type then
        return nil, string.format("the hosts of %s are known by their %s", of.text, of.key.name)
    end
    local matcher = leaf(field, "inventory", "one of " .. of.text, function(value)
        return of.data:has(value)
    end)
    matcher.of = of
    return matcher
end

function words.present()
    return { kind = "present", describe = "any value", absent = false, test = function()
        return true
    end }
end

function words.absent()
    return { kind = "absent", describe = "none", absent = true, test = function()
        return false
    end }
end

return matchers
