-- Tests of policies: reads a *_test.lua file, runs what it declares.
--
--   test "name" { given = { mac = … }, expect = { boot = "compute" } }
--   test "name" { get = "/path?query", expect = { status = 200, body = … } }
--
-- A test is a pass, a fail (the decision is another one), an error (it could not run) or
-- skipped. Deciding has no side effects, so tests cannot disturb each other.

local engine = require "engine"
local expect = require "testing.expect"
local machine = require "machine"
local outcome = require "outcome"
local page = require "testing.page"
local path = require "path"
local problems = require "problems"
local sandbox = require "sandbox"
local simulate = require "simulate"

local testing = {}

local KEYS = { given = "table", get = "string", expect = "table", skip = "string" }

-- Where the function that called the caller stands, as "file:line".
local function caller_line()
    local _, line = host.where(3)
    return line or 0
end

-- The words of a test file, which collect what it declares in `suite`.
local function words(suite)
    local env = sandbox.basics()
    env.contains = expect.contains

    function env.test(name)
        local case = { name = name, line = caller_line(), file = suite.display }
        suite.tests[#suite.tests + 1] = case
        if type(name) ~= "string" or name == "" then
            case.name = "(a test without a name)"
            case.problem = "a test begins with its name: test \"name\" { … }"
        end
        return function(body)
            if case.body then
                error("a test has one table", 2)
            elseif type(body) ~= "table" then
                case.problem = case.problem or "a test's name is followed by a table"
            end
            case.body = body
        end
    end

    function env.policy(file)
        if type(file) ~= "string" or file == "" then
            error("policy is followed by a file's name", 2)
        elseif suite.policy_file then
            error("a test file tests one policy", 2)
        end
        suite.policy_file = file
    end
    return env
end

-- Unknown words, all of them, before anything runs.
local function unknown_words(text, suite, env)
    local names, message = host.names(text, "@" .. suite.display)
    if not names then
        return { message }
    end
    local list = problems.new(suite.display)
    for _, name in ipairs(names) do
        if name.set then
            list:add_text(name.line, ("%s is set and is no local"):format(name.name))
        elseif env[name.name] == nil then
            list:add_text(name.line, ("unknown word %s%s"):format(
                problems.show(name.name), problems.hint(name.name, env)))
        end
    end
    return list:any() and list:strings() or nil
end

-- The suite of a test file | nil, list of problems.
local function load(name)
    local directory, file = path.split(name)
    local suite = { display = name, directory = directory, tests = {} }
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return nil, { ("%s: %s"):format(name, message) }
    end
    local text
    text, message = host.read(dir, file)
    if not text then
        return nil, { ("%s: %s"):format(name, message) }
    end
    local env = words(suite)
    local unknown = unknown_words(text, suite, env)
    if unknown then
        return nil, unknown
    end
    local chunk
    chunk, message = host.load(text, "@" .. name, env)
    if not chunk then
        return nil, { message }
    end
    local ok
    ok, message = host.guard(chunk)
    if not ok then
        return nil, { tostring(message) }
    end
    suite.dir = dir
    local stem = file:match("^(.+)_test%.lua$")
    suite.policy_file = suite.policy_file or stem and stem .. ".lua"
    if not suite.policy_file then
        return nil, { name .. ": which policy does it test? Name it X_test.lua, or say policy \"X.lua\"" }
    end
    return suite
end

local function load_policy(suite)
    local display = path.join(suite.directory, suite.policy_file)
    local policy, problem = engine.load { dir = suite.dir, file = suite.policy_file, display = display }
    if policy then
        policy.base = simulate.base
    end
    return policy, problem
end

-- What is wrong with a test's table, or nil.
local function test_problem(case)
    if case.problem then
        return case.problem
    elseif case.body == nil then
        return "the test's name is followed by nothing"
    end
    for key, value in pairs(case.body) do
        if not KEYS[key] then
            return ("a test has no key %s%s"):format(problems.show(key), problems.hint(key, KEYS))
        elseif type(value) ~= KEYS[key] then
            return ("`%s` is %s, and must be a %s"):format(
                key, problems.show(value), KEYS[key] == "string" and "text" or "table")
        end
    end
    if not case.body.expect and not case.body.skip then
        return "a test wants `expect`: what the policy should decide"
    elseif case.body.get and case.body.expect then
        return page.problem(case.body)
    end
    return case.body.expect and expect.problem(case.body.expect)
end

local function run_test(case, policy)
    local result = { name = case.name, file = case.file, line = case.line }
    local function fails(message)
        result.status = "error"
        result.message = ("%s:%d: %s"):format(case.file, case.line, message)
        return result
    end

    local problem = test_problem(case)
    if problem then
        return fails(problem)
    elseif case.body.skip then
        result.status, result.message = "skip", case.body.skip
        return result
    end
    if case.body.get then
        page.run(policy, case.body, result)
        return result
    end
    local given = case.body.given or {}
    local who
    who, problem = machine.new(given, given.stage or "ipxe")
    if not who then
        return fails("`given`: " .. problem)
    end

    local trace = {}
    local facts = outcome.facts(engine.decide(policy, who, trace))
    local subject = { policy = policy, machine = who, facts = facts }
    result.differences = expect.compare(case.body.expect, subject)
    result.status = #result.differences == 0 and "pass" or "fail"
    result.trace, result.decision_error = trace, facts.error
    return result
end

-- Runs a test file, tells `report` of each result and adds to `count`. What keeps the
-- whole file from running is one error.
function testing.run(name, filter, report, count)
    local suite, problem = load(name)
    local policy
    if suite then
        policy, problem = load_policy(suite)
    end
    local told = false
    local function tell(result)
        if not told then
            report:file(name)
            told = true
        end
        count[result.status] = count[result.status] + 1
        report:result(result)
    end
    if not policy then
        return tell { status = "error", name = "loading", message = table.concat(problem, "\n") }
    end
    for _, case in ipairs(suite.tests) do
        if not filter or case.name:find(filter) then
            tell(run_test(case, policy))
        end
    end
end

return testing
