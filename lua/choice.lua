-- What a rule answers. A *choice* is what a policy wrote behind `boot`; a *plan* is a choice
-- of one rule with all that profile and rule add to it, made once, when the policy is loaded.
-- Functions choose later: their answers are read as strictly, and throw.

local inventory = require "inventory"
local once = require "once"
local profile = require "profile"
local reader = require "reader"
local rollout = require "rollout"
local sealed = require "sealed"
local void = require "void"
local words = require "words"

local choice = {}

local keys = words.keys "Use"
local expected = "a profile's name, disk, ignore, shell, deny \"…\", chain \"…\", menu {…}, "
                 .. "rollout {…}, once {…}, an inventory, or a table with use or kernel"

-- A table without `use`: a profile of this rule's own.
local function read_inline(reading, path, value)
    for key in pairs(value) do
        if profile.keys[key] and not keys[key] then
            return { verdict = "boot", profile = profile.read(reading, value, path) }
        end
    end
    reading:is(path, value, "choice", expected, "a table without use or kernel")
    return nil
end

-- Reads what is behind `boot` or `on_error` -> choice: { verdict =, use = profile's name,
-- profile =, url =, why =, menu =, rollout =, once =, inventory =, args =, vars = } or { call =
-- function }; nil when it is wrong.
function choice.read(reading, path, value, functions)
    local content = sealed.open(value)
    if value == void.value then
        return nil
    elseif content and content.verdict then
        return { verdict = content.verdict, url = content.url, why = content.why,
                 menu = content.menu, rollout = content.rollout, once = content.once,
                 inventory = content.inventory }
    elseif type(value) == "string" then
        reading:uses(path, value)
        return { verdict = "boot", use = value }
    elseif type(value) == "function" and reading:is_word(value) then
        reading:problem(path, "%sfound a word without its argument", reading.lead(path))
        return nil
    elseif type(value) == "function" and functions then
        return { call = value }
    elseif type(value) ~= "table" or content then
        reading:is(path, value, "choice", expected .. (functions and ", or a function" or ""))
        return nil
    elseif value.use == nil then
        return read_inline(reading, path, value)
    end
    reading:keys(path, value, keys)
    local inside = reader.within(path, "use")
    if type(value.use) ~= "string" and not sealed.open(value.use) then
        reading:is(inside, value.use, "choice", "a profile's name")
        return nil
    end
    local read = choice.read(reading, inside, value.use, false)
    if read then
        read.args = profile.read_args(reading, value.args, reader.within(path, "args"))
        read.vars = profile.read_vars(reading, value.vars, reader.within(path, "vars"))
        reading:declare(read.vars)
    end
    return read
end

local function constant(plan)
    local single = { plan.kernel or plan.url or plan.why } -- no verdict has two of these
    local lists = { plan.args, plan.initrd, single }
    if plan.menu then
        lists = { plan.menu.texts }
    end
    for _, texts in ipairs(lists) do
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

-- A plan but for its args and vars. Where the rule adds nothing else it is what all such plans of
-- the profile have in common: with thousands of rules that is most of what there is to keep.
local function begin(rule, chosen, of, own)
    if not of then
        return { verdict = chosen.verdict, url = chosen.url, why = chosen.why, args = {}, initrd = {},
                 dhcp = rule.dhcp, files = rule.files, config = own and rule.config or nil }
    elseif rule.dhcp or rule.files or own and rule.config then
        return { verdict = chosen.verdict, profile = of, args = {}, initrd = of.initrd, kernel = of.kernel,
                 dhcp = profile.merge_dhcp(of.dhcp, rule.dhcp), files = profile.merge(of.files, rule.files),
                 config = profile.merge(of.config, own and rule.config) }
    end
    of.plans = of.plans or { __index = { verdict = "boot", profile = of, initrd = of.initrd, kernel = of.kernel,
                                         dhcp = of.dhcp, files = of.files, config = of.config } }
    return setmetatable({ args = {} }, of.plans)
end

-- The plan of a choice and its profile, with what `rule` adds, and after that each of
-- `extras` (args and vars). Without `own`, the rule's args, vars and config are left out.
local function make(rule, chosen, of, extras, own)
    local plan = begin(rule, chosen, of, own)
    plan.vars = of and of.vars
    if of then
        append(plan.args, of.args)
        append(plan.args, own and rule.args)
    end
    plan.vars = profile.merge(plan.vars, own and rule.vars)
    for _, extra in ipairs(extras) do
        append(plan.args, of and extra.args)
        plan.vars = profile.merge(plan.vars, extra.vars)
    end
    return plan
end

-- Most rules have this one in common: it is the same for all that answer nothing else.
local nothing = make({}, { verdict = "ignore" }, nil, {}, false)
nothing.constant = true

-- The plan of ignoring, whatever the rule says.
function choice.ignore(rule)
    if not rule.dhcp and not rule.files then
        return nothing
    end
    local plan = make(rule, { verdict = "ignore" }, nil, {}, false)
    plan.constant = true
    return plan
end

local function link_menu(menu, link)
    local linked = { title = menu.title, timeout = menu.timeout, default = menu.default,
                     entries = {}, texts = { menu.title } }
    for i, entry in ipairs(menu.entries) do
        local plan, problem = link(entry.chosen)
        if not plan then
            return nil, problem
        end
        linked.entries[i] = { label = entry.label, plan = plan }
        linked.texts[#linked.texts + 1] = entry.label
    end
    return linked
end

-- The plan of a choice | nil, what is wrong: no such profile. `outer`: what tables around it
-- add.
function choice.link(rule, chosen, profiles, own, outer)
    local of, problem = chosen.profile, nil
    if chosen.use then
        of, problem = profile.find(profiles, chosen.use)
    end
    local extras = { chosen, unpack(outer or {}) }
    local function link(inner)
        return choice.link(rule, inner, profiles, own, extras)
    end
    local plan = make(rule, chosen, of, extras, own)
    if chosen.menu then
        plan.menu, problem = link_menu(chosen.menu, link)
    elseif chosen.rollout then
        plan.rollout, problem = rollout.link(chosen.rollout, rule.name, link)
    elseif chosen.once then
        plan.once, problem = once.link(chosen.once, link)
    elseif chosen.inventory then
        plan.inventory, problem = inventory.link(chosen.inventory, link)
    end
    if problem then
        return nil, problem
    end
    if plan.rollout or plan.once then
        plan.sides = plan.rollout or plan.once
    end
    plan.constant = constant(plan)
    return plan
end

-- The plan that a machine gets: of what has two sides, a rollout or once, it is one of them, that
-- of an inventory its host's. nil when there is none for it; nil and the name of a field when that
-- is not known yet; nil, nil and a problem.
function choice.settle(plan, m)
    local needs, problem
    while plan and (plan.sides or plan.inventory) do
        if plan.rollout then
            plan, needs = rollout.pick(plan.rollout, m)
        elseif plan.once then
            plan, needs, problem = once.pick(plan.once, m)
        else
            plan, needs = inventory.pick(plan.inventory, m)
        end
    end
    return plan, needs, problem
end

local answers = reader.answer("malformed answer: ", "the answer")

-- The plan for what a function returned.
function choice.answer(policy, rule, value)
    local plan, problem = choice.link(rule, choice.read(answers, {}, value, false), policy.profiles,
                                      true)
    return plan or answers:problem({}, "%s", problem)
end

return choice
