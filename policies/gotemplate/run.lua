-- Fills in a parsed template.

local format = require "moonboot.gotemplate.format"
local values = require "moonboot.gotemplate.values"

local run = {}

local kind_of = values.kind

-- {{template}} within {{template}}.
local DEPTH = 100

-- No piped value, where nil is one.
local NONE = {}

local Run = {}
Run.__index = Run

function Run:fail(text, ...)
  error({ line = self.line, text = text:format(...) }, 0)
end

function Run:variable(name)
  for i = #self.variables, 1, -1 do
    if self.variables[i].name == name then
      return self.variables[i]
    end
  end
  self:fail("undefined variable: %s", name)
end

function Run:forget(count)
  for i = #self.variables, count + 1, -1 do
    self.variables[i] = nil
  end
end

--- Values --------------------------------------------------------------------------------

function Run:field(of, name)
  local kind = kind_of(of)
  if kind == "map" then
    local value = of[name]
    if value ~= nil then
      return value
    elseif self.strict then
      self:fail("map has no entry for key %q", name)
    end
    return values.zero(of)
  elseif kind == "nil" then
    self:fail("nil has no field %q", name)
  end
  self:fail("can't evaluate field %s in type %s", name, values.type(of))
end

function Run:fields(of, names)
  for _, name in ipairs(names) do
    of = self:field(of, name)
  end
  return of
end

local NODES = {}

function NODES.dot(_, dot) return dot end
NODES["nil"] = function() return nil end
function NODES.bool(_, _, node) return node.value end
function NODES.string(_, _, node) return node.value end

function NODES.number(_, _, node)
  return node.value.type == "int" and values.int(node.value.value) or node.value.value
end

function NODES.field(self, dot, node)
  return self:fields(dot, node.names)
end

function NODES.variable(self, _, node)
  return self:fields(self:variable(node.name).value, node.names)
end

function NODES.chain(self, dot, node)
  return self:fields(NODES[node.of.type](self, dot, node.of), node.names)
end

function NODES.pipe(self, dot, node)
  return self:pipeline(dot, node.pipe)
end

NODES["function"] = function(self, dot, node)
  return self:call(dot, self.functions[node.name], { node }, NONE)
end

--- Calls ---------------------------------------------------------------------------------

function Run:check_count(f, count)
  if count < f.least or f.most and count > f.most then
    self:fail("wrong number of args for %s: want %s%d got %d", f.name,
              f.most and "" or "at least ", f.least, count)
  end
end

function Run:check_first(f, value)
  if f.first == "string" and type(value) ~= "string" then
    self:fail("wrong type for the first argument of %s: expected string; found %s", f.name,
              values.type(value))
  end
end

-- `and` and `or`: the first argument that decides, or the last.
function Run:decide(dot, f, operands, final)
  local value
  for i = 2, #operands do
    value = NODES[operands[i].type](self, dot, operands[i])
    if f.lazy(value) then
      return value
    end
  end
  if final ~= NONE then
    return final
  end
  return value
end

-- `operands`: the function's own node and the arguments behind it.
function Run:call(dot, f, operands, final)
  local count = #operands - 1 + (final ~= NONE and 1 or 0)
  self:check_count(f, count)
  if f.lazy then
    return self:decide(dot, f, operands, final)
  end
  local arguments = { n = count }
  for i = 2, #operands do
    arguments[i - 1] = NODES[operands[i].type](self, dot, operands[i])
  end
  if final ~= NONE then
    arguments[count] = final
  end
  self:check_first(f, arguments[1])
  local ok, result = pcall(f.call, arguments)
  if ok then
    return result
  elseif type(result) == "table" then
    self:fail("error calling %s: %s", f.name, result.text)
  end
  error(result, 0) -- not the function's: a deadline
end

function Run:command(dot, command, final)
  local operands = command.operands
  local first = operands[1]
  self.line = command.line
  if first.type == "function" then
    return self:call(dot, self.functions[first.name], operands, final)
  elseif #operands > 1 or final ~= NONE then
    self:fail "can't give argument to non-function"
  elseif first.type == "nil" then
    self:fail "nil is not a command"
  end
  return NODES[first.type](self, dot, first)
end

-- The value of a pipeline, which its variables have from now on.
function Run:pipeline(dot, pipe)
  local value = NONE
  for _, command in ipairs(pipe.commands) do
    value = self:command(dot, command, value)
  end
  for _, name in ipairs(pipe.declares or {}) do
    if pipe.assigns then
      self:variable(name).value = value
    else
      table.insert(self.variables, { name = name, value = value })
    end
  end
  return value
end

--- Statements ----------------------------------------------------------------------------

local STATEMENTS = {}

-- Runs a list of nodes; "break" or "continue" when it was left by one.
function Run:list(dot, nodes)
  for _, node in ipairs(nodes or {}) do
    if node.type == "text" then
      self:write(node.text)
    else
      self.line = node.line
      local left = STATEMENTS[node.type](self, dot, node)
      if left then
        return left
      end
    end
  end
end

function Run:write(text)
  self.out[#self.out + 1] = text
end

function STATEMENTS.action(self, dot, node)
  local value = self:pipeline(dot, node.pipe)
  if not node.pipe.declares then
    self:write(format.show(value))
  end
end

STATEMENTS["break"] = function() return "break" end
STATEMENTS["continue"] = function() return "continue" end

local function chosen(self, dot, node, inner)
  local variables = #self.variables
  local value = self:pipeline(dot, node.pipe)
  local left
  if values.truth(value) then
    left = self:list(inner and value or dot, node.list)
  else
    left = self:list(dot, node.other)
  end
  self:forget(variables)
  return left
end

STATEMENTS["if"] = function(self, dot, node)
  return chosen(self, dot, node, false)
end

STATEMENTS["with"] = function(self, dot, node)
  return chosen(self, dot, node, true)
end

STATEMENTS["range"] = function(self, dot, node)
  local before = #self.variables
  local pipe = node.pipe
  local value = self:pipeline(dot, pipe)
  local entries = values.entries(value) or self:fail("range can't iterate over %s", format.show(value))
  local inside = #self.variables
  local names = pipe.declares or {}
  local left
  for _, entry in ipairs(entries) do
    -- one name is the value's, of two the first is the key's
    if names[1] then
      self:variable(names[#names]).value = entry[2]
    end
    if names[2] then
      self:variable(names[1]).value = entry[1]
    end
    left = self:list(entry[2], node.list)
    self:forget(inside)
    if left == "break" then
      break
    end
  end
  self:forget(before)
  if #entries == 0 then
    return self:list(dot, node.other)
  end
end

STATEMENTS["template"] = function(self, dot, node)
  local list = self.templates[node.name]
  if not list then
    self:fail("template %q not defined", node.name)
  elseif self.depth >= DEPTH then
    self:fail("templates are nested deeper than %d", DEPTH)
  end
  local inner
  if node.pipe then
    inner = self:pipeline(dot, node.pipe)
  end
  local variables = self.variables
  self.variables, self.depth = { { name = "$", value = inner } }, self.depth + 1
  self:list(inner, list)
  self.variables, self.depth = variables, self.depth - 1
end

-- A template ({ templates = by name, functions = by name }), data -> text. `strict`: a key that a
-- map lacks is an error. Throws { line =, text = }.
function run.text(template, data, strict)
  local state = setmetatable({
    templates = template.templates, functions = template.functions, strict = strict, depth = 0, line = 1, out = {},
    variables = { { name = "$", value = data } },
  }, Run)
  state:list(data, template.templates[""])
  return table.concat(state.out)
end

return run
