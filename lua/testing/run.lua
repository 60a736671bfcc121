-- Runs one test: a pass, a fail (something else was found), an error (it could not run) or
-- skipped.
--
-- A result is plain data: { name, file, line, status, message, us = microseconds, differences =
-- list of { key, expected, found }, rules = those that were tried, error = why the policy failed,
-- given = the counterexample of a property as text, seed, runs, updated = golden files written,
-- bench = what it costs (bench.lua) }.

local bench = require "testing.bench"
local check = require "testing.check"
local engine = require "engine"
local expect = require "testing.expect"
local network = require "testing.network"
local overlay = require "testing.overlay"
local path = require "path"
local property = require "testing.property"
local random = require "testing.random"
local shape = require "testing.shape"
local show = require "testing.show"
local simulate = require "simulate"
local world = require "testing.world"

local host = host

local run = {}

-- Loads a suite's policy, with a test's own files -> policy | nil, list of problems.
function run.load(suite, files, coverage)
    local display = path.join(suite.directory, suite.policy_file)
    local policy, problems = overlay.with(files, suite.dir, engine.load, {
        dir = suite.dir, file = suite.policy_file, display = display,
    })
    if policy then
        policy.base = simulate.base
    end
    if policy and coverage and not files then
        coverage:loaded(policy)
    end
    return policy, problems
end

local function merge(under, over)
    local both = {}
    for _, values in ipairs { under or {}, over or {} } do
        for key, value in pairs(values) do
            both[key] = value
        end
    end
    return both
end

local function check_property(context, case, try)
    local seed = random.mix(context.options.seed, case.file .. "\0" .. case.name)
    local result, runs = property.check(case.body.for_all, case.body.runs or property.runs, seed, function(values)
        local outcome_of = try(merge(case.body.given, values), values)
        outcome_of.given = show.value(values)
        return outcome_of
    end)
    if result.status == "pass" then
        result.given = nil
    end
    result.runs, result.seed = runs, context.options.seed
    return result
end

-- A policy that is expected not to load.
local function check_problems(body, policy, problems)
    if policy then
        return { status = "fail", differences = {
            { key = "problems", expected = show.value(body.expect.problems), found = "none: the policy loads" },
        } }
    end
    return check.judged({ expect.difference("problems", body.expect.problems, problems) }, {})
end

-- The policy of this test -> policy; or nil and an outcome; or nil when the suite's own has
-- problems, which are told once.
local function policy_of(context, body)
    local wants_problems = type(body.expect) == "table" and body.expect.problems ~= nil
    if not body.files and not wants_problems then
        return context:own()
    end
    local policy, problems = run.load(context.suite, body.files, context.options.coverage)
    if wants_problems then
        return nil, check_problems(body, policy, problems)
    elseif not policy then
        return nil, check.failed("the policy does not load:\n" .. table.concat(problems, "\n"))
    end
    return policy
end

-- A test that would pass does not when its world was not as it says.
local function complain(result, complaints)
    if #complaints == 0 or result.status == "error" then
        return result
    end
    result.status, result.differences = "fail", result.differences or {}
    for _, complaint in ipairs(complaints) do
        table.insert(result.differences, complaint)
    end
    return result
end

local function outcome_of(context, case)
    local body = case.body
    local problem = shape.problem(case)
    if problem then
        return check.failed(problem)
    elseif body.skip then
        return { status = "skip", message = body.skip }
    elseif context.options.coverage then
        context.options.coverage:begin(context.suite, body.files)
    end
    local policy, other = policy_of(context, body)
    if not policy then
        return other
    end
    local here = { suite = context.suite, options = context.options, policy = policy }
    local used = {}
    local function try(given, values)
        here.world = world.enter(policy, body, used)
        local result
        if body.get or body.post then
            result = check.page(here, body, values)
        else
            result = check.machine(here, body, given)
        end
        here.world:leave()
        return complain(result, here.world:complaints())
    end
    if body.for_all then
        return complain(check_property(here, case, try), network.unused(body, used))
    end
    local result = complain(try(body.given or {}), network.unused(body, used))
    if context.options.bench and result.status == "pass" then
        here.world = world.enter(policy, body)
        result.bench = bench.case(policy, here.world, body, body.given or {})
        here.world:leave()
    end
    return result
end

-- The result of a test; nil when the suite's policy, which it needs, does not load.
-- `context`: { suite, options = { seed, update_golden,
-- coverage }, own = function(self) -> policy | nil }.
function run.case(context, case)
    local began = host.clock()
    context.suite.updated = nil
    local result = outcome_of(context, case)
    if not result then
        return nil
    end
    result.us = host.clock() - began
    result.name, result.file, result.line = case.name, case.file, case.line
    result.updated = context.suite.updated
    if result.status == "error" then
        result.message = ("%s:%d: %s"):format(case.file, case.line, result.message)
    end
    return result
end

return run
