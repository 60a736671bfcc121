-- The engine on one screen: a policy is loaded, a machine is decided.

local decision = require "decision"
local loader = require "loader"
local rules = require "rules"

local host = host

local engine = {}

-- engine.load { dir = handle, file = "policy.lua", display = "sites/a/policy.lua" } -> policy
-- | nil, list of problems. With `text`, that is the policy, and nothing is read; `inspect` is
-- loader.lua's. With `static_tftp`, TFTP serves plain files (static_tftp.lua); with `unsigned`,
-- there are no CMS signatures, which `verify` wants; with `stateless`, there is no store for what is to
-- be remembered.
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
    local policy, problems = loader.load(display, text, options.dir, options.inspect, options.static_tftp,
                                         options.unsigned)
    if policy and policy.stateful and options.stateless then
        return nil, { display .. ':1: it is to remember something (once, state, machines or on "boot:…"): '
                      .. "write `state: { path: … }` into site.yaml" }
    end
    return policy, problems
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

-- What rule number `i` makes of the machine: its decision; nil when it has no opinion.
local function try(policy, m, trace, i)
    local rule = policy.rules[i]
    local matched, detail, needs = rules.match(rule, m)
    policy.base, policy.client = m.base, m.client -- it may have waited
    if matched then
        local ask = rule.call and decision.consult or decision.new
        local found = ask(policy, rule, m, rule.plan)
        if trace and found then
            note(trace, rule, true, found.needs and "undetermined" or found.error and "failed" or "decided",
                 found.needs and found.needs .. " is not known yet" or found.error)
        elseif trace then
            note(trace, rule, true, "no opinion", rule.call and "its function has no opinion"
                                                  or "its inventory has no such machine")
        end
        return found
    elseif needs then
        note(trace, rule, false, "undetermined", needs .. " is not known yet")
        return decision.undetermined(rule, needs)
    elseif matched == nil then
        local failed = decision.failed(policy, rule, m, decision.locate(policy, rule, detail))
        note(trace, rule, false, "failed", failed.error)
        return failed
    end
    note(trace, rule, false, "no match", trace and rules.why(detail, m), detail)
    return nil
end

-- All rules in order, for a trace.
local function decide_all(policy, m, trace)
    for i = 1, #policy.rules do
        local found = try(policy, m, trace, i)
        if found then
            return found
        end
    end
    return decision.unmatched()
end

-- What this machine boots: the first rule with an opinion decides. Tried are those that the index
-- finds, of which most often the first one decides; with `trace`, a list, all rules down to that one,
-- which are added to it; trace.clock, if there is one, times each, in seconds.
function engine.decide(policy, m, trace)
    m.needs, m.base, m.client = nil, policy.base, policy.client
    m.trace = trace
    if trace then
        trace.at = trace.clock and trace.clock()
        return decide_all(policy, m, trace)
    end
    local first, more = policy.index:first(m)
    local found = first and try(policy, m, nil, first)
    if found or not more then
        return found or decision.unmatched()
    end
    for i in policy.index:candidates(m) do
        found = i > first and try(policy, m, nil, i)
        if found then
            return found
        end
    end
    return decision.unmatched()
end

-- request -> reply, info (core/README.md).
function engine.handle(policy, request)
    return require("routes").handle(policy, request)
end

return engine
