-- Helpers of the tests: policies and machines from text.

local engine = require "engine"
local machine = require "machine"

local policies = {}

function policies.load(text)
    local policy, problems = engine.load { text = text, display = "policy.lua" }
    assert(policy, problems and table.concat(problems, "\n"))
    return policy
end

-- What is wrong with a policy; each of `expected` must be one of its problems, and it
-- must have no others.
function policies.refuses(text, expected)
    local policy, problems = engine.load { text = text, display = "policy.lua" }
    assert(not policy, "the policy loaded")
    local found, wanted = table.concat(problems, "\n"), table.concat(expected, "\n")
    if found ~= wanted then
        error("expected:\n" .. wanted .. "\nfound:\n" .. found, 2)
    end
end

function policies.machine(fields, stage)
    local m, problem = machine.new(fields, stage)
    assert(m, problem)
    return m
end

function policies.decide(policy, fields, stage, trace)
    return engine.decide(policy, policies.machine(fields, stage), trace)
end

-- Decides with one rule that has this `match`, and says whether it matched.
function policies.matches(match, fields, stage)
    local policy = policies.load(string.format('rule "r" { match = %s, boot = disk }', match))
    local decision = policies.decide(policy, fields, stage)
    return decision.verdict == "disk", decision
end

return policies
