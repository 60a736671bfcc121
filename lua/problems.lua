-- What is wrong with a policy, collected so that all of it is reported at once:
-- "file:line: message" each, in the order of the lines.

local host = host

local problems = {}

local Problems = {}
Problems.__index = Problems

function problems.new(display)
    return setmetatable({ display = display, list = {}, seen = {} }, Problems)
end

function Problems:add(line, text, ...)
    if select("#", ...) > 0 then
        text = string.format(text, ...)
    end
    self:add_text(line, text)
end

-- The same for a text that is not a format.
function Problems:add_text(line, text)
    local key = line .. ":" .. text
    if not self.seen[key] then
        self.seen[key] = true
        table.insert(self.list, { line = line, text = text })
    end
end

-- What Lua itself said, which names its own place: "file:line: message", with the
-- file shortened when its name is long. `line` is for messages that name none.
function Problems:add_message(message, line)
    local at, text = problems.split(message, self.display)
    self:add_text(at or line, text)
end

function Problems:any()
    return #self.list > 0
end

function Problems:strings()
    table.sort(self.list, function(a, b)
        if a.line ~= b.line then
            return a.line < b.line
        end
        return a.text < b.text
    end)
    local strings = {}
    for i, problem in ipairs(self.list) do
        strings[i] = string.format("%s:%d: %s", self.display, problem.line, problem.text)
    end
    return strings
end

local function names_it(name, display)
    local tail = name:match("^%.%.%.(.+)$")
    return name == display or tail ~= nil and display:sub(-#tail) == tail
end

-- "policy.lua:12: message" -> 12, "message", "policy.lua"; nil, message when it names no
-- line of one of these files: a name, or a list of { name = }. Lua shortens long chunk
-- names to "...end/of/policy.lua".
function problems.split(message, files)
    if type(files) == "string" then
        files = { { name = files } }
    end
    local from, to = message:find(":%d+: ")
    while from do
        local name = message:sub(1, from - 1)
        for _, file in ipairs(files) do
            if names_it(name, file.name) then
                return tonumber(message:sub(from + 1, to - 2)), message:sub(to + 1), file.name
            end
        end
        from, to = message:find(":%d+: ", to)
    end
    return nil, message
end

-- A value as it reads in a message.
function problems.show(value)
    if host.hide and type(value) == "string" then
        value = host.hide(value) -- before it is cut: a part of a secret would not be known
    end
    return problems.told(value)
end

-- The same for what a client has told, and is told in return: were secrets hidden there, who
-- guesses one would learn that it is one.
function problems.told(value)
    local kind = type(value)
    if kind == "string" then
        if #value > 80 then
            value = value:sub(1, 77) .. "..."
        end
        return '"' .. value:gsub("[%c\127]", function(c)
            return string.format("\\%d", c:byte())
        end) .. '"'
    elseif kind == "number" or kind == "boolean" then
        return tostring(value)
    elseif kind == "nil" then
        return "nothing"
    end
    return "a " .. kind
end

-- Edit distance with transpositions, between texts of one case.
local function distance(a, b)
    local before, last = {}, {}
    for j = 0, #b do
        last[j] = j
    end
    for i = 1, #a do
        local row = { [0] = i }
        for j = 1, #b do
            local cost = a:byte(i) == b:byte(j) and 0 or 1
            local best = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
            if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                best = math.min(best, before[j - 2] + 1)
            end
            row[j] = best
        end
        before, last = last, row
    end
    return last[#b]
end

-- The key of `names` that is nearest to `found`; nil when none is near enough to be
-- what was meant.
function problems.nearest(found, names)
    if type(found) ~= "string" or #found > 100 then
        return nil
    end
    local limit = math.max(1, math.floor(#found / 3))
    local nearest, least = nil, limit + 1
    local lower = found:lower()
    for name in pairs(names) do
        if type(name) == "string" and math.abs(#name - #found) <= limit then
            local far = distance(lower, name:lower())
            if far < least or far == least and nearest and name < nearest then
                nearest, least = name, far
            end
        end
    end
    return nearest
end

-- ' (did you mean "x"?)', or nothing.
function problems.hint(found, names)
    local nearest = problems.nearest(found, names)
    return nearest and string.format(' (did you mean "%s"?)', nearest) or ""
end

return problems
