-- What the hosts of an inventory boot: a plan of each kind of host, and what single hosts add to it.

local profile = require "profile"
local secrets = require "secrets"

local hosts = {}

-- Where an inventory is booted: of each kind of host a plan, which `link` makes of a choice
-- when the first is met. nil and what is wrong with booting it.
function hosts.link(of, link)
    local line = of.data:bootless()
    of.booted = true
    if line then
        return nil, string.format("%s:%d: a host without boot", of.file.display, line)
    end
    return { of = of, link = link, plans = {} }
end

-- What a host boots, as choice.read gives it.
function hosts.choice(verdict, text)
    if verdict == "boot" then
        return { verdict = "boot", use = text }
    end
    return { verdict = verdict, why = verdict == "deny" and { constant = text } or nil,
             url = verdict == "chain" and { constant = text } or nil }
end

-- The plan of all hosts that boot so; texts of their own have one each.
local function plan_of(linked, verdict, text)
    if verdict == "deny" or verdict == "chain" then
        return linked.link(hosts.choice(verdict, text))
    end
    local name = verdict == "boot" and text or 0
    local plans = linked.plans[verdict] or {}
    linked.plans[verdict] = plans
    plans[name] = plans[name] or linked.link(hosts.choice(verdict, text))
    return plans[name]
end

-- Reads what a host adds to its plan.
local function read_own(own, plan)
    local args, vars = own.data:extras(own.key, secrets.value)
    own.vars, own.args, own.read = profile.merge(plan.vars, vars), plan.args, true
    if args and plan.verdict == "boot" then
        local texts, n = { nil, nil, nil, nil, nil, nil, nil, nil }, #plan.args
        for i = 1, n do
            texts[i] = plan.args[i]
        end
        for i = 1, #args do
            texts[n + i] = { constant = args[i] }
        end
        own.args = texts
    end
end

-- The plan with what one host adds, which is read when somebody asks for it: DHCP and TFTP do not.
-- Whatever else is asked of it is the plan's.
local function with(plan, data, key)
    plan.hosts = plan.hosts or { __index = function(own, name)
        if name ~= "args" and name ~= "vars" then
            return plan[name]
        elseif not rawget(own, "read") then
            read_own(own, plan)
        end
        return rawget(own, name)
    end }
    return setmetatable({
        data = data, key = key, -- and args and vars, when they have been read
        verdict = plan.verdict, profile = plan.profile, sides = false, inventory = false, -- always asked for
    }, plan.hosts)
end

-- The plan for this machine: nil when the inventory does not have it, nil and the key's name
-- when that is not known yet.
function hosts.pick(linked, m)
    local of = linked.of
    local value = m[of.key.name]
    if value == nil and of.key.late[m.stage] then
        return nil, of.key.name
    elseif not value then
        return nil
    end
    local verdict, text, more = of.data:find(value)
    if not verdict then
        return nil
    end
    local plan = plan_of(linked, verdict, text)
    return more and with(plan, of.data, value) or plan
end

return hosts
