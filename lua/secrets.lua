-- What is sealed (core/seal.h), opened: in a server, which has the key, it is the value, and the
-- logs hide that. Anywhere else it stays shut: a text stands in for it, always the same, which the
-- commands show as "•••"; or what a test file says that it is.

local escape = require "escape"

local host = host

local secrets = {}

secrets.MIN = 4 -- bytes of a value (core/seal.h)

-- A line of a longer secret is one too, if it has as many bytes.
local LINE_MIN = 8

local supplied -- nil: not in a test
local used = {}

-- What a test file says is inside: values by a sealed text, or by the name that it was given. There
-- nothing is hidden.
function secrets.supply(values)
    supplied, used = values, {}
end

-- In place of what stays shut: plain in every language that it may be written into.
local function stand_in(text, name)
    return "sealed-" .. (name ~= "" and name or text:sub(-12):gsub("[_-]", "x"))
end

-- The first of what was supplied that nothing sealed is called, in order, or nil; and a set of all
-- that something is called.
function secrets.unused()
    local first
    for name in pairs(supplied) do
        if not used[name] and (not first or name < first) then
            first = name
        end
    end
    return first, used
end

-- The same value as policies write it into other languages.
local function note_forms(value)
    for _, form in ipairs { "json", "sh", "url", "xml", "b64" } do
        local ok, text = pcall(escape[form], value)
        if ok and text ~= value then
            host.mask((text:gsub('^"(.*)"$', "%1"):gsub("^'(.*)'$", "%1")))
        end
    end
end

local function note(value)
    note_forms(value)
    if not value:find "\n" then
        return
    end
    for line in value:gmatch "[^\r\n]+" do
        line = line:match "^%s*(.-)%s*$"
        if #line >= LINE_MIN then
            host.mask(line)
            note_forms(line)
        end
    end
end

local function shut(text, name)
    local value = stand_in(text, name)
    if not supplied then
        if host.mask then
            host.mask(value)
        end
        return value
    end
    local key = supplied[text] ~= nil and text or name
    used[key] = true
    return supplied[key] or value
end

local braces = {} -- set of values with braces in them, which would be read as an expression

-- Does a text of the policy have one of these in it? Then reports that.
function secrets.braced(raw, line, file)
    for value in pairs(braces) do
        if raw:find(value, 1, true) then
            file.problems:add(line, "a sealed value has {{ in it, which is not to be read as an expression: put it "
                              .. "into vars, and write {{name}} here")
            return true
        end
    end
    return false
end

-- A sealed text -> its value, whether it stays shut | nil, what is wrong.
function secrets.open(text)
    local problem, name = host.seal_problem(text)
    if problem then
        return nil, problem
    elseif not host.unseal then
        return shut(text, name), true
    end
    local value
    value, problem = host.unseal(text)
    if not value then
        return nil, problem
    end
    note(value)
    braces[value] = value:find("{{", 1, true) and true or nil
    return value, false
end

-- The value of what was opened when the policy was loaded.
function secrets.value(text)
    local value, problem = (host.unseal or secrets.open)(text)
    if not value then
        error("sealed: " .. problem, 0)
    end
    return value
end

return secrets
