-- A decision and its rendering: what remains when a text of the policy cannot be filled in,
-- or cannot be written down the way a protocol wants it.

local decision = require "decision"
local machine = require "machine"

local outcome = {}

-- What the rule has for its on_error; for an on_error answer that fails too, ignore.
local function failed(d, problem)
    local message = decision.locate(d.policy, d.rule, problem)
    if not d.error then
        return decision.failed(d.policy, d.rule, d.machine, message)
    end
    local last = decision.new(d.policy, d.rule, d.machine, d.rule.ignore)
    last.error = d.error
    return last
end

-- Renders by `write(decision)` -> text | nil, problem. Returns the text, and the decision
-- that it is of: a problem is the policy's failure, and its on_error answer is written.
function outcome.settle(d, write)
    while true do
        if d.plan then
            d:render()
        end
        if d.verdict == "menu" then
            for _, entry in ipairs(d.menu.entries) do
                d.error = d.error or entry.decision:render().error
            end
        end
        local text, problem = write(d)
        if text or not d.plan then
            return text, d
        end
        d = failed(d, problem)
    end
end

local function menu_facts(menu)
    local entries = {}
    for i, entry in ipairs(menu.entries) do
        local facts = outcome.facts(entry.decision)
        facts.rule, facts.label = nil, entry.label
        facts.needs = facts.needs or entry.decision.lacks
        entries[i] = facts
    end
    return { title = menu.title, timeout = menu.timeout, default = menu.default, entries = entries }
end

-- A decision as plain data.
function outcome.facts(d)
    local facts = {
        rule = d.rule and {
            name = d.rule.name, file = d.rule.display, line = d.rule.line,
        },
        verdict = d.verdict, vars = d.vars, needs = d.needs,
    }
    if d.plan then
        d:render()
        facts.verdict, facts.profile, facts.vars = d.verdict, d.profile and d.profile.name, d.vars
        facts.why, facts.url, facts.kernel = d.why, d.url, d.kernel
        if d.verdict == "menu" then
            facts.menu = menu_facts(d.menu)
        elseif d.verdict == "boot" then
            facts.initrd, facts.args = d.initrd, d.args
            facts.verify = d.profile and d.profile.verify
        end
    end
    facts.error = d.error
    return facts
end

-- A text of the decision, at a stage where it may not be possible to fill it in yet: then
-- nil, and the decision stands as it is.
local function peek(d, name)
    local copy = decision.new(d.policy, d.rule, d.machine, d.plan)
    return copy:render().verdict == d.verdict and copy[name] or nil
end

local IMAGES = { efi = true, iso = true, img = true }

-- What firmware that boots by HTTP can start by itself: the name or URL of an EFI program or disk
-- image that the decision chains to, or boots without initrd and arguments. Nil for any other.
function outcome.image(d)
    if d.verdict ~= "chain" and d.verdict ~= "boot" or d.profile and d.profile.verify then
        return nil
    end
    local copy = decision.new(d.policy, d.rule, d.machine, d.plan):render()
    local name = copy.verdict == d.verdict and (copy.url or copy.kernel)
    local suffix = name and name:lower():match("^[^?#]*%.(%w+)%f[?#%z]")
    local alone = d.verdict == "chain" or #copy.args == 0 and #copy.initrd == 0
    return suffix and IMAGES[suffix] and alone and name or nil
end

-- Why a machine is denied.
function outcome.why(d)
    return peek(d, "why") or "denied"
end

-- What was decided, in a few words.
function outcome.verdict(d)
    if d.verdict == "boot" then
        return d.profile.said
    elseif d.verdict == "deny" then
        return "deny: " .. outcome.why(d)
    elseif d.verdict == "chain" then
        return "chain " .. (peek(d, "url") or "a URL that is not known yet"):gsub("~token=%x+", "~token=•••")
    elseif d.verdict == "undetermined" then
        return "undetermined: needs " .. d.needs
    end
    return d.verdict
end

-- What the decision log says.
function outcome.info(who, d, stage)
    return {
        machine = machine.name(who),
        who = who,
        profile = d.profile and d.profile.name,
        kernel = d.verdict == "boot" and rawget(d, "kernel") or nil,
        rule = d.rule and d.rule.name,
        verdict = outcome.verdict(d),
        stage = stage,
        error = d.error,
    }
end

return outcome
