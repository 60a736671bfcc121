-- Runs one test: a pass, a fail (something else was found), an error (it could not run) or
-- skipped.
--
-- A result is plain data: { name, file, line, status, message, us = microseconds, differences =
-- list of { key, expected, found }, rules = those that were tried, error = why the policy failed,
-- given = the counterexample of a property as text, seed, runs, updated = golden files written,
-- bench = what it costs (bench.lua) }.

local bench = require "testing.bench"
local engine = require "engine"
local expect = require "testing.expect"
local golden = require "testing.golden"
local machine = require "machine"
local outcome = require "outcome"
local overlay = require "testing.overlay"
local page = require "testing.page"
local path = require "path"
local property = require "testing.property"
local random = require "testing.random"
local shape = require "testing.shape"
local show = require "testing.show"
local simulate = require "simulate"
local subject = require "testing.subject"

local host = host

local run = {}

local function failed(message)
    return { status = "error", message = message }
end

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

-- The names of all documents that a decision has for its machine.
local function documents(decision)
    local names = {}
    local function add(config)
        for name in pairs(config or {}) do
            names[name] = true
        end
    end
    add(decision.config)
    for _, entry in ipairs(decision.plan and decision.menu and decision.menu.entries or {}) do
        add(entry.decision.config)
    end
    return names
end

-- Asks a test's function what it thinks of what was found -> a table to compare with; true; or
-- nil and an outcome.
local function ask(wanted, found, given)
    local ok, answer, why = host.guard(wanted, found, given)
    if not ok then
        return nil, failed("`expect` failed: " .. tostring(answer))
    elseif answer == true or type(answer) == "table" then
        return answer
    elseif answer == nil and why == nil then
        return nil, failed("`expect` returned nothing: return true, a table, or false and why")
    end
    return nil, { status = "fail", differences = {
        { key = "expect", expected = "its function to agree",
          found = type(why) == "string" and why or show.value(answer) },
    } }
end

local function judged(differences, more)
    more.status = #differences == 0 and "pass" or "fail"
    more.differences = differences
    return more
end

local function check_page(context, body, values)
    local target = body.get
    if type(target) == "function" then
        local ok
        ok, target = host.guard(target, values)
        if not ok or type(target) ~= "string" or target:sub(1, 1) ~= "/" then
            return failed(("`get` gave %s, and must give a path"):format(show.value(target)))
        end
    end
    local answer, problem = page.ask(context.policy, target)
    local wanted, other = body.expect, nil
    if type(wanted) == "function" then
        wanted, other = ask(wanted, answer, values or {})
        local refused = type(wanted) == "table" and page.expect_problem(wanted)
        if refused then
            return failed(refused)
        end
    end
    if other then
        other.error = problem
        return other
    end
    return judged(wanted == true and {} or page.compare(wanted, answer), { error = problem })
end

local function compare(context, wanted, found, decision)
    local differences = {}
    for _, key in ipairs(subject.order) do
        if wanted[key] ~= nil then
            differences[#differences + 1] = expect.difference(key, wanted[key], found:get(key, wanted[key]))
        end
    end
    if wanted.golden then
        local more, problem = golden.compare(context.suite, wanted.golden, found, documents(decision),
                                             context.options.update_golden)
        if not more then
            return nil, problem
        end
        for _, difference in ipairs(more) do
            differences[#differences + 1] = difference
        end
    end
    return differences
end

-- Decides for the machine of these fields, and judges.
local function check_machine(context, body, given)
    local who, problem = machine.new(given, given.stage or "ipxe")
    if not who then
        return failed("`given`: " .. problem)
    end
    local trace = {}
    local decision = engine.decide(context.policy, who, trace)
    local found = subject.new(context.policy, who, outcome.facts(decision))
    local wanted, other = body.expect, nil
    if type(wanted) == "function" then
        wanted, other = ask(wanted, found:view(), machine.plain(machine.view(who)))
        local refused = type(wanted) == "table" and shape.decision_problem(wanted)
        if refused then
            return failed(refused)
        end
    end
    if not other then
        local differences = {}
        if wanted ~= true then
            differences, problem = compare(context, wanted, found, decision)
        end
        other = differences and judged(differences, {}) or failed(problem)
    end
    other.rules, other.error = trace, found.facts.error
    return other
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

local function check_property(context, case, check)
    local seed = random.mix(context.options.seed, case.file .. "\0" .. case.name)
    local result, runs = property.check(case.body.for_all, case.body.runs or property.runs, seed, function(values)
        local outcome_of = check(merge(case.body.given, values), values)
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
    return judged({ expect.difference("problems", body.expect.problems, problems) }, {})
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
        return nil, failed("the policy does not load:\n" .. table.concat(problems, "\n"))
    end
    return policy
end

local function outcome_of(context, case)
    local body = case.body
    local problem = shape.problem(case)
    if problem then
        return failed(problem)
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
    local function check(given, values)
        if body.get then
            return check_page(here, body, values)
        end
        return check_machine(here, body, given)
    end
    if body.for_all then
        return check_property(here, case, check)
    end
    local result = check(body.given or {})
    if context.options.bench and result.status == "pass" then
        result.bench = bench.case(policy, body, body.given or {})
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
