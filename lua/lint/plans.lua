-- What is odd about single plans: arguments given twice or for nothing, menus and rollouts that
-- leave no choice.

local problems = require "problems"

local plans = {}

-- A text of the policy as it was written.
local function raw(text)
    return text and (text.constant or text.raw)
end

-- Installers take what follows as arguments of the system that they install.
local SEPARATORS = { ["--"] = true, ["---"] = true }

-- Where the argument of that number in a rule's plan stands, and who gives it.
local function place(l, rule, plan, number, own)
    local profile = plan.profile
    local of_profile = #(profile.args or {})
    local reading = l.readings[rule]
    if number <= of_profile and l.readings[profile] then
        return profile.display, l.readings[profile]:at { "args", number },
               ("profile %s"):format(problems.show(profile.name))
    elseif number <= of_profile then
        return rule.display, reading:at { "boot", "args", number }, "boot"
    elseif own and number <= of_profile + #rule.args then
        return rule.display, reading:at { "args", number - of_profile }, "the rule"
    end
    return rule.display, reading:at { "boot", "args" }, "boot"
end

local function check_args(l, rule, plan, own, warn)
    local seen = {}
    for i, text in ipairs(plan.args) do
        local arg = raw(text)
        if SEPARATORS[arg] then
            seen = {}
        elseif arg and arg ~= "" and seen[arg] then
            local file, line = place(l, rule, plan, i, own)
            local first_file, first_line, giver = place(l, rule, plan, seen[arg], own)
            local where = first_file == file and "line " .. first_line or first_file .. ":" .. first_line
            warn("repeated-arg", file, line, "args: %s is given twice: %s has it already (%s)",
                 problems.show(arg), giver, where)
        elseif arg then
            seen[arg] = i
        end
    end
end

local function equal(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then
        return a == b
    end
    for key, value in pairs(a) do
        if not equal(value, b[key]) then
            return false
        end
    end
    for key in pairs(b) do
        if a[key] == nil then
            return false
        end
    end
    return true
end

-- Certainly the same for every machine?
local function same(a, b)
    if a.menu or b.menu or a.sides or b.sides or a.inventory or b.inventory
        or a.verdict ~= b.verdict or a.profile ~= b.profile or raw(a.url) ~= raw(b.url)
        or raw(a.why) ~= raw(b.why) or #a.args ~= #b.args or not equal(a.vars, b.vars) then
        return false
    end
    for i, text in ipairs(a.args) do
        if raw(text) ~= raw(b.args[i]) then
            return false
        end
    end
    return true
end

local function check_menu(l, rule, menu, warn)
    local seen = {}
    for _, entry in ipairs(menu.entries) do
        local label = raw(entry.label)
        if label and seen[label] then
            warn("same-label", rule.display, l.readings[rule]:at { "boot" }, "menu: two entries are called %s",
                 problems.show(label))
        end
        seen[label or ""] = true
    end
end

local function check_plan(l, rule, plan, own, warn)
    if plan.profile and not plan.inventory then
        check_args(l, rule, plan, own, warn)
    end
    if plan.menu then
        check_menu(l, rule, plan.menu, warn)
        for _, entry in ipairs(plan.menu.entries) do
            check_plan(l, rule, entry.plan, own, warn)
        end
    elseif plan.sides then
        if plan.rollout and same(plan.rollout.use, plan.rollout.otherwise) then
            warn("same-rollout", rule.display, l.readings[rule]:at { "boot" },
                 "rollout: use and otherwise boot the same")
        end
        check_plan(l, rule, plan.sides.use, own, warn)
        check_plan(l, rule, plan.sides.otherwise, own, warn)
    end
end

-- Keys of a plan behind which there is no other.
local LEAVES = {
    profile = true, vars = true, dhcp = true, files = true, config = true, args = true, initrd = true,
    kernel = true, url = true, why = true, inventory = true, state = true, by = true,
}

local DEEPEST = 12 -- tables in tables

local function visit_all(value, visit, seen, depth)
    if type(value) ~= "table" or seen[value] or depth > DEEPEST then
        return
    end
    seen[value] = true
    if value.verdict and value.args then
        visit(value)
    end
    for key, inner in pairs(value) do
        if not LEAVES[key] then
            visit_all(inner, visit, seen, depth + 1)
        end
    end
end

-- Calls visit(plan) for the plan (nil: none) and for those that it leads to, whatever by: a menu's,
-- a rollout's.
function plans.each(plan, visit)
    visit_all(plan, visit, {}, 1)
end

local NO_ARGS = { disk = true, ignore = true, shell = true, deny = true, chain = true }

-- Calls warn(kind, file, line, text).
function plans.find(l, warn)
    for _, rule in ipairs(l.rules) do
        local plan = rule.plan
        if plan then
            check_plan(l, rule, plan, true, warn)
            if NO_ARGS[plan.verdict] and #rule.args > 0 then
                warn("unused-args", rule.display, l.readings[rule]:at { "args" },
                     "args: rule %s boots no kernel that could take them, but %s", problems.show(rule.name),
                     plan.verdict)
            end
        end
        if rule.on_error ~= rule.ignore then
            check_plan(l, rule, rule.on_error, false, warn)
        end
    end
end

return plans
