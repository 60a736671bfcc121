-- {{ expr }} in the text of a policy: Lua expressions over the machine's fields, the vars
-- of profile and rule, helpers, and the basics of the sandbox. Templates (template.lua) see
-- the same.
--
-- A scope belongs to one policy. Texts are collected while the policy loads, and compiled
-- when all vars are known. Precedence of names: vars, fields, helpers and basics. The events
-- that they name are told_events, as documents.uses has them.

local documents = require "documents"
local filled = require "filled"
local helpers = require "helpers"
local machine = require "machine"
local problems = require "problems"
local secrets = require "secrets"
local source = require "source"
local vars = require "vars"

local host = host

local interpolate = {}

local none = nil -- makes room (machine.lua)

local Scope = {}
Scope.__index = Scope

-- What an expression's names mean for the machine and vars at hand.
local function lookup(scope, basics)
    return function(_, name)
        local known = scope.vars
        if known and known[name] ~= nil then
            return vars.copy(known[name])
        elseif machine.names[name] then
            local value = machine.read(scope.machine, name) -- no tail call: errors name the caller's caller
            return value
        elseif name == "machine" then
            return machine.view(scope.machine)
        elseif name == "vars" then
            return vars.copy(known or {})
        end
        return basics[name]
    end
end

function interpolate.scope()
    local scope = setmetatable({
        pending = {}, known_vars = {}, names = {}, onces = {}, told_events = {}, carried = none,
        basics = none, env = none,
        open_vars = none, some_unread = none,
        -- what `enter` sets for each decision, and keys that are always there
        machine = none, vars = none, documents = none, entry = none, line = none, display = none, at = none,
        running = none,
    }, Scope)
    scope.basics = helpers.of(scope)
    scope.env = setmetatable({}, { __index = lookup(scope, scope.basics), __metatable = "scope" })
    return scope
end

-- A text of a file of the policy, from that line on: { constant = text }, or after compile
-- { parts = list of texts and expressions }.
function Scope:text(raw, line, file)
    if not raw:find("{{", 1, true) then
        return { constant = raw }
    end
    if secrets.braced(raw, line, file) then
        return { constant = "" }
    end
    local text = { raw = raw, line = line, file = file }
    table.insert(self.pending, text)
    return text
end

-- Declares the names of vars that profiles and rules define.
function Scope:declare(names)
    for name in pairs(names or {}) do
        self.known_vars[name] = true
    end
end

-- What declares vars could not be read, which is reported: no name is certainly wrong.
function Scope:miss_some()
    self.some_unread = true
end

local reserved = { machine = true, vars = true }

-- What is wrong with a name that an expression uses; nil when nothing is.
function Scope:name_problem(use)
    local name, field = use.name, use.field
    if use.set then
        return string.format('"%s" cannot be assigned to', name)
    elseif name == "machine" then
        return field and not machine.field(field) and machine.unknown_field(field) or nil
    elseif name == "vars" then
        if field and not self.open_vars and not self.some_unread and not self.known_vars[field] then
            return string.format('no profile or rule has a var "%s"%s', field,
                                 problems.hint(field, self.known_vars))
        end
    elseif not (self.known_vars[name] or machine.names[name]) then
        local basic = self.basics[name]
        if basic == nil and self.some_unread then
            return nil
        elseif basic == nil then
            local known = {}
            for _, set in ipairs { reserved, self.known_vars, machine.names, self.basics } do
                for each in pairs(set) do
                    known[each] = true
                end
            end
            return string.format('unknown name "%s"%s', name, problems.hint(name, known))
        elseif type(basic) == "table" and field and basic[field] == nil then
            return string.format('unknown name "%s.%s"%s', name, field,
                                 problems.hint(field, basic))
        end
    end
    return nil
end

-- The names an expression uses; most are one name, and reading bytecode costs.
function Scope:uses(code, display)
    local name, field = code:match("^%s*([%a_][%w_]*)%s*$"), nil
    if not name then
        name, field = code:match("^%s*([%a_][%w_]*)%.([%a_][%w_]*)%s*$")
    end
    if name then
        return { { name = name, field = field } }
    end
    if not self.names[code] then
        self.names[code] = host.names("return (" .. code .. "\n)", "@" .. display)
    end
    return self.names[code]
end

-- One expression as { call = function, code = }; nil after reporting what is wrong.
function Scope:expression(code, line, file)
    local report, display = file.problems, file.display
    -- So many newlines before it, and Lua names the right line.
    local call, message = host.load(("\n"):rep(line - 1) .. "return (" .. code .. "\n)",
                                    "@" .. display, self.env)
    if not call then
        local _, text = problems.split(message, display)
        report:add(line, "in {{%s}}: %s", code, text)
        return nil
    end
    local good = true
    for _, use in ipairs(self:uses(code, display)) do
        local problem = self:name_problem(use)
        if problem then
            report:add(line, "in {{%s}}: %s", code, problem)
            good = false
        end
    end
    return good and {
        call = call, code = code:match("^%s*(.-)%s*$"), line = line, display = display,
    } or nil
end

function Scope:parse(text)
    local parts, at, raw = {}, 1, text.raw
    local line, file = text.line, text.file
    text.uses = {}
    while true do
        local open = raw:find("{{", at, true)
        if not open then
            break
        end
        local close, last = source.closing(raw, open + 2, "}}")
        if not close then
            file.problems:add(line, "{{ without }} in %s", problems.show(raw))
            break
        end
        if open > at then
            table.insert(parts, raw:sub(at, open - 1))
        end
        local code = raw:sub(open + 2, last)
        table.insert(parts, self:expression(code, line, file))
        documents.uses("config", code, line, text.uses, file.problems)
        documents.uses("event", code, line, self.told_events, file.problems)
        at = close + 2
    end
    if at <= #raw then
        table.insert(parts, raw:sub(at))
    end
    return parts
end

-- Has this compiled with the texts: an object with a method compile(report).
function Scope:add(template)
    table.insert(self.pending, template)
end

-- Compiles all texts and reports what is wrong with them. `open_vars`: functions of the
-- policy may add vars that nothing declares.
function Scope:compile(open_vars)
    self.open_vars = open_vars
    for _, text in ipairs(self.pending) do
        if text.compile then
            text:compile()
        else
            text.parts = self:parse(text)
            text.file = nil
        end
    end
    self.pending = {}
end

local function evaluate(scope, expression)
    scope.line, scope.display, scope.at = expression.line, expression.display, expression
    scope.running = nil
    local text, problem = filled.text_of(expression.call(), expression.code)
    if not text then
        error(problem, 0)
    end
    return text
end

-- What the following calls of render are about: a machine, and the vars and documents of a
-- plan; the number of its entry in a menu.
function Scope:enter(m, known, named, entry)
    self.machine, self.vars, self.documents, self.entry = m, known, named, entry
    self.line, self.display, self.at, self.running, m.needs = nil, nil, nil, nil, nil
end

-- The text, filled in. Runs the policy's expressions, and throws what goes wrong: call it
-- in a guard, whose message `problem` completes.
function Scope:render(text)
    if text.constant then
        return text.constant
    elseif text.run then
        self.line, self.at, self.running = nil, nil, nil -- its problems say where they are
        return text:run()
    end
    local result, parts = { nil, nil, nil, nil }, text.parts
    for i = 1, #parts do
        local part = parts[i]
        result[i] = type(part) == "string" and part or evaluate(self, part)
    end
    return table.concat(result)
end

-- What render threw -> message, line, file's name.
function Scope:problem(message)
    if self.machine.needs then
        message = machine.not_known(self.machine, self.machine.needs)
    elseif type(message) ~= "string" then
        return message, self.line, self.display
    elseif self.running then
        message = self.running:explained(message)
    elseif self.at then
        local uses = self:uses(self.at.code, self.at.display)
        message = filled.explain(self, message, filled.unguarded(uses, self.at.code))
    end
    return message, self.line, self.display
end

return interpolate
