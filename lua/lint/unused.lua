-- Profiles and templates that nothing uses. Where a rule has a function, it may answer any
-- profile, and nothing is said.

local problems = require "problems"

local unused = {}

local function has_function(l)
    for _, rule in ipairs(l.rules) do
        if rule.call then
            return true
        end
    end
    return false
end

local function check_profiles(l, warn)
    local used = {}
    for _, use in ipairs(l.uses) do
        used[use.name] = true
    end
    for _, of in ipairs(l.inventories) do
        local i = 1
        local name = of.data:profile(1)
        while name do
            used[name] = true
            i = i + 1
            name = of.data:profile(i)
        end
    end
    for name, profile in pairs(l.profiles) do
        if not used[name] then
            warn("unused-profile", profile.display, profile.line, "nothing boots profile %s", problems.show(name))
        end
    end
end

-- Adds the template, and what it includes, to the set.
local function use(set, text)
    if not set[text] then
        set[text] = true
        for _, included in pairs(text.includes or {}) do
            use(set, included)
        end
    end
end

local function use_all(set, config)
    for _, document in pairs(config or {}) do
        if document.text then
            use(set, document.text)
        end
    end
end

local function use_plan(set, plan)
    use_all(set, plan.config)
    for _, entry in ipairs(plan.menu and plan.menu.entries or {}) do
        use_plan(set, entry.plan)
    end
    if plan.sides then
        use_plan(set, plan.sides.use)
        use_plan(set, plan.sides.otherwise)
    end
end

local function check_templates(l, warn)
    local used = {}
    for _, profile in pairs(l.profiles) do
        use_all(used, profile.config)
    end
    for _, rule in ipairs(l.rules) do
        use_all(used, rule.config)
        use_plan(used, rule.plan)
        use_plan(used, rule.on_error)
    end
    for name, place in pairs(l.named_templates) do
        local template = l.templates[name]
        if template and not used[template] then
            warn("unused-template", place.file, place.line, "template %s is in no config", problems.show(name))
        end
    end
end

-- Calls warn(kind, file, line, text).
function unused.find(l, warn)
    if not has_function(l) then
        check_profiles(l, warn)
        check_templates(l, warn)
    end
end

return unused
