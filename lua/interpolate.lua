-- {{ expr }} in the text of a policy: Lua expressions over the machine's fields, the vars
-- of profile and rule, and the basics of the sandbox.
--
-- A scope belongs to one policy. Texts are collected while the policy loads, and compiled
-- when all vars are known. Precedence of names: vars, fields, basics.

local machine = require "machine"
local problems = require "problems"
local sandbox = require "sandbox"
local source = require "source"

local host = host

local interpolate = {}

local Scope = {}
Scope.__index = Scope

-- What an expression's names mean for the machine and vars at hand.
local function lookup(scope, basics)
    return function(_, name)
        local vars = scope.vars
        if vars and vars[name] ~= nil then
            return vars[name]
        elseif machine.names[name] then
            return machine.view(scope.machine)[name]
        elseif name == "machine" then
            return machine.view(scope.machine)
        elseif name == "vars" then
            return setmetatable({}, { __index = vars, __metatable = "vars" })
        end
        return basics[name]
    end
end

function interpolate.scope()
    local basics = sandbox.basics()
    local scope = setmetatable({
        basics = basics, pending = {}, known_vars = {}, names = {},
    }, Scope)
    scope.env = setmetatable({}, { __index = lookup(scope, basics), __metatable = "scope" })
    return scope
end

-- A text of a file of the policy, from that line on: { constant = text }, or after compile
-- { parts = list of texts and expressions }.
function Scope:text(raw, line, file)
    if not raw:find("{{", 1, true) then
        return { constant = raw }
    end
    local text = { raw = raw, line = line, file = file }
    table.insert(self.pending, text)
    return text
end

-- Declares the names of vars that profiles and rules define.
function Scope:declare(vars)
    for name in pairs(vars or {}) do
        self.known_vars[name] = true
    end
end

-- Where the expression that starts at `from` ends: at the first }} outside its own braces.
local function closing(raw, from)
    local depth = 0
    local tokens = source.tokens(raw:sub(from))
    for i, token in ipairs(tokens) do
        if token.kind == "op" and token.text == "{" then
            depth = depth + 1
        elseif token.kind == "op" and token.text == "}" then
            local after = tokens[i + 1]
            if depth == 0 and after and after.text == "}" and after.from == token.from + 1 then
                return from + token.from - 1
            end
            depth = depth - 1
        end
    end
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
        if field and not self.open_vars and not self.known_vars[field] then
            return string.format('no profile or rule has a var "%s"%s', field,
                                 problems.hint(field, self.known_vars))
        end
    elseif not (self.known_vars[name] or machine.names[name]) then
        local basic = self.basics[name]
        if basic == nil then
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
    while true do
        local open = raw:find("{{", at, true)
        if not open then
            break
        end
        local close = closing(raw, open + 2)
        if not close then
            file.problems:add(line, "{{ without }} in %s", problems.show(raw))
            break
        end
        if open > at then
            table.insert(parts, raw:sub(at, open - 1))
        end
        table.insert(parts, self:expression(raw:sub(open + 2, close - 1), line, file))
        at = close + 2
    end
    if at <= #raw then
        table.insert(parts, raw:sub(at))
    end
    return parts
end

-- Compiles all texts and reports what is wrong with them. `open_vars`: functions of the
-- policy may add vars that nothing declares.
function Scope:compile(open_vars)
    self.open_vars = open_vars
    for _, text in ipairs(self.pending) do
        text.parts = self:parse(text)
        text.file = nil
    end
    self.pending = {}
end

local function evaluate(scope, expression)
    local code = expression.code
    scope.line, scope.display = expression.line, expression.display
    local value = expression.call()
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" or kind == "boolean" then
        return tostring(value)
    elseif kind ~= "nil" then
        error(string.format("{{%s}} is a %s, expected text", code, kind), 0)
    elseif code:find("^[%a_][%w_.]*$") then
        error(string.format('%s is absent: write {{%s or "…"}}', code, code), 0)
    end
    error(string.format("{{%s}} gave nothing", code), 0)
end

-- What the following calls of render are about.
function Scope:enter(m, vars)
    self.machine, self.vars = m, vars
    self.line, self.display, m.needs = nil, nil, nil
end

-- The text, filled in. Runs the policy's expressions, and throws what goes wrong: call it
-- in a guard, whose message `problem` completes.
function Scope:render(text)
    if text.constant then
        return text.constant
    end
    local result = {}
    for i, part in ipairs(text.parts) do
        result[i] = type(part) == "string" and part or evaluate(self, part)
    end
    return table.concat(result)
end

-- What render threw -> message, line, file's name.
function Scope:problem(message)
    if self.machine.needs then
        message = machine.not_known(self.machine, self.machine.needs)
    end
    return message, self.line, self.display
end

return interpolate
