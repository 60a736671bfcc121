-- What two policies make of the same machine, and what is different about it.

local engine = require "engine"
local live = require "cli.live"
local outcome = require "outcome"

local compared = {}

-- What is not told yet at these stages leaves texts unfilled: only what is decided counts.
local early = { dhcp = true, tftp = true }

local texts_of = setmetatable({}, { __mode = "k" })

-- A value as one text. What a profile or rule has is the same table for all its machines.
local function canonical(value)
    if type(value) ~= "table" then
        return tostring(value)
    end
    local text = texts_of[value]
    if text then
        return text
    end
    local parts = {}
    for key, each in pairs(value) do
        parts[#parts + 1] = tostring(key) .. "=" .. canonical(each)
    end
    table.sort(parts)
    text = "{" .. table.concat(parts, "\1") .. "}"
    texts_of[value] = text
    return text
end

local function named(word, value)
    return value == nil and "no " .. word or word .. " " .. tostring(value)
end

local function menu_texts(menu)
    local lines = {}
    for i, entry in ipairs(menu and menu.entries or {}) do
        local args = entry.args and table.concat(entry.args, " ") or ""
        lines[i] = ("%s: %s %s %s"):format(entry.label, entry.profile or entry.verdict, entry.kernel or "", args)
    end
    return menu and { named("title", menu.title), named("timeout", menu.timeout), named("default", menu.default),
                      unpack(lines) }
end

local function documents_of(d)
    local found = {}
    for name in pairs(d.config or {}) do
        local text, problem = d:document(name)
        found[#found + 1] = name .. "\n" .. (text or problem or "")
    end
    table.sort(found)
    return found
end

local function decide(policy, who, documents)
    local d = engine.decide(policy, who)
    local made = { rule = d.rule }
    if early[who.stage] or not d.plan then
        made.verdict = outcome.verdict(d)
    else
        d:render()
        made.verdict = outcome.verdict(d)
        if d.verdict == "boot" then
            made.kernel, made.initrd, made.args = d.kernel, d.initrd, d.args
            made.verify = d.profile.verify
        elseif d.verdict == "menu" then
            made.menu = menu_texts(outcome.facts(d).menu)
        end
        made.documents = documents and documents_of(d) or nil
    end
    made.dhcp = d.dhcp and canonical(d.dhcp)
    made.files = d.files and canonical(d.files)
    made.error = d.error
    if made.error then
        made.verdict = made.verdict .. " (failed)"
    end
    return made
end

-- Whether a decision of this policy may wait for something: only functions can.
local function may_wait(policy)
    for _, rule in ipairs(policy.rules) do
        if rule.call then
            return true
        end
    end
    return false
end

-- A function that decides: machine -> { verdict = in words, rule =, and what of it can differ }.
function compared.decider(policy, documents)
    local waits = may_wait(policy)
    return function(who)
        if waits then
            return live.run(false, decide, policy, who, documents)
        end
        return decide(policy, who, documents)
    end
end

local function same_list(a, b)
    a, b = a or {}, b or {}
    if #a ~= #b then
        return false
    end
    for i = 1, #a do
        if a[i] ~= b[i] then
            return false
        end
    end
    return true
end

local LISTS = { "initrd", "args", "menu", "documents" }
local VALUES = { "kernel", "verify", "dhcp", "files" }

-- The names of what differs besides the verdict, in order.
function compared.aspects(old, new)
    local names = {}
    for _, name in ipairs(VALUES) do
        if old[name] ~= new[name] then
            names[#names + 1] = name
        end
    end
    for _, name in ipairs(LISTS) do
        if not same_list(old[name], new[name]) then
            names[#names + 1] = name
        end
    end
    return names
end

-- What one list has more than another, and the other way round: in order.
local function difference(from, to)
    local count, gone, added = {}, {}, {}
    for _, text in ipairs(to or {}) do
        count[text] = (count[text] or 0) + 1
    end
    for _, text in ipairs(from or {}) do
        local left = count[text] or 0
        count[text] = left - 1
        gone[#gone + 1] = left <= 0 and text or nil
    end
    count = {}
    for _, text in ipairs(from or {}) do
        count[text] = (count[text] or 0) + 1
    end
    for _, text in ipairs(to or {}) do
        local left = count[text] or 0
        count[text] = left - 1
        added[#added + 1] = left <= 0 and text or nil
    end
    return gone, added
end

-- What a person is shown of a change, as "- old" and "+ new".
function compared.details(old, new, names)
    local lines = {}
    for _, name in ipairs(names) do
        if name == "kernel" then
            lines[#lines + 1] = old.kernel and "- kernel " .. old.kernel
            lines[#lines + 1] = new.kernel and "+ kernel " .. new.kernel
        elseif name == "verify" then
            lines[#lines + 1] = (new.verify and "+" or "-") .. " verify"
        elseif name == "args" or name == "initrd" or name == "menu" then
            local gone, added = difference(old[name], new[name])
            for _, text in ipairs(gone) do
                lines[#lines + 1] = "- " .. text
            end
            for _, text in ipairs(added) do
                lines[#lines + 1] = "+ " .. text
            end
            if #gone + #added == 0 then
                lines[#lines + 1] = ("%s in another order"):format(name)
            end
        end
    end
    for _, side in ipairs { old, new } do
        if side.error then
            lines[#lines + 1] = (side == old and "- " or "+ ") .. side.error
        end
    end
    return lines
end

-- The rule of a decision, as plain data.
function compared.rule(made)
    local rule = made.rule
    return rule and { name = rule.name, file = rule.display, line = rule.line } or nil
end

return compared
