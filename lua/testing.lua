-- Tests of policies: reads a *_test.lua file, runs what it declares (testing/README.md).

local problems = require "problems"
local run = require "testing.run"
local secrets = require "secrets"
local shape = require "testing.shape"
local suite = require "testing.suite"

local testing = {}

local statuses = { "pass", "fail", "error", "skip" }

-- A count of results, all zero.
function testing.count()
    local count = {}
    for _, status in ipairs(statuses) do
        count[status] = 0
    end
    return count
end

local function loading(name, wrong)
    return { status = "error", name = "loading", file = name, line = 1, us = 0, message = table.concat(wrong, "\n") }
end

-- The tests of a suite whose names match, cases included.
local function chosen(found, filter)
    local list = {}
    for _, test in ipairs(found.tests) do
        for _, case in ipairs(shape.cases(test, found.text)) do
            if not filter or case.name:find(filter) then
                list[#list + 1] = case
            end
        end
    end
    return list
end

-- What the file says is inside something that the policy has not sealed, as a problem; or nil.
local function secret_problem(found)
    local first, known = secrets.unused()
    return first and ("%s:%d: secrets: the policy has nothing sealed that is called %s%s"):format(
        found.display, found.secrets_line, problems.show(first), problems.hint(first, known))
end

-- Runs a suite's tests, as testing.run does.
local function run_suite(name, found, options, report)
    local told, stopped = false, false
    local context = { suite = found, options = options }
    function context.own()
        local wrong
        if found.policy == nil then
            found.policy, wrong = run.load(found, nil, options.coverage)
            found.policy = found.policy or false
        end
        if not found.policy and not told then
            told = true
            stopped = report(loading(name, wrong))
        end
        return found.policy or nil
    end
    for _, case in ipairs(chosen(found, options.filter)) do
        local result = run.case(context, case)
        if result then
            stopped = report(result)
        end
        if stopped then
            return true
        end
    end
    local unused = found.secrets and found.policy and not options.filter and secret_problem(found)
    return unused and report(loading(name, { unused })) or nil
end

-- Runs a test file, and tells `report(result)` of each result until that says true. What keeps
-- the whole file from running is one error. `options`: filter, seed, update_golden, coverage.
function testing.run(name, options, report)
    local found, wrong = suite.load(name)
    if not found then
        return report(loading(name, wrong))
    end
    secrets.supply(found.secrets or {})
    local stopped = run_suite(name, found, options, report)
    secrets.supply(nil)
    return stopped
end

return testing
