-- From a template's text to a tree, by name of template: the text itself is "", and what it
-- defines has names of its own.
--
-- Nodes: text, action, if, with, range, template, break, continue. Each pipe is
-- { commands =, declares = names, assigns = }, each command a list of operands:
-- field, variable, chain, dot, nil, bool, number, string, function, pipe.

local lex = require "moonboot.gotemplate.lex"

local parse = {}

local Parser = {}
Parser.__index = Parser

-- Nested deeper than anyone writes; C's stack is not asked.
local DEPTH = 200

function Parser:fail(text, ...)
  error({ line = self.line, text = text:format(...) }, 0)
end

function Parser:peek()
  return self.tokens[self.at]
end

function Parser:next()
  local token = self.tokens[self.at]
  self.at = self.at + 1
  self.line = token.line
  return token
end

function Parser:skip_space()
  if self:peek().type == "space" then
    self:next()
  end
  return self:peek()
end

local function show(token)
  if token.type == "end" then
    return "the end of the template"
  elseif token.type == "string" then
    return ("%q"):format(token.value)
  elseif token.type == "field" then
    return '"."' .. token.value
  elseif token.type == "number" then
    return tostring(token.value.value)
  end
  return '"' .. tostring(token.value == nil and token.type or token.value) .. '"'
end

function Parser:unexpected(token, where)
  self.line = token.line
  self:fail("unexpected %s in %s", show(token), where)
end

function Parser:expect(type, where)
  self:skip_space()
  local token = self:next()
  if token.type ~= type then
    self:unexpected(token, where)
  end
  return token
end

--- Pipelines -----------------------------------------------------------------------------

function Parser:check_variable(name)
  for _, known in ipairs(self.variables) do
    if known == name then
      return
    end
  end
  self:fail("undefined variable %q", name)
end

local CONSTANTS = { ["."] = "dot", ["nil"] = "nil", bool = "bool", number = "number", string = "string" }

-- One operand without the fields behind it; nil when there is none here.
function Parser:term()
  local token = self:peek()
  local type = CONSTANTS[token.type]
  if type then
    self:next()
    return { type = type, value = token.value }
  elseif token.type == "word" then
    self:next()
    if not self.functions[token.value] then
      self:fail("function %q not defined", token.value)
    end
    return { type = "function", name = token.value }
  elseif token.type == "field" then
    self:next()
    return { type = "field", names = { token.value } }
  elseif token.type == "variable" then
    self:next()
    self:check_variable(token.value)
    return { type = "variable", name = token.value, names = {} }
  elseif token.type == "(" then
    self:next()
    return { type = "pipe", pipe = self:pipeline("a parenthesized pipeline", ")") }
  end
end

function Parser:operand()
  local node = self:term()
  if not node or self:peek().type ~= "field" then
    return node
  end
  if node.type == "function" or node.type == "pipe" then
    node = { type = "chain", of = node, names = {} }
  elseif not node.names then
    self:fail("unexpected . after a constant")
  end
  while self:peek().type == "field" do
    table.insert(node.names, self:next().value)
  end
  return node
end

-- Operands up to "|" or what ends the pipeline, which is left there.
function Parser:command(where)
  local operands = {}
  while true do
    self:skip_space()
    operands[#operands + 1] = self:operand()
    local token = self:peek()
    if token.type == "}}" or token.type == ")" or token.type == "|" then
      break
    elseif token.type ~= "space" or #operands == 0 then
      self:next()
      self:unexpected(token, where)
    end
  end
  if #operands == 0 then
    self:fail "empty command"
  end
  return { operands = operands, line = self.line }
end

-- "$x :=", "$x =", and for range "$i, $x :=".
function Parser:declarations(pipe, where)
  local start = self.at
  local names = {}
  repeat
    local variable = self:skip_space()
    if variable.type ~= "variable" then
      break
    end
    self:next()
    names[#names + 1] = variable.value
    local follows = self:skip_space().type
    if follows == ":=" or follows == "=" then
      self:next()
      pipe.declares, pipe.assigns = names, follows == "="
      for _, name in ipairs(names) do
        table.insert(self.variables, name) -- assigned or declared: run.lua knows better
      end
      return
    elseif follows ~= "," then
      break
    end
    self:next()
    if where ~= "range" or #names == 2 then
      self:fail("too many declarations in %s", where)
    end
  until false
  if #names > 1 then
    self:fail "range can only initialize variables"
  end
  self.at = start
end

local FIRST_ONLY = { dot = true, ["nil"] = true, bool = true, number = true, string = true }

function Parser:pipeline(where, closing)
  local pipe = { commands = {}, line = self.line }
  self.depth = self.depth + 1
  if self.depth > DEPTH then
    self:fail "nested too deeply"
  end
  self:declarations(pipe, where)
  while self:skip_space().type ~= closing do
    pipe.commands[#pipe.commands + 1] = self:command(where)
    local token = self:skip_space()
    if token.type == "|" then
      self:next() -- Go does not mind when nothing follows
    elseif token.type ~= closing then
      self:next()
      self:unexpected(token, where)
    end
  end
  self:next()
  if #pipe.commands == 0 then
    self:fail("missing value for %s", where)
  end
  for stage = 2, #pipe.commands do
    if FIRST_ONLY[pipe.commands[stage].operands[1].type] then
      self:fail("non executable command in pipeline stage %d", stage)
    end
  end
  self.depth = self.depth - 1
  return pipe
end

--- Statements ----------------------------------------------------------------------------

local STATEMENTS = {}

-- Nodes up to {{end}} or {{else …}} -> list, the keyword that ended it.
function Parser:list()
  local nodes = {}
  self.depth = self.depth + 1
  if self.depth > DEPTH then
    self:fail "nested too deeply"
  end
  while true do
    local token = self:next()
    if token.type == "end" then
      self:fail "unexpected end of the template: an {{end}} is missing"
    elseif token.type == "text" then
      nodes[#nodes + 1] = { type = "text", text = token.value }
    else
      local stop = self:action(nodes, token.line)
      if stop then
        self.depth = self.depth - 1
        return nodes, stop
      end
    end
  end
end

-- Behind {{: adds its node to the list. {{end}} and {{else}} are told to the caller.
function Parser:action(nodes, line)
  local token = self:skip_space()
  if token.type ~= "keyword" then
    nodes[#nodes + 1] = { type = "action", pipe = self:pipeline("command", "}}"), line = line }
    return nil
  end
  self:next()
  if token.value == "end" then
    self:expect("}}", "end")
    return "end"
  elseif token.value == "else" then
    return "else"
  end
  local node = STATEMENTS[token.value](self)
  if node then
    node.line = line
    nodes[#nodes + 1] = node
  end
  return nil
end

-- Variables declared since there were so many.
function Parser:forget(count)
  for i = #self.variables, count + 1, -1 do
    self.variables[i] = nil
  end
end

local function control(type)
  local function read(self)
    local node = { type = type }
    local variables = #self.variables
    node.pipe = self:pipeline(type, "}}")
    local stop
    self.ranges = self.ranges + (type == "range" and 1 or 0)
    node.list, stop = self:list()
    self.ranges = self.ranges - (type == "range" and 1 or 0)
    if stop == "else" then
      local token = self:skip_space()
      if token.type == "keyword" and token.value == type and type ~= "range" then
        self:next()
        node.other = { read(self) } -- "else if" shares our "end"
        node.other[1].line = token.line
        self:forget(variables)
        return node
      end
      self:expect("}}", "else")
      node.other, stop = self:list()
      if stop == "else" then
        self:fail "expected end; found {{else}}"
      end
    end
    self:forget(variables)
    return node
  end
  return read
end

STATEMENTS["if"] = control "if"
STATEMENTS["with"] = control "with"
STATEMENTS["range"] = control "range"

local function leave(word)
  STATEMENTS[word] = function(self)
    self:expect("}}", word)
    if self.ranges == 0 then
      self:fail("{{%s}} outside {{range}}", word)
    end
    return { type = word }
  end
end

leave "break"
leave "continue"

function Parser:add(name, list)
  local blank = true
  for _, node in ipairs(list) do
    blank = blank and node.type == "text" and not node.text:find "%S"
  end
  local first = self.templates[name]
  if first and not first.blank and not blank then
    self:fail("multiple definition of template %q", name)
  elseif not first or not blank then -- an empty one replaces nothing
    list.blank = blank
    self.templates[name] = list
  end
end

-- The body of a template of its own, which sees no variables but $.
function Parser:body(name)
  local variables, ranges = self.variables, self.ranges
  self.variables, self.ranges = { "$" }, 0
  local list, stop = self:list()
  if stop == "else" then
    self:fail "unexpected {{else}}"
  end
  self.variables, self.ranges = variables, ranges
  self:add(name, list)
end

STATEMENTS["define"] = function(self)
  if self.depth > 1 then
    self:fail "unexpected {{define}}"
  end
  local name = self:expect("string", "define").value
  self:expect("}}", "define")
  self:body(name)
end

function Parser:name_and_pipe(where, required)
  local name = self:expect("string", where).value
  if self:skip_space().type ~= "}}" or required then
    return { type = "template", name = name, pipe = self:pipeline(where, "}}") }
  end
  self:next()
  return { type = "template", name = name }
end

STATEMENTS["template"] = function(self)
  return self:name_and_pipe("template", false)
end

STATEMENTS["block"] = function(self)
  local node = self:name_and_pipe("block", true)
  self:body(node.name)
  return node
end

-- Tokens of a whole template end with "end": the list that has no {{end}}.
function Parser:top()
  local nodes = {}
  self.depth = 1
  while self:peek().type ~= "end" do
    local token = self:next()
    if token.type == "text" then
      nodes[#nodes + 1] = { type = "text", text = token.value }
    else
      local stop = self:action(nodes, token.line)
      if stop then
        self:fail("unexpected {{%s}}", stop)
      end
    end
  end
  self:add("", nodes)
end

-- text, functions by name -> { [name] = list of nodes }. Throws { line =, text = }.
function parse.templates(text, functions)
  local parser = setmetatable({
    tokens = lex.tokens(text), at = 1, line = 1, depth = 0, functions = functions,
    variables = { "$" }, ranges = 0, templates = {},
  }, Parser)
  parser:top()
  return parser.templates
end

return parse
