-- What {{ expr }} came to, and when it came to nothing which of its names is to blame.

local machine = require "machine"

local filled = {}

-- As text | nil, what is wrong.
function filled.text_of(value, code)
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" or kind == "boolean" then
        return tostring(value)
    elseif kind ~= "nil" then
        return nil, string.format("{{%s}} is a %s, expected text", code, kind)
    elseif code:find("^[%a_][%w_.]*$") then
        return nil, string.format('%s is absent: write {{%s or "…"}}', code, code)
    end
    return nil, string.format("{{%s}} gave nothing", code)
end

-- Does `or` or `and` stand behind this name wherever it is used?
local function is_guarded(code, name)
    local at = 1
    while true do
        local from, to = code:find("%f[%w_]" .. name .. "%f[^%w_]", at)
        if not from then
            return at > 1
        end
        local word = code:match("^%s*(%a+)%f[^%w_]", to + 1)
        if word ~= "or" and word ~= "and" then
            return false
        end
        at = to + 1
    end
end

-- Of the names that a piece of Lua uses, those that it does not say `or` or `and` behind.
function filled.unguarded(uses, code)
    local list = {}
    for _, use in ipairs(uses) do
        if not use.set and not is_guarded(code, use.field or use.name) then
            list[#list + 1] = use
        end
    end
    return list
end

local function is_absent(scope, use)
    local vars = scope.vars or {}
    if vars[use.name] ~= nil then
        return false
    elseif use.name == "machine" then
        return use.field and machine.names[use.field] and not scope.machine[use.field]
    elseif use.name == "vars" then
        return use.field and vars[use.field] == nil
    elseif machine.names[use.name] then
        return not scope.machine[use.name]
    end
    return scope.known_vars[use.name] or false
end

local of_nothing = { "found nothing", "got nil", "gave nothing", "a nil value$" }

-- A message, and if something was nothing the names (`uses`, as host.names gives them) that are
-- absent for the machine and vars at hand.
function filled.explain(scope, message, uses)
    local place, text = message:match "^([^\n]-:%d+: )(.*)$"
    place, text = place or "", text or message
    -- Lua says which one it was, or that it was a local, a method: none of ours.
    local wanted = text:match "global '([%w_]+)' %(a nil value%)$" or text:match "field '([%w_]+)' %(a nil value%)$"
    local nothing = wanted ~= nil
    for _, sign in ipairs(of_nothing) do
        nothing = nothing or text:find(sign) ~= nil
    end
    if not nothing then
        return message
    end
    local absent, seen = {}, {}
    for _, use in ipairs(uses) do
        local name = use.name
        if (name == "machine" or name == "vars") and use.field then
            name = name .. "." .. use.field
        end
        if not seen[name] and (not wanted or (use.field or use.name) == wanted) and is_absent(scope, use) then
            seen[name] = true
            absent[#absent + 1] = name
        end
    end
    if #absent == 0 then
        return message
    elseif #absent > 1 then
        return string.format("%s%s are absent (%s)", place, table.concat(absent, " and "), text)
    end
    return string.format('%s%s is absent: write {{… %s or "…" …}} (%s)', place, absent[1], absent[1], text)
end

return filled
