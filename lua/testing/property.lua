-- Property tests: `for_all = { mac = any.mac, … }` tries an expectation on many machines, and
-- makes one that fails as small as it can.
--
-- What shrinks is not the values but the numbers that they were drawn from (any.lua): fewer and
-- smaller ones make simpler values, whatever the generator.

local any = require "testing.any"
local random = require "testing.random"

local property = {}

property.runs = 100
local SHRINKS = 1000 -- attempts; each is a decision

local function sorted_names(set)
    local names = {}
    for name in pairs(set) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end

-- Values by name; `draw_for(name)` gives the numbers.
local function make(generators, names, draw_for)
    local values = {}
    for _, name in ipairs(names) do
        values[name] = any.make(generators[name], draw_for(name))
    end
    return values
end

-- The same record without the numbers from `from` to `to`.
local function without(record, from, to)
    local shorter = {}
    for i, number in ipairs(record) do
        if i < from or i > to then
            shorter[#shorter + 1] = number
        end
    end
    return shorter
end

local function with(record, at, number)
    local changed = { unpack(record) }
    changed[at] = number
    return changed
end

-- Simpler records than this one, the boldest first; each is offered to `attempt`, which
-- says whether it is taken. Returns the last one taken.
local function simplify(record, attempt)
    if #record > 0 and attempt {} then
        return {}
    end
    for _, size in ipairs { 8, 4, 2, 1 } do
        local at = 1
        while at <= #record do
            local shorter = without(record, at, at + size - 1)
            local counted = at > 1 and record[1] >= size and with(shorter, 1, record[1] - size)
            if counted and attempt(counted) then -- the first number often says how many follow
                record = counted
            elseif attempt(shorter) then
                record = shorter
            else
                at = at + 1
            end
        end
    end
    for at = 1, #record do
        local low, high = -1, record[at] -- high fails, low is not known to
        while high - low > 1 do
            local middle = low < 0 and 0 or math.floor((low + high) / 2)
            if attempt(with(record, at, middle)) then
                high = middle
            else
                low = middle
            end
        end
        record = with(record, at, high)
    end
    return record
end

local function equal(a, b)
    if #a ~= #b then
        return false
    end
    for i, number in ipairs(a) do
        if number ~= b[i] then
            return false
        end
    end
    return true
end

-- The kind of a failure: shrinking must not end in another one.
local function kind(outcome)
    local first = outcome.differences and outcome.differences[1]
    return outcome.status .. (first and first.key or "")
end

local function shrink(generators, names, records, failed, try)
    local left, wanted = SHRINKS, kind(failed)
    local last = failed
    local function attempt_for(name)
        return function(record)
            if left == 0 then
                return false
            end
            left = left - 1
            local outcome = try(make(generators, names, function(each)
                return random.replaying(each == name and record or records[each])
            end))
            if outcome.status == "pass" or kind(outcome) ~= wanted then
                return false
            end
            last = outcome
            return true
        end
    end
    local changed
    repeat
        changed = false
        for _, name in ipairs(names) do
            local simpler = simplify(records[name], attempt_for(name))
            changed = changed or not equal(simpler, records[name])
            records[name] = simpler
        end
    until not changed or left == 0
    return last
end

-- Tries `runs` machines: try(values) -> { status = "pass", "fail" or "error", … }. Returns the
-- outcome of the smallest counterexample found, or of the last one, and after how many runs.
function property.check(generators, runs, seed, try)
    local names, next = sorted_names(generators), random.new(seed)
    local outcome
    for run = 1, runs do
        local records = {}
        outcome = try(make(generators, names, function(name)
            records[name] = {}
            return random.recording(next, records[name])
        end))
        if outcome.status ~= "pass" then
            return shrink(generators, names, records, outcome, try), run
        end
    end
    return outcome, runs
end

return property
