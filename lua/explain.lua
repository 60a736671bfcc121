-- Why a machine is decided as it is: every rule in order, what it wants beside what the machine has,
-- what functions returned, and what each took.

local engine = require "engine"
local machine = require "machine"
local problems = require "problems"
local reader = require "reader"
local sealed = require "sealed"

local explain = {}

local MOST_DEPTH, MOST_ITEMS = 4, 20

local show

local function sorted_keys(value)
    local keys = {}
    for key in next, value do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        if type(a) == type(b) and type(a) ~= "boolean" then
            return a < b
        end
        return type(a) == "number" and type(b) ~= "number"
    end)
    return keys
end

local function show_table(value, depth)
    local parts, plain = {}, 0
    for _, key in ipairs(sorted_keys(value)) do
        if #parts == MOST_ITEMS then
            parts[#parts + 1] = "…"
            break
        end
        local text = show(rawget(value, key), depth + 1)
        if key == plain + 1 then
            plain = key
        elseif type(key) == "string" and key:find "^[%a_][%w_]*$" then
            text = key .. " = " .. text
        else
            text = ("[%s] = %s"):format(problems.show(key), text)
        end
        parts[#parts + 1] = text
    end
    return #parts > 0 and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
end

-- A value of the policy's as it would be written.
function show(value, depth)
    if type(value) ~= "table" or sealed.open(value) or getmetatable(value) then
        return reader.show(value)
    elseif depth >= MOST_DEPTH then
        return "{…}"
    end
    return show_table(value, depth)
end

-- What a rule's function answered.
local function answer_text(answer)
    if not answer then
        return nil
    elseif answer.problem ~= nil then
        return show(answer.value, 0) .. ", " .. show(answer.problem, 0)
    end
    return show(answer.value, 0)
end

-- A machine's value of a field, in text.
function explain.value(value)
    if type(value) == "table" then
        local members = {}
        for member in pairs(value) do
            members[#members + 1] = member
        end
        table.sort(members)
        return table.concat(members, " ")
    end
    return value or nil
end

-- What a predicate says: { field =, wanted =, found = (nil: absent), result = true, false, or nil
-- when it is not known }.
local function look(p, m, step)
    local value = m[p.name]
    local result
    if step.failing == p then
        result = false
    elseif not value and p.late[m.stage] and value == nil then
        result = nil
    elseif not value then
        result = p.absent
    elseif not p.calls then
        result = p.test(value)
    elseif step.outcome ~= "no match" and step.outcome ~= "failed" and step.outcome ~= "undetermined" then
        result = true
    end
    return { field = p.name, wanted = p.matcher.describe, found = explain.value(value), result = result }
end

-- The machine's decision, and for each rule of the policy { name =, file =, line =, outcome = (as
-- engine.lua has it, or "not reached"), why =, match = list of what its predicates say, answer =
-- what its function returned, us = what it took, indexed = whether the index finds it for this
-- machine }. `clock`: a function -> seconds.
function explain.decide(policy, m, clock)
    local candidate = {}
    for i in policy.index:candidates(m) do
        candidate[i] = true
    end
    local trace = { clock = clock }
    local found = engine.decide(policy, m, trace)
    m.trace = nil
    local steps = {}
    for i, rule in ipairs(policy.rules) do
        local step = trace[i] or { outcome = "not reached" }
        local match = {}
        for n, p in ipairs(step.outcome ~= "not reached" and rule.predicates or {}) do
            match[n] = look(p, m, step)
        end
        if step.outcome == "no match" and not step.failing then
            match[#match + 1] = { field = "match", wanted = "what its function wants", result = false }
        end
        steps[i] = {
            name = rule.name, file = rule.display, line = rule.line, outcome = step.outcome, why = step.why,
            match = match, answer = answer_text(step.answer), us = step.us, indexed = candidate[i] or false,
        }
    end
    return found, steps
end

-- The fields of a machine that are known, in order: list of { name, value as text }.
function explain.fields(m)
    local fields = {}
    for _, field in ipairs(machine.fields) do
        local value = m[field.name]
        if field.type ~= "labels" and field.type ~= "stage" and value then
            fields[#fields + 1] = { field.name, explain.value(value) }
        end
    end
    local labels = {}
    for label in pairs(m.label) do
        labels[#labels + 1] = label
    end
    table.sort(labels)
    for _, label in ipairs(labels) do
        if m.label[label] then
            fields[#fields + 1] = { "label." .. label, m.label[label] }
        end
    end
    return fields
end

return explain
