-- What a rule answers, and what becomes of it for one machine.
--
-- A *choice* is what a policy wrote behind `boot`. A *plan* is a choice of one rule with all
-- that profile and rule add to it, made when the policy is loaded. A *decision* is a plan
-- for one machine; its texts are filled in when somebody asks for them.

local machine = require "machine"
local problems = require "problems"
local profile = require "profile"
local reader = require "reader"
local sandbox = require "sandbox"
local sealed = require "sealed"

local host = host

local decision = {}

local choice_keys = { use = true, args = true, vars = true }
local expected = "a profile's name, disk, ignore, deny \"…\", chain \"…\", or a table with use"

-- Reads what is behind `boot` or `on_error` -> choice: { verdict =, use = profile's name,
-- url =, why =, args =, vars =, path = } or { call = function }; nil when it is wrong.
function decision.read(reading, path, value, functions)
    local content = sealed.open(value)
    if content and content.verdict then
        return { verdict = content.verdict, url = content.url, why = content.why }
    elseif type(value) == "string" then
        return { verdict = "boot", use = value, path = path }
    elseif type(value) == "function" and functions then
        return { call = value }
    elseif type(value) ~= "table" or content then
        reading:is(path, value, "choice", expected .. (functions and ", or a function" or ""))
        return nil
    end
    reading:keys(path, value, choice_keys)
    if value.use == nil then
        reading:problem(path, "%s: found a table without use, expected %s", reading.where(path),
                        expected)
        return nil
    end
    local use = sealed.open(value.use) or type(value.use) == "string"
    local inside = reader.within(path, "use")
    local choice = use and decision.read(reading, inside, value.use, false)
    if not choice then
        reading:is(inside, value.use, "choice", "a profile's name")
        return nil
    end
    choice.args = profile.read_args(reading, value.args, reader.within(path, "args"))
    choice.vars = profile.read_vars(reading, value.vars, reader.within(path, "vars"))
    reading.loader.scope:declare(choice.vars)
    return choice
end

local function append(into, texts)
    for _, text in ipairs(texts or {}) do
        into[#into + 1] = text
    end
end

-- The plan of a verdict and profile, with what `rule` adds; `extra`: args and vars after
-- the rule's. Without `own`, the rule's args and vars are left out.
function decision.plan(rule, verdict, chosen, extra, own)
    local plan = {
        verdict = verdict, profile = chosen, url = extra.url, why = extra.why,
        args = {}, initrd = chosen and chosen.initrd or {}, kernel = chosen and chosen.kernel,
        vars = chosen and chosen.vars, dhcp = rule.dhcp, files = rule.files,
    }
    if chosen then
        plan.dhcp = profile.merge_dhcp(chosen.dhcp, rule.dhcp)
        plan.files = profile.merge(chosen.files, rule.files)
        append(plan.args, chosen.args)
        append(plan.args, own and rule.args)
        append(plan.args, extra.args)
    end
    plan.vars = profile.merge(plan.vars, own and rule.vars)
    plan.vars = profile.merge(plan.vars, extra.vars)
    return plan
end

-- The plan of a choice that the policy wrote down; nil after reporting an unknown profile.
function decision.link(reading, rule, choice, profiles, own)
    local chosen, problem
    if choice.use then
        chosen, problem = profile.find(profiles, choice.use)
        if not chosen then
            reading:problem(choice.path, "%s: %s", reading.where(choice.path), problem)
            return nil
        end
    end
    return decision.plan(rule, choice.verdict, chosen, choice, own)
end

-- A message with its place: "file:line: message".
function decision.locate(policy, rule, message)
    if type(message) ~= "string" then
        message = "an error that is no text was thrown (" .. problems.show(message) .. ")"
    end
    local line, text = problems.split(message, policy.display)
    return string.format("%s:%d: %s", policy.display, line or rule.line, text)
end

--- What functions answer ---------------------------------------------------------------

local function malformed(text, ...)
    error(string.format("malformed answer: " .. text, ...), 0)
end

-- Templates are what the policy's author wrote in its tables. Text that a function made may
-- come from anywhere, and is taken as it is; so {{ in it was either meant otherwise or is
-- an attack.
function decision.check_made(text)
    if text:find("{{", 1, true) then
        return "{{…}} is not filled in where a function makes the text: use the machine's fields"
    end
end

local function made_args(args)
    local texts = {}
    if args ~= nil and type(args) ~= "table" then
        malformed("args is %s, expected a list of texts", reader.show(args))
    end
    for i, arg in ipairs(args or {}) do
        local kind = type(arg)
        if kind ~= "string" and kind ~= "number" then
            malformed("args[%d] is %s, expected text", i, reader.show(arg))
        end
        local problem = decision.check_made(tostring(arg))
        if problem then
            malformed("args[%d]: %s", i, problem)
        end
        texts[i] = { constant = tostring(arg) }
    end
    for key in next, args or {} do
        if texts[key] == nil then
            malformed("args has %s, expected a list of texts", problems.show(key))
        end
    end
    return texts
end

local function made_vars(vars)
    local result = {}
    if vars ~= nil and type(vars) ~= "table" then
        malformed("vars is %s, expected a table", reader.show(vars))
    end
    for name, value in next, vars or {} do
        local kind = type(value)
        if type(name) ~= "string" or kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
            malformed("vars: found %s = %s, expected a name and text, a number or a boolean",
                      problems.show(name), reader.show(value))
        end
        result[name] = value
    end
    return result
end

local function made_profile(policy, name)
    local chosen, problem = profile.find(policy.profiles, name)
    if not chosen then
        malformed("%s", problem)
    end
    return chosen
end

-- The plan for what a function returned.
local function answer(policy, rule, value)
    local content = sealed.open(value)
    if content and content.verdict then
        return decision.plan(rule, content.verdict, nil, content, true)
    elseif type(value) == "string" then
        return decision.plan(rule, "boot", made_profile(policy, value), {}, true)
    elseif type(value) ~= "table" or content then
        malformed("found %s, expected %s", reader.show(value), expected)
    end
    for key in next, value do
        if not choice_keys[key] then
            malformed("unknown key %s%s", problems.show(key), problems.hint(key, choice_keys))
        end
    end
    local use = value.use
    local verdict = sealed.open(use)
    if type(use) ~= "string" and not (verdict and verdict.verdict) then
        malformed("use is %s, expected a profile's name", reader.show(use))
    end
    local extra = { args = made_args(value.args), vars = made_vars(value.vars) }
    if verdict then
        extra.url, extra.why = verdict.url, verdict.why
        return decision.plan(rule, verdict.verdict, nil, extra, true)
    end
    return decision.plan(rule, "boot", made_profile(policy, use), extra, true)
end

-- Runs in a guard, so that whatever the policy's values do is under the deadline.
local function ask(policy, rule, m)
    sandbox.reset()
    local value, problem = rule.call(machine.view(m))
    if value ~= nil then
        return answer(policy, rule, value)
    elseif problem ~= nil then
        error(type(problem) == "string" and problem or problems.show(problem), 0)
    end
    return nil
end

-- Asks the rule's function -> decision; nil when it has no opinion.
function decision.consult(policy, rule, m)
    local ok, plan = host.guard(ask, policy, rule, m)
    if m.needs then
        return decision.undetermined(rule, m.needs)
    elseif not ok then
        return decision.failed(policy, rule, m, decision.locate(policy, rule, plan))
    end
    return plan and decision.new(policy, rule, m, plan)
end

--- Decisions -----------------------------------------------------------------------------

-- These are filled in when first asked for.
local lazy = { args = true, kernel = true, initrd = true, url = true, why = true }

local methods = {}

local function fill(scope, m, plan, into)
    scope:enter(m, plan.vars)
    sandbox.reset()
    for _, name in ipairs { "args", "initrd" } do
        local texts = {}
        for i, text in ipairs(plan[name]) do
            texts[i] = scope:render(text)
        end
        into[name] = texts
    end
    for _, name in ipairs { "kernel", "url", "why" } do
        into[name] = plan[name] and scope:render(plan[name])
    end
    return into
end

local function take(d, plan)
    d.plan, d.verdict, d.profile = plan, plan.verdict, plan.profile
    d.dhcp, d.files, d.vars = plan.dhcp, plan.files, plan.vars
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
    while d.plan do
        local ok, texts = host.guard(fill, policy.scope, m, d.plan, {})
        if ok then
            for name, value in pairs(texts) do
                d[name] = value
            end
            break
        end
        d.error = d.error or decision.locate(policy, rule, texts)
        take(d, last)
        last = rule.ignore -- has no texts that could fail
    end
    return d
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

local Decision = {}

function Decision.__index(d, name)
    if lazy[name] then
        return rawget(d:render(), name)
    end
    return methods[name]
end

-- The decision that `plan` is for this machine.
function decision.new(policy, rule, m, plan)
    return setmetatable({
        verdict = plan.verdict, profile = plan.profile, rule = rule,
        vars = plan.vars, dhcp = plan.dhcp, files = plan.files,
        plan = plan, policy = policy, machine = m,
    }, Decision)
end

-- What the rule has for its on_error, because of a message that names its place.
function decision.failed(policy, rule, m, message)
    local d = decision.new(policy, rule, m, rule.on_error)
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
