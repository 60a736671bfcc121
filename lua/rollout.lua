-- `rollout { percent = 10, use = "new", otherwise = "old" }`: a part of the machines, always the
-- same ones, and with a larger percentage these and more.

local machine = require "machine"
local reader = require "reader"
local void = require "void"
local words = require "words"

local bit = bit

local rollout = {}

local keys = words.keys "Rollout"

-- Reads the table behind the word -> { limit =, by = field, salt =, use = choice, otherwise =
-- choice }; nil when it is wrong. `read`: choice.read.
function rollout.read(reading, body, read)
    reading:keys({}, body, keys)
    local percent, by = body.percent, body.by
    local good = type(percent) == "number" and percent >= 0 and percent <= 100
    if not good and percent ~= void.value then
        reading:problem({ "percent" }, "rollout.percent: found %s, expected a number from 0 to 100",
                        reader.show(percent))
    end
    local field = machine.field("mac")
    if by ~= nil and reading:text({ "by" }, by, "the name of a field") then
        field = machine.field(by)
        if not field or field.type == "set" or field.type == "labels" then
            reading:problem({ "by" }, "rollout.by: %s", field and by .. " has several values"
                                                  or machine.unknown_field(by))
        end
    end
    local salt = reading:literal({ "salt" }, body.salt, "some text")
    local choices = {}
    for _, key in ipairs { "use", "otherwise" } do
        if body[key] == nil then
            reading:problem({}, "rollout has no %s", key)
        else
            choices[key] = read(reading, { key }, body[key], false)
        end
    end
    return good and field and choices.use and choices.otherwise and {
        limit = percent * 100, by = field, salt = salt,
        use = choices.use, otherwise = choices.otherwise,
    } or nil
end

-- With plans in place of choices, as `link` makes them | nil, problem.
function rollout.link(read, salt, link)
    local linked = { limit = read.limit, by = read.by, salt = read.salt or salt }
    for _, key in ipairs { "use", "otherwise" } do
        local problem
        linked[key], problem = link(read[key])
        if problem then
            return nil, problem
        end
    end
    return linked
end

-- 32-bit product: factors in halves, as a double holds 53 bits.
local function multiply(a, b)
    local low, high = bit.band(a, 0xffff), bit.rshift(a, 16)
    return bit.tobit(low * b + bit.lshift(bit.tobit(high * b), 16))
end

-- 0 to 9999 for a text: FNV-1a, its bits mixed as MurmurHash3 ends. Which machines are in
-- hangs on it, so that it can never change.
function rollout.bucket(text)
    local hash = bit.tobit(0x811c9dc5)
    for i = 1, #text do
        hash = multiply(bit.bxor(hash, text:byte(i)), 0x01000193)
    end
    hash = multiply(bit.bxor(hash, bit.rshift(hash, 16)), 0x85ebca6b)
    hash = multiply(bit.bxor(hash, bit.rshift(hash, 13)), 0xc2b2ae35)
    hash = bit.bxor(hash, bit.rshift(hash, 16))
    return hash % 2 ^ 32 % 10000
end

-- The plan for this machine: without an identity, `otherwise`. nil and the field's name when
-- that is not known yet.
function rollout.pick(linked, m)
    local field = linked.by
    local value = m[field.name]
    if value == nil and field.late[m.stage] then
        return nil, field.name
    elseif value and rollout.bucket(linked.salt .. "\0" .. tostring(value)) < linked.limit then
        return linked.use
    end
    return linked.otherwise
end

return rollout
