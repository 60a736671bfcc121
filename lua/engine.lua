-- The engine on one screen: a policy is loaded, a machine is decided.

local decision = require "decision"
local loader = require "loader"
local rules = require "rules"

local host = host

local engine = {}

-- engine.load { dir = handle, file = "policy.lua", display = "sites/a/policy.lua" } -> policy
-- | nil, list of problems. With `text`, that is the policy, and nothing is read; `inspect` is
-- loader.lua's. With `static_tftp`, TFTP serves plain files (static_tftp.lua).
function engine.load(options)
    require "routes" -- for engine.handle, while all that is loaded can still be shared
    local display = options.display or options.file
    local text = options.text
    if not text then
        local message
        text, message = host.read(options.dir, options.file)
        if not text then
            return nil, { string.format("%s:1: cannot be read: %s", display, message) }
        end
    end
    return loader.load(display, text, options.dir, options.inspect, options.static_tftp)
end

-- What became of a rule: `outcome` is "decided", "no opinion", "no match", "undetermined" or "failed",
-- and `decided` is true of the rule whose decision it is, for its on_error too. With trace.clock more
-- of it, for explain.lua: `failing` is the predicate that said no.
local function note(trace, rule, matched, outcome, why, failing)
    if trace then
        local step = { rule = rule.name, file = rule.display, line = rule.line, matched = matched, why = why,
                       outcome = outcome, decided = (outcome == "decided" or outcome == "failed") or nil }
        trace[#trace + 1] = step
        if trace.clock then
            step.failing, step.answer = failing, trace.answer
            step.us = (trace.clock() - trace.at) * 1e6
            trace.answer, trace.at = nil, trace.clock()
        end
    end
end

local function after(n, i)
    return i < n and i + 1 or nil
end

-- An iterator over the rules to try: those that the index finds, for a trace all.
local function candidates(policy, m, trace)
    if trace then
        return after, #policy.rules, 0
    end
    return policy.index:candidates(m)
end

-- What this machine boots: the first rule with an opinion decides. With `trace`, a list, all rules
-- down to that one are tried and added to it; trace.clock, if there is one, times each, in seconds.
function engine.decide(policy, m, trace)
    m.needs, m.base, m.client = nil, policy.base, policy.client
    m.trace = trace
    if trace and trace.clock then
        trace.at = trace.clock()
    end
    for i in candidates(policy, m, trace) do
        local rule = policy.rules[i]
        local matched, detail, needs = rules.match(rule, m)
        if matched then
            local ask = rule.call and decision.consult or decision.new
            local found = ask(policy, rule, m, rule.plan)
            if found then
                note(trace, rule, true, found.needs and "undetermined" or found.error and "failed" or "decided",
                     found.needs and found.needs .. " is not known yet" or found.error)
                return found
            end
            note(trace, rule, true, "no opinion", rule.call and "its function has no opinion"
                                                  or "its inventory has no such machine")
        elseif needs then
            note(trace, rule, false, "undetermined", needs .. " is not known yet")
            return decision.undetermined(rule, needs)
        elseif matched == nil then
            local failed = decision.failed(policy, rule, m, decision.locate(policy, rule, detail))
            note(trace, rule, false, "failed", failed.error)
            return failed
        else
            note(trace, rule, false, "no match", trace and rules.why(detail, m), detail)
        end
    end
    return decision.unmatched()
end

-- request -> reply, info (core/README.md).
function engine.handle(policy, request)
    return require("routes").handle(policy, request)
end

return engine
