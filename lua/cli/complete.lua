-- What can follow what was typed at the prompt: commands, fields, values that the policy's rules
-- look for, documents.

local arch = require "arch"
local machine = require "machine"
local show = require "cli.show"

local complete = {}

local MOST = 100 -- values of a field that are offered

local STAGES = { "dhcp", "tftp", "ipxe", "http", "grub", "pxelinux", "pixiecore" }

local function keys_of(set, list)
    for key in pairs(set) do
        list[#list + 1] = key
    end
    return list
end

-- Adds the plain texts that a matcher looks for to the set.
local function add_values(matcher, set)
    for _, part in ipairs(matcher.any or {}) do
        add_values(part, set)
    end
    if matcher.inner then
        add_values(matcher.inner, set)
    end
    for value in pairs(matcher.kind == "plain" and matcher.keys.plain or {}) do
        set[tostring(value)] = true
    end
end

-- What the policy can tell, gathered once: the labels it names, the values of each field, the
-- documents.
function complete.of(policy)
    local known = { fields = {}, values = { arch = keys_of(arch.names, {}), stage = STAGES }, documents = {} }
    local values, labels, documents = {}, {}, {}
    for _, rule in ipairs(policy and policy.rules or {}) do
        for _, p in ipairs(rule.predicates) do
            values[p.name] = values[p.name] or {}
            add_values(p.matcher, values[p.name])
            labels[p.name] = p.field.label ~= nil or nil
        end
        for name in pairs(rule.config or {}) do
            documents["config/" .. name] = true
        end
    end
    for _, profile in pairs(policy and policy.profiles or {}) do
        for name in pairs(profile.config or {}) do
            documents["config/" .. name] = true
        end
    end
    for name, set in pairs(values) do
        local list = keys_of(set, {})
        known.values[name] = known.values[name] or #list <= MOST and list or nil
    end
    for _, field in ipairs(machine.fields) do
        known.fields[#known.fields + 1] = field.type == "labels" and "label." or field.name .. "="
    end
    for name in pairs(labels) do
        known.fields[#known.fields + 1] = name .. "="
    end
    known.documents = keys_of(documents, show.format_names())
    return known
end

-- What the words that begin so have in common beyond that, and the list of them, sorted.
local function matching(words, start)
    local list = {}
    for _, word in ipairs(words) do
        if word:sub(1, #start) == start then
            list[#list + 1] = word
        end
    end
    table.sort(list)
    local common = list[1]
    for _, word in ipairs(list) do
        while word:sub(1, #common) ~= common do
            common = common:sub(1, -2)
        end
    end
    return common and common:sub(#start + 1) or "", list
end

-- before: the text before the cursor -> what to insert or nil, what to show or nil.
function complete.line(known, commands, before)
    local command, word = before:match "^%s*:(%a+)%s.-([^%s,]*)$", before:match "[^%s]*$"
    local words, ending = known.fields, ""
    if before:find "^%s*:%a*$" then
        words, ending, word = commands, " ", before:match ":%a*$"
    elseif command == "render" and not before:find "=[^%s]*$" and before:match "^%s*:%a+%s+[^%s]*$" then
        words, word = known.documents, before:match "[^%s,]*$"
    elseif word:find "=" then
        local field, start = word:match "^([^=]*)=(.*)$"
        words, ending, word = known.values[field:gsub("^%+", "")] or {}, " ", start
    else
        word = word:gsub("^%+", "")
    end
    local more, list = matching(words, word)
    if #list == 1 then
        more = more .. ending
    end
    if more ~= "" or #list <= 1 then
        return more ~= "" and more or nil, nil
    end
    return nil, table.concat(list, "  ") .. "\n"
end

return complete
