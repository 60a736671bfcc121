-- What becomes of a rule's plan (choice.lua) for one machine. The texts of a decision are
-- filled in when somebody asks for them.
--
-- A decision has `verdict`: "boot", "disk", "ignore", "shell", "deny", "chain", "menu", or
-- "undetermined", when `needs`, a field, is not known yet at this stage. Besides:
--   boot   profile (its name is nil for one that the rule has of its own), kernel (nil when the
--          profile has only dhcp.file), initrd and args (lists)
--   deny   why
--   chain  url
--   menu   menu = { title =, timeout = seconds (nil: it waits), default = number of an entry,
--          entries = list of { label =, decision = what that entry boots, never a menu } }
--   all    rule (nil: none matched), vars, dhcp, files and config (the rule's and profile's as one),
--          entry (its number, behind an entry of a menu), and error
--          when the policy failed and this is what it has for that; lacks, the field that was not
--          known yet, if that is why

local choice = require "choice"
local machine = require "machine"
local problems = require "problems"
local sandbox = require "sandbox"
local waits = require "waits"

local host = host

local decision = {}

local none = nil -- makes room (machine.lua)

-- A message with its place, "file:line: message"; `line` and `display`, or else the rule's,
-- are for messages without one.
function decision.locate(policy, rule, message, line, display)
    if type(message) ~= "string" then
        message = "an error that is no text was thrown (" .. problems.show(message) .. ")"
    end
    local at, text, name = problems.split(message, policy.files)
    -- A deadline may strike in the engine, on the policy's behalf.
    text = text:gsub("^lua/[%w_/]+%.lua:%d+: ", "")
    return string.format("%s:%d: %s", name or display or rule.display, at or line or rule.line, text)
end

-- Runs in a guard, so that whatever the policy's values do is under the deadline.
local function ask(policy, rule, m)
    sandbox.reset()
    local value, problem = rule.call(machine.view(m))
    if m.trace and m.trace.clock then
        m.trace.answer = { value = value, problem = problem }
    end
    if value ~= nil then
        return choice.answer(policy, rule, value)
    elseif problem ~= nil then
        error(type(problem) == "string" and problem or problems.show(problem), 0)
    end
    return nil
end

-- Asks the rule's function -> decision; nil when it has no opinion. Others may be decided
-- meanwhile.
function decision.consult(policy, rule, m)
    local ok, plan = waits.guard(ask, policy, rule, m)
    policy.base, policy.client = m.base, m.client
    if m.needs then
        return decision.undetermined(rule, m.needs)
    elseif not ok then
        return decision.failed(policy, rule, m, decision.locate(policy, rule, plan))
    end
    return plan and decision.new(policy, rule, m, plan)
end

-- These are filled in when first asked for.
local lazy = { args = true, kernel = true, initrd = true, url = true, why = true, menu = true }

local methods = {}

local function fill_list(scope, texts)
    local list = { nil, nil, nil, nil, nil, nil, nil, nil } -- room for as many as there often are
    for i = 1, #texts do
        local text = texts[i]
        list[i] = text.constant or scope:render(text)
    end
    return list
end

local function fill(scope, plan)
    local menu
    if plan.menu then
        menu = { title = scope:render(plan.menu.title), timeout = plan.menu.timeout,
                 default = plan.menu.default, entries = {} }
        for i, entry in ipairs(plan.menu.entries) do
            menu.entries[i] = { label = scope:render(entry.label) }
        end
    end
    return {
        args = fill_list(scope, plan.args), initrd = fill_list(scope, plan.initrd), menu = menu,
        kernel = plan.kernel and scope:render(plan.kernel), url = plan.url and scope:render(plan.url),
        why = plan.why and scope:render(plan.why),
    }
end

-- A guard may be refused once the decision's time is over; texts without {{…}} need none.
local function run(plan, f, ...)
    if plan.constant then
        return true, f(...)
    end
    return host.guard(f, ...)
end

local function take(d, plan)
    d.plan, d.verdict, d.profile = plan, plan.verdict, plan.profile
    d.dhcp, d.files, d.config = plan.dhcp, plan.files, plan.config
end

-- Fills in kernel, initrd, args, url and why, and returns the decision. When a text fails,
-- it becomes what the rule has for on_error, and `error` says why.
function methods.render(d)
    if d.rendered or not d.plan then
        return d
    end
    d.rendered = true
    local policy, rule, m = d.policy, d.rule, d.machine
    local last = d.error and rule.ignore or rule.on_error
    while true do
        policy.scope:enter(m, d.plan.vars, d.plan.config, d.entry)
        sandbox.reset()
        local ok, texts = run(d.plan, fill, policy.scope, d.plan)
        if ok then
            d.args, d.initrd, d.kernel = texts.args, texts.initrd, texts.kernel
            if not texts.kernel then
                d.url, d.why, d.menu = texts.url, texts.why, texts.menu
            end
            for i, entry in ipairs(texts.menu and d.plan.menu.entries or {}) do
                local chosen = decision.new(policy, rule, m, entry.plan)
                               or decision.new(policy, rule, m, rule.ignore)
                chosen.entry = i
                texts.menu.entries[i].decision = chosen
            end
            return d
        end
        if not d.error then
            d.error, d.lacks = decision.locate(policy, rule, policy.scope:problem(texts)), m.needs
        end
        take(d, last)
        last = rule.ignore -- has no texts that could fail
    end
end

-- The arguments alone, or nil and why there are none (and the decision is another one).
function methods.render_args(d)
    local before = d.error
    d:render()
    if d.error ~= before then
        return nil, d.error
    end
    return d.args
end

-- Of a menu, the decision behind that entry; with no number, behind the first that has a
-- document of that name. Of anything else, the decision itself.
local function chosen_of(d, name, entry)
    if not d:render().menu then
        return d
    end
    for i, each in ipairs(d.menu.entries) do
        local config = each.decision:render().config
        if i == entry or not entry and config and config[name] then
            return each.decision
        end
    end
    return d
end

-- Coverage puts a function here that is told of each document that is asked for.
decision.observe = nil

-- A document of that name -> text, media type, whether it is given once | nil, why not (nil: there
-- is none of that name). Not what on_error says: what was asked for is this machine's document or none.
function methods.document(d, name, entry)
    d = chosen_of(d, name, entry)
    local found = d.config and d.config[name]
    if not found or d.verdict == "undetermined" then
        return nil
    elseif decision.observe then
        decision.observe(found)
    end
    if found.text.constant then
        return found.text.constant, found.type, found.once
    end
    local scope = d.policy.scope
    scope:enter(d.machine, d.vars, d.config, d.entry)
    sandbox.reset()
    local ok, text = host.guard(scope.render, scope, found.text)
    if ok then
        return text, found.type, found.once
    end
    return nil, decision.locate(d.policy, d.rule, scope:problem(text))
end

local Decision = {}

function Decision.__index(d, name)
    if lazy[name] then
        return rawget(d:render(), name)
    elseif name == "vars" then
        return d.plan and d.plan.vars
    end
    return methods[name]
end

-- The decision that `plan` is for this machine; nil when it is none; nil and a problem.
local function settled(policy, rule, m, plan)
    local needs, problem
    plan, needs, problem = choice.settle(plan, m)
    policy.base, policy.client = m.base, m.client -- it may have waited
    if not plan then
        return needs and decision.undetermined(rule, needs), problem
    end
    return setmetatable({
        verdict = plan.verdict, profile = plan.profile, rule = rule,
        dhcp = plan.dhcp, files = plan.files, config = plan.config,
        plan = plan, policy = policy, machine = m,
        args = none, initrd = none, kernel = none, rendered = none, error = none,
    }, Decision)
end

-- The decision that `plan` is for this machine; nil when it is none.
function decision.new(policy, rule, m, plan)
    local d, problem = settled(policy, rule, m, plan)
    if problem then
        return decision.failed(policy, rule, m, decision.locate(policy, rule, problem))
    end
    return d
end

-- What the rule has for its on_error, because of a message that names its place.
function decision.failed(policy, rule, m, message)
    local d = settled(policy, rule, m, rule.on_error) or settled(policy, rule, m, rule.ignore)
    d.error = message
    return d
end

function decision.undetermined(rule, field)
    return setmetatable({ verdict = "undetermined", rule = rule, needs = field }, Decision)
end

function decision.unmatched()
    return setmetatable({ verdict = "ignore" }, Decision)
end

return decision
