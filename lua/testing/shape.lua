-- What a test's table may have, and the cases that a table-driven one stands for.

local expect = require "testing.expect"
local golden = require "testing.golden"
local page = require "testing.page"
local problems = require "problems"
local show = require "testing.show"
local source = require "source"
local steps = require "testing.steps"
local subject = require "testing.subject"
local world = require "testing.world"

local shape = {}

-- Keys, and the types that they may have.
local KEYS = {
    given = { "table" }, get = { "string", "function" }, expect = { "table", "function" }, skip = { "string" },
    cases = { "table" }, for_all = { "table" }, runs = { "number" }, files = { "table" }, steps = { "table" },
    now = { "number", "string" }, state = { "table" }, http = { "table" }, dns = { "table" },
    post = { "string" }, body = { "string" },
}

local TEXTS = { string = "text", ["function"] = "function" }

-- What of the cases is not for them to say.
local NOT_IN_CASES = { cases = true, runs = true }

local function keys_problem(body, of)
    for key, value in pairs(body) do
        local types = KEYS[key]
        local good = false
        for _, kind in ipairs(types or {}) do
            good = good or type(value) == kind
        end
        if not types then
            return ("%s has no key %s%s"):format(of, problems.show(key), problems.hint(key, KEYS))
        elseif not good then
            local names = {}
            for i, kind in ipairs(types) do
                names[i] = TEXTS[kind] or kind
            end
            return ("`%s` is %s, and must be a %s"):format(key, problems.show(value), table.concat(names, " or a "))
        end
    end
end

-- Expectations of a decision and what else is known of it.
local function decision_problem(wanted)
    if show.word_of(wanted) then
        return expect.problem(wanted, subject.types)
    end
    local plain, golden_wanted = {}, wanted.golden
    for key, value in pairs(wanted) do
        plain[key] = key ~= "golden" and value or nil
        if value == false then
            plain[key] = false
        end
    end
    if golden_wanted ~= nil then
        local problem = golden.problem(golden_wanted)
        if problem or next(plain) == nil then
            return problem
        end
    end
    if plain.problems ~= nil then
        local listed = plain.problems
        plain.problems = nil
        if next(plain) ~= nil then
            return "`expect.problems` stands alone: a policy with problems decides nothing"
        elseif type(listed) ~= "table" then
            return ("`expect.problems` is %s, and must be a table or contains …"):format(problems.show(listed))
        end
        return nil
    end
    return expect.problem(plain, subject.types)
end

shape.decision_problem = decision_problem

local function files_problem(files)
    for name, text in pairs(files or {}) do
        if type(name) ~= "string" or type(text) ~= "string" and text ~= false then
            return ("`files` has %s behind %s, and must have texts (or false: no such file) behind names"):format(
                problems.show(text), problems.show(name))
        end
    end
end

local function for_all_problem(body)
    if body.for_all and next(body.for_all) == nil then
        return "`for_all` is empty: write the fields that are to vary, such as { mac = any.mac }"
    elseif body.runs and not body.for_all then
        return "`runs` is how often `for_all` is tried, and there is none"
    elseif body.runs and (body.runs < 1 or body.runs % 1 ~= 0) then
        return ("`runs` is %s, and must be a whole number"):format(problems.show(body.runs))
    end
    for name in pairs(body.for_all or {}) do
        if type(name) ~= "string" then
            return ("`for_all` has the key %s, and must have names of fields"):format(problems.show(name))
        elseif body.given and body.given[name] ~= nil then
            return ("`given` and `for_all` both have the field %s"):format(problems.show(name))
        end
    end
end

local function steps_problem(body)
    for _, key in ipairs { "expect", "get", "post", "for_all" } do
        if body[key] ~= nil then
            return ("a test has `steps` or `%s`"):format(key)
        end
    end
    return steps.problem(body.steps, function(wanted)
        return type(wanted) == "table" and wanted.problems and "`expect.problems` is for a policy that does not load"
               or decision_problem(wanted)
    end)
end

-- What is wrong with the table of one case, or nil.
function shape.problem(case)
    local body = case.body
    if case.problem then
        return case.problem
    elseif body == nil then
        return "the test's name is followed by nothing"
    end
    local problem = keys_problem(body, "a test") or files_problem(body.files) or for_all_problem(body)
                    or world.problem(body)
    if problem then
        return problem
    elseif body.steps and not body.skip then
        return steps_problem(body)
    elseif body.expect == nil and not body.skip then
        return "a test wants `expect`: what the policy should decide"
    elseif body.get or body.post then
        return page.problem(body)
    end
    return type(body.expect) == "table" and decision_problem(body.expect) or nil
end

--- Cases -----------------------------------------------------------------------------------

-- `over` over `under`: the keys of both, where both are plain tables.
local function merged(under, over)
    if over == nil then
        return under
    elseif type(under) ~= "table" or type(over) ~= "table" or show.word_of(under) or show.word_of(over) then
        return over
    end
    local both = {}
    for _, values in ipairs { under, over } do
        for key, value in pairs(values) do
            both[key] = value
        end
    end
    return both
end

local MERGED = { "given", "expect", "files", "for_all", "state", "http", "dns" }

-- One case as a test of its own.
local function one(test, key, body, line)
    local case = { name = ("%s: %s"):format(test.name, tostring(key)), line = line, file = test.file }
    if type(body) ~= "table" then
        case.problem = ("case %s is %s, and must be a table"):format(tostring(key), problems.show(body))
        return case
    end
    case.problem = keys_problem(body, "a case")
    for name in pairs(NOT_IN_CASES) do
        if body[name] ~= nil then
            case.problem = ("`%s` belongs to the test, not to its cases"):format(name)
        end
    end
    case.body = {}
    for name, value in pairs(test.body) do
        case.body[name] = name ~= "cases" and value or nil
    end
    for name, value in pairs(body) do
        case.body[name] = value
    end
    if not case.problem then
        for _, name in ipairs(MERGED) do
            case.body[name] = merged(test.body[name], body[name])
        end
    end
    return case
end

local function by_kind(a, b)
    if type(a) ~= type(b) then
        return type(a) == "number"
    end
    return a < b
end

-- The tests that this one stands for: itself, or its cases in order, named ones last.
function shape.cases(test, text)
    local body = test.body
    if test.problem or type(body) ~= "table" or body.cases == nil then
        return { test }
    end
    local problem = keys_problem(body, "a test")
    local keys = {}
    for key in pairs(type(body.cases) == "table" and body.cases or {}) do
        keys[#keys + 1] = key
        if type(key) ~= "string" and type(key) ~= "number" then
            problem = problem or "a case is named by a text or its number"
        end
    end
    if not problem and #keys == 0 then
        problem = "`cases` is empty: nothing would be tested"
    end
    if problem then
        return { { name = test.name, line = test.line, file = test.file, problem = problem } }
    end
    table.sort(keys, by_kind)
    local reading = source.new(text)
    local open = reading:call(test.line, "test", test.name)
    local cases = {}
    for i, key in ipairs(keys) do
        local line = open and reading:line(open, { "cases", key }, test.line) or test.line
        cases[i] = one(test, key, body.cases[key], line)
    end
    return cases
end

return shape
