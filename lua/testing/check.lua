-- One check: a page is asked for, or a machine decided, in the test's world, and what was found is
-- judged. An outcome is the part of a result (run.lua) that says how it went.

local engine = require "engine"
local expect = require "testing.expect"
local golden = require "testing.golden"
local machine = require "machine"
local outcome = require "outcome"
local page = require "testing.page"
local shape = require "testing.shape"
local show = require "testing.show"
local steps = require "testing.steps"
local subject = require "testing.subject"

local host = host

local check = {}

-- The outcome of what could not be run.
function check.failed(message)
    return { status = "error", message = message }
end

local failed = check.failed

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

-- An outcome of these differences; `more`: what else it has.
function check.judged(differences, more)
    more.status = #differences == 0 and "pass" or "fail"
    more.differences = differences
    return more
end

local judged = check.judged

-- `context`: { suite, options, policy, world }. `values`: what `for_all` made, if it did.
function check.page(context, body, values)
    local target = body.get
    if type(target) == "function" then
        local ok
        ok, target = host.guard(target, values)
        if not ok or type(target) ~= "string" or target:sub(1, 1) ~= "/" then
            return failed(("`get` gave %s, and must give a path"):format(show.value(target)))
        end
    end
    local answer = page.ask(context.policy, context.world, target or body.post, body.post and (body.body or ""))
    local wanted, other, problem = body.expect, nil, answer.error
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

-- Decides for a machine, and judges.
local function check_decision(context, who, wanted)
    local trace = {}
    local decision = context.world:run(who.stage == "dhcp", engine.decide, context.policy, who, trace)
    local found = subject.new(context.policy, who, outcome.facts(decision), context.world)
    context.took = found.took
    local other, problem
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

-- For the machine of these fields: what is expected, or step by step.
function check.machine(context, body, given)
    local who, problem = machine.new(given, given.stage or "ipxe")
    if not who then
        return failed("`given`: " .. problem)
    end
    local function judge(wanted)
        local result = check_decision(context, who, wanted)
        context.world.passed = context.world.passed + context.took
        return result
    end
    if not body.steps then
        return judge(body.expect)
    end
    return steps.run(body.steps, judge, function(event)
        return context.world:fire(who, event)
    end, function(seconds)
        context.world.passed = context.world.passed + seconds
    end)
end

return check
