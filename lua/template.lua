-- Templates: files in which {{ expr }}, {% statement %} and {# comment #} are Lua. One
-- becomes a function that keeps its line structure, so that whatever goes wrong in it has
-- the template's own file and line. Names are those of interpolate.lua's scope.

local documents = require "documents"
local files = require "files"
local filled = require "filled"
local problems = require "problems"
local tags = require "tags"
local template_syntax = require "template_syntax"

local host = host

local template = {}

local Template = {}
Template.__index = Template

-- Collects the pieces of Lua that the template becomes.
local Writer = {}
Writer.__index = Writer

function Writer:text(raw, lines)
    local t = self.template
    if raw ~= "" then
        t.texts[#t.texts + 1] = raw
        table.insert(self.code, string.format(" __write(__texts[%d]) ", #t.texts))
    end
    table.insert(self.code, ("\n"):rep(lines))
    self:mark()
end

-- What was written up to here is whole; a template that is no Lua is looked at piece by piece.
function Writer:mark(line, tag)
    table.insert(self.template.marks, { n = #self.code, line = line, tag = tag })
end

function Writer:expression(tag, line)
    local t = self.template
    if not tag.code:find("%S") then
        t.report:add(line, "{{ }} has no expression in it")
        tag.code = "nil"
    end
    t.expressions[#t.expressions + 1] = { code = tag.code:match("^%s*(.-)%s*$"), line = line }
    table.insert(self.code, string.format(" __write(__text((%s), %d)) ", tag.code, #t.expressions))
end

function Writer:include(name, indent, line)
    table.insert(self.code, string.format(" __write(include(%q, %q)) ", name, indent))
    self.template:include(name, line)
end

function Writer:tag(tag, line, indent)
    if tag.kind == "{#" then
        table.insert(self.code, ("\n"):rep(tags.lines(tag.code)))
        return
    elseif tag.kind == "{{" then
        self:expression(tag, line)
    else
        local included = tag.code:match('^%s*include%s*%(?%s*"([^"\\\n]+)"%s*%)?%s*$')
                         or tag.code:match("^%s*include%s*%(?%s*'([^'\\\n]+)'%s*%)?%s*$")
        if included then
            self:include(included, indent or "", line)
            table.insert(self.code, ("\n"):rep(tags.lines(tag.code)))
            return
        end
        table.insert(self.code, " " .. tag.code .. " ")
    end
    self:mark(line, tag)
    documents.uses("config", tag.code, line, self.template.uses, self.template.report)
    documents.uses("event", tag.code, line, self.template.policy.scope.told_events, self.template.report)
    local includes = {}
    documents.uses("include", tag.code, line, includes)
    for _, include in ipairs(includes) do
        self.template:include(include.name, include.line)
    end
end

-- The Lua that a template's text becomes.
local function translate(t, text)
    local writer = setmetatable({ template = t, code = { "local __write, __texts, __text, include = ... " } },
                                Writer)
    local at, line, trim = 1, 1, false
    local function put(raw, trim_left, trim_right)
        local lines = tags.lines(raw)
        local trimmed = trim_left and raw:gsub("^%s+", "") or raw
        trimmed = trim_right and trimmed:gsub("%s+$", "") or trimmed
        writer:text(trimmed, lines)
        line = line + lines
    end
    local function skip(from, to)
        local lines = tags.lines(text:sub(from, to - 1))
        table.insert(writer.code, ("\n"):rep(lines))
        line = line + lines
    end
    while true do
        local tag, unclosed = tags.next(text, at)
        if not tag then
            if unclosed then
                local kind = text:sub(unclosed, unclosed + 1)
                t.report:add(line + tags.lines(text:sub(at, unclosed - 1)), "%s without %s", kind, tags.CLOSERS[kind])
            end
            put(text:sub(at), trim, false)
            return writer.code
        end
        local indent, after
        if tag.kind ~= "{{" then
            indent, after = tags.alone(text, tag.open, tag.close)
        end
        put(text:sub(at, tag.open - 1 - #(indent or "")), trim, tag.trim_left)
        at, trim = after or tag.close, tag.trim_right
        if tag.kind == "{%" and tag.code:find("^%s*raw%s*$") then
            local raw, close = tags.raw(text, at)
            if not raw then
                t.report:add(line, "{% raw %} without {% endraw %}")
            end
            skip(tag.open, at)
            if raw then
                put(raw, false, false)
                skip(at + #raw, close)
                at = close
            end
        else
            writer:tag(tag, line, indent)
            line = line + tags.lines(text:sub(tag.open, tag.close - 1))
            skip(tag.close, at)
        end
    end
end

-- A template of the policy `l` (loader.lua), each file read once -> template | nil, problem.
function template.read(l, name)
    name = files.shortest(name)
    local found = l.templates[name]
    if found then
        return found
    end
    local text, display = files.text(l, name)
    if not text then
        return nil, display
    end
    local t = setmetatable({
        policy = l, name = name, display = display, report = l:open(display, text).problems,
        texts = {}, marks = {}, expressions = {}, uses = {}, includes = {}, include_lines = {},
    }, Template)
    l.templates[name] = t
    t.code = translate(t, text)
    l.scope:add(t)
    return t
end

function Template:include(name, line)
    local included, problem = template.read(self.policy, name)
    if included then
        self.includes[name], self.include_lines[name] = included, line
    else
        self.report:add(line, "include: %s", problem)
    end
end

--- Compiling and running -----------------------------------------------------------------

-- A way by which includes lead from `t` to `target`, as a list of names; nil for none.
local function way(t, target, seen)
    seen[t] = true
    for name, included in pairs(t.includes) do
        local rest = included == target and {} or not seen[included] and way(included, target, seen)
        if rest then
            table.insert(rest, 1, name)
            return rest
        end
    end
end

-- Reports the names that there are not -> by line, those that may be absent.
local function check_names(t, scope, code)
    local used, at = {}, 0
    local uses, message = host.names(code, "@" .. t.display)
    if not uses then
        t.report:add_message(message, 1)
        return used
    end
    for _, use in ipairs(uses) do
        used[use.line] = used[use.line] or {}
        table.insert(used[use.line], use)
        local problem = scope:name_problem(use)
        if problem then
            t.report:add(use.line, "%s%s", problem,
                         use.set and string.format(': write "local %s"', use.name) or "")
        end
    end
    for text in (code .. "\n"):gmatch "([^\n]*)\n" do
        at = at + 1
        used[at] = used[at] and filled.unguarded(used[at], text)
    end
    return used
end

-- Makes the function. Called once, when all vars are known.
function Template:compile()
    local scope, round = self.policy.scope, way(self, self, {})
    if round then
        self.report:add(self.include_lines[round[1]], "includes go round: %s, %s", self.name,
                        table.concat(round, ", "))
    end
    local code = table.concat(self.code)
    local call, message = host.load(code, "@" .. self.display, scope.env)
    self.call = call
    if call then
        self.used = check_names(self, scope, code)
    else
        self.report:add_text(template_syntax.problem(self.code, self.marks, self.display, message))
    end
    self.scope, self.code, self.marks, self.policy, self.report = scope, nil, nil, nil, nil
end

-- What the function threw, with the names that were absent on its line.
function Template:explained(message)
    local line = problems.split(message, self.display)
    local used = line and self.used[line]
    return used and filled.explain(self.scope, message, used) or message
end

-- The text, filled in for what the scope is about. Runs the policy's code, and throws what
-- goes wrong with its place: call it in a guard.
function Template:run()
    local out = {}
    local function write(text)
        out[#out + 1] = text
    end
    local function text_of(value, number)
        local expression = self.expressions[number]
        local text, problem = filled.text_of(value, expression.code)
        if not text then
            error(string.format("%s:%d: %s", self.display, expression.line, problem), 0)
        end
        return text
    end
    local function include(name, indent)
        local included = self.includes[name]
        if not included then
            error(string.format('include takes the name of a file that stands in the template: include "file", not %s',
                                problems.show(name)), 2)
        end
        local text = included:run()
        return indent and indent ~= "" and text:gsub("[^\n]+", indent .. "%0") or text
    end
    local outer = self.scope.running
    self.scope.running = self
    self.call(write, self.texts, text_of, include)
    self.scope.running = outer
    return table.concat(out)
end

return template
