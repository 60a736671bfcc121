-- What a rule answers. A *choice* is what a policy wrote behind `boot`; a *plan* is a choice
-- of one rule with all that profile and rule add to it, made once, when the policy is loaded.
-- Functions choose later: their answers are checked as strictly, and throw.

local problems = require "problems"
local profile = require "profile"
local reader = require "reader"
local sealed = require "sealed"
local vars_of = require "vars"

local choice = {}

local keys = { use = true, args = true, vars = true }
local expected = "a profile's name, disk, ignore, deny \"…\", chain \"…\", or a table with use"

-- Reads what is behind `boot` or `on_error` -> choice: { verdict =, use = profile's name,
-- url =, why =, args =, vars =, path = } or { call = function }; nil when it is wrong.
function choice.read(reading, path, value, functions)
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
    reading:keys(path, value, keys)
    if value.use == nil then
        reading:problem(path, "%s: found a table without use, expected %s", reading.where(path),
                        expected)
        return nil
    end
    local use = sealed.open(value.use) or type(value.use) == "string"
    local inside = reader.within(path, "use")
    local read = use and choice.read(reading, inside, value.use, false)
    if not read then
        reading:is(inside, value.use, "choice", "a profile's name")
        return nil
    end
    read.args = profile.read_args(reading, value.args, reader.within(path, "args"))
    read.vars = profile.read_vars(reading, value.vars, reader.within(path, "vars"))
    reading.loader.scope:declare(read.vars)
    return read
end

local function constant(plan)
    local single = { plan.kernel or plan.url or plan.why } -- no verdict has two of these
    for _, texts in ipairs { plan.args, plan.initrd, single } do
        for _, text in ipairs(texts) do
            if not text.constant then
                return false
            end
        end
    end
    return true
end

local function append(into, texts)
    for _, text in ipairs(texts or {}) do
        into[#into + 1] = text
    end
end

-- The plan of a verdict and profile, with what `rule` adds; `extra`: args and vars after
-- the rule's. Without `own`, the rule's args, vars and config are left out.
function choice.plan(rule, verdict, chosen, extra, own)
    local plan = {
        verdict = verdict, profile = chosen, url = extra.url, why = extra.why,
        args = {}, initrd = chosen and chosen.initrd or {}, kernel = chosen and chosen.kernel,
        vars = chosen and chosen.vars, dhcp = rule.dhcp, files = rule.files,
        config = profile.merge(chosen and chosen.config, own and rule.config),
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
    plan.constant = constant(plan)
    return plan
end

-- The plan of a choice that the policy wrote down; nil after reporting an unknown profile.
function choice.link(reading, rule, chosen, profiles, own)
    local found, problem
    if chosen.use then
        found, problem = profile.find(profiles, chosen.use)
        if not found then
            reading:problem(chosen.path, "%s: %s", reading.where(chosen.path), problem)
            return nil
        end
    end
    return choice.plan(rule, chosen.verdict, found, chosen, own)
end

local function malformed(text, ...)
    error(string.format("malformed answer: " .. text, ...), 0)
end

-- Templates are what the policy's author wrote in its tables. Text that a function made may
-- come from anywhere, and is taken as it is; so {{ in it was either meant otherwise or is
-- an attack.
function choice.check_made(text)
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
        local problem = choice.check_made(tostring(arg))
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
        local copy, problem = vars_of.check(value)
        if type(name) ~= "string" then
            malformed("vars: found the key %s, expected a name", problems.show(name))
        elseif problem then
            malformed("vars.%s: %s", name, problem)
        end
        result[name] = copy
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
function choice.answer(policy, rule, value)
    local content = sealed.open(value)
    if content and content.verdict then
        return choice.plan(rule, content.verdict, nil, content, true)
    elseif type(value) == "string" then
        return choice.plan(rule, "boot", made_profile(policy, value), {}, true)
    elseif type(value) ~= "table" or content then
        malformed("found %s, expected %s", reader.show(value), expected)
    end
    for key in next, value do
        if not keys[key] then
            malformed("unknown key %s%s", problems.show(key), problems.hint(key, keys))
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
        return choice.plan(rule, verdict.verdict, nil, extra, true)
    end
    return choice.plan(rule, "boot", made_profile(policy, use), extra, true)
end

return choice
