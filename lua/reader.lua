-- Reads the table a policy gave to a word, and reports what is wrong with it at the line
-- of the key in question. A value is checked and copied: policies keep no handle on what
-- the engine uses.
--
-- Every method takes a path, the keys that lead to the value: { "match", "uuid", 2 }.

local problems = require "problems"
local sealed = require "sealed"
local void = require "void"

local show = problems.show

local reader = {}

local Reader = {}
Reader.__index = Reader

-- `loader` is the file (loader.lua) that the word was called in; the word was called at this line: `rule "name" {…}`.
function reader.new(loader, word, name, line)
    local title = name and string.format("%s %s", word, show(name)) or word
    return setmetatable({
        loader = loader, word = word, name = name, line = line, title = title,
    }, Reader)
end

function Reader:at(path)
    if self.open == nil then
        self.open = self.loader.source:call(self.line, self.word, self.name) or false
    end
    return self.open and self.loader.source:line(self.open, path, self.line) or self.line
end

function Reader:problem(path, text, ...)
    self.loader.problems:add(self:at(path), text, ...)
end

-- A value as it reads in a message; the language's own values by their words.
function reader.show(value)
    local content = sealed.open(value)
    return content and content.text or value == void.value and tostring(value) or show(value)
end

-- Is this value of that type? Unknown words are reported already, and no value is none.
-- `found`: what it is called, if not what it is.
function Reader:is(path, value, kind, expected, found)
    if value == nil or value == void.value then
        return false
    elseif type(value) == kind and not sealed.open(value) then
        return true
    end
    self:problem(path, "%sfound %s, expected %s", self.lead(path), found or reader.show(value),
                 expected)
    return false
end

-- A word of the language that still wants its argument?
function Reader:is_word(value)
    return self.loader.is_word[value] or false
end

-- A profile is named there, which may be defined later.
function Reader:uses(path, name)
    table.insert(self.loader.uses, { reading = self, path = path, name = name })
end

-- Vars that templates may name.
function Reader:declare(vars)
    self.loader.scope:declare(vars)
end

-- The path as text: "args[2]", "match.uuid".
function Reader.where(path)
    local text = ""
    for _, key in ipairs(path) do
        if type(key) == "number" then
            text = string.format("%s[%d]", text, key)
        else
            text = text .. (text == "" and "" or ".") .. tostring(key)
        end
    end
    return text
end

-- What a message about that place begins with.
function Reader.lead(path)
    return #path > 0 and Reader.where(path) .. ": " or ""
end

-- The same for a reading of a value in the middle of a table, which messages name: "menu[2][1]".
function reader.name_places(reading, word)
    function reading.where(path)
        local text = Reader.where(path)
        return text == "" and "" or word .. (text:find "^%[" and "" or ".") .. text
    end
    function reading.lead(path)
        return #path > 0 and reading.where(path) .. ": " or ""
    end
    reading.names_places = true
    return reading
end

local function within(path, key)
    local longer = {}
    for i, part in ipairs(path) do
        longer[i] = part
    end
    longer[#longer + 1] = key
    return longer
end

-- Reports the keys that are not in the set `known`.
function Reader:keys(path, value, known)
    local inside = self.title
    if #path > 0 then
        inside = self.where(path) .. (self.names_places and "" or " of " .. inside)
    end
    for key in pairs(value) do
        if type(key) == "number" then
            self:problem(within(path, key), "found %s without a key in %s",
                         reader.show(value[key]), inside)
        elseif not known[key] and key ~= void.value then
            self:problem(within(path, key), "unknown key %s in %s%s", show(key), inside,
                         problems.hint(key, known))
        end
    end
end

function Reader:text(path, value, expected)
    return self:is(path, value, "string", expected or "text") and value or nil
end

-- Text in which {{…}} is filled in later.
function Reader:template(path, value, expected)
    if not self:text(path, value, expected) then
        return nil
    end
    return self.loader.scope:text(value, value:find("{{", 1, true) and self:at(path) or 0,
                                  self.loader)
end

-- Text in which {{…}} is not: better said than taken as it stands.
function Reader:literal(path, value, expected)
    if not self:text(path, value, expected) then
        return nil
    elseif value:find("{{", 1, true) then
        self:problem(path, "%s: {{…}} is not filled in here", self.where(path))
        return nil
    end
    return value
end

-- A list, each of whose values `read` (a method) returns; always a list.
function Reader:list(path, value, read, expected)
    local result = {}
    if not self:is(path, value, "table", expected) then
        return result
    end
    local n = 0
    for key in pairs(value) do
        n = n + 1
        if type(key) ~= "number" then
            self:problem(within(path, key), "%s: found the key %s, expected %s",
                         self.where(path), show(key), expected)
            return result
        end
    end
    if n ~= #value then
        self:problem(path, "%s: found a list with holes, expected %s", self.where(path), expected)
        return result
    end
    for i, item in ipairs(value) do
        result[#result + 1] = read(self, within(path, i), item)
    end
    return result
end

-- A table of names and values: each pair as `read` (path, value, name) returns it.
function Reader:map(path, value, read, expected)
    if not self:is(path, value, "table", expected) then
        return nil
    end
    local result = {}
    for key, item in pairs(value) do
        local at = within(path, key)
        if type(key) ~= "string" then
            self:problem(at, "%s: found the key %s, expected %s", self.where(path), show(key),
                         expected)
        else
            result[key] = read(self, at, item, key)
        end
    end
    return result
end

reader.within = within

--- What functions answer -----------------------------------------------------------------

local Answer = setmetatable({}, { __index = Reader })
Answer.__index = Answer

-- Reads what a function of the policy made, while it decides: the first problem is thrown,
-- behind `lead`. `title`: what is read.
function reader.answer(lead, title)
    return setmetatable({ thrown_behind = lead, title = title }, Answer)
end

function Answer:problem(_, text, ...)
    error(self.thrown_behind .. string.format(text, ...), 0)
end

-- A number will do for text.
function Answer:text(path, value, expected)
    if type(value) == "number" then
        return tostring(value)
    end
    return self:is(path, value, "string", expected or "text") and value or nil
end

-- Templates are what the policy's author wrote in its tables. Text that a function made may
-- come from anywhere, and is taken as it is; so {{ in it was either meant otherwise or is
-- an attack.
function Answer:literal(path, value, expected)
    local text = self:text(path, value, expected)
    if text and text:find("{{", 1, true) then
        self:problem(path, "%s{{…}} is not filled in where a function makes the text: "
                     .. "use the machine's fields", self.lead(path))
    end
    return text
end

function Answer:template(path, value, expected)
    local text = self:literal(path, value, expected)
    return text and { constant = text }
end

function Answer.is_word()
    return false
end

function Answer.declare()
end

function Answer.uses()
end

return reader
