-- Rules: who boots what. Reads a rule's table, and tells whether a machine is meant.

local choice = require "choice"
local machine = require "machine"
local match = require "match"
local problems = require "problems"
local profile = require "profile"
local reader = require "reader"
local sandbox = require "sandbox"
local sealed = require "sealed"
local store = require "store"
local void = require "void"
local words = require "words"

local rules = {}

local keys = words.keys "Rule"

local field_order = {}
for i, field in ipairs(machine.fields) do
    field_order[field.name] = i
end

-- Predicates that run functions come last, the others in the order of the fields: what
-- a rule costs and what its trace says depends on nothing else.
local function before(a, b)
    if a.calls ~= b.calls then
        return not a.calls
    elseif a.order ~= b.order then
        return a.order < b.order
    end
    return a.name < b.name
end

local function add_predicate(reading, predicates, path, name, value)
    local field = machine.field(name)
    if value == void.value or name == void.value then
        return
    elseif not field then
        reading:problem(path, "match: %s", machine.unknown_field(name))
        return
    end
    local matcher = match.compile(reading, path, field, value)
    if not matcher then
        return
    end
    table.insert(predicates, {
        name = name, field = field, matcher = matcher, test = matcher.test,
        absent = matcher.absent, calls = matcher.calls or false, late = field.late,
        order = field_order[field.label and "label" or name],
    })
end

local function read_match(reading, value)
    local predicates = {}
    if type(value) == "function" then
        return predicates, match.test_of(value)
    elseif not reading:is({ "match" }, value, "table", "a table of fields, or a function") then
        return predicates
    end
    for name, wanted in pairs(value) do
        local labels = name == "label" and type(wanted) == "table" and not sealed.open(wanted)
                       and wanted
        if labels and labels ~= void.value then
            for label, text in pairs(labels) do
                add_predicate(reading, predicates, { "match", "label", label },
                              "label." .. tostring(label), text)
            end
        elseif name == "label" then
            reading:problem({ "match", name }, "match.label: found %s, expected a table of labels",
                            reader.show(wanted))
        elseif type(name) == "number" then
            reading:problem({ "match", name }, "match: found %s without a field's name",
                            reader.show(wanted))
        else
            add_predicate(reading, predicates, { "match", name }, name, wanted)
        end
    end
    table.sort(predicates, before)
    return predicates
end

-- A rule from its table; its choices are still to be linked.
function rules.read(reading, body)
    reading:keys({}, body, keys)
    local rule = { name = reading.name, line = reading.line,
                   display = reading.loader.display }
    rule.predicates, rule.matches = read_match(reading, body.match)
    profile.read_shared(reading, body, rule, {})
    if body.boot == nil then
        reading:problem({}, "%s has no boot", reading.title)
    else
        rule.choice = choice.read(reading, { "boot" }, body.boot, true)
    end
    if body.on_error ~= nil then
        rule.error_choice = choice.read(reading, { "on_error" }, body.on_error, false)
    end
    return rule
end

-- Makes the rule's plans, once all profiles are known.
function rules.link(rule, profiles)
    rule.ignore = choice.ignore(rule)
    rule.on_error = rule.ignore
    if rule.error_choice then
        rule.on_error = choice.link(rule, rule.error_choice, profiles, false)
    end
    if rule.choice and rule.choice.call then
        rule.call = rule.choice.call
    elseif rule.choice then
        rule.plan = choice.link(rule, rule.choice, profiles, true)
    end
    rule.choice, rule.error_choice = nil, nil
end

--- Matching ------------------------------------------------------------------------------

-- A test that runs functions of the policy -> matched; nil, problem; or nil, nil and the
-- field it would have to know.
local function guarded(m, test, ...)
    local ok, matched = store.guard(sandbox.reset, test, ...)
    if m.needs then
        return nil, nil, m.needs
    elseif not ok then
        return nil, matched
    end
    return matched
end

-- Does the rule mean this machine? -> true; false and the predicate that says no (nil: the
-- match function); or nil, and either the message of a function that failed, or nil and the
-- name of a field that is not known yet and decides.
function rules.match(rule, m)
    local predicates, stage = rule.predicates, m.stage
    local needs
    for i = 1, #predicates do
        local p = predicates[i]
        local value = m[p.name]
        local matched
        if not value then
            matched = p.absent
            if value == nil and p.late[stage] then
                needs, matched = needs or p.name, true
            end
        elseif p.calls then
            local problem, unknown
            matched, problem, unknown = guarded(m, p.test, value, machine.view(m))
            if problem then
                return nil, problem
            elseif unknown then
                m.needs, needs, matched = nil, needs or unknown, true
            end
        else
            matched = p.test(value)
        end
        if not matched then
            return false, p
        end
    end
    if needs then
        return nil, nil, needs
    elseif rule.matches then
        local matched, failure, unknown = guarded(m, rule.matches, machine.view(m))
        m.needs = nil
        return matched, failure, unknown
    end
    return true
end

-- Why a rule does not match, for people.
function rules.why(p, m)
    if not p then
        return "its match function said no"
    end
    local value = m[p.name]
    if type(value) == "table" then
        local members = {}
        for member in pairs(value) do
            table.insert(members, member)
        end
        table.sort(members)
        value = table.concat(members, " ")
    end
    return string.format("%s: wanted %s, found %s", p.name, p.matcher.describe,
                         problems.show(value or nil))
end

return rules
