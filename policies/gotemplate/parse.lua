-- From a template's text to a tree, by name of template: the text itself is "", and what it
-- defines has names of its own.
--
-- Nodes: text, action, if, with, range, template, break, continue; the pipes in them are
-- parser.lua's.

local lex = require "moonboot.gotemplate.lex"
local Parser = require "moonboot.gotemplate.parser"

local parse = {}

local STATEMENTS = {}

-- Nodes up to {{end}} or {{else …}} -> list, the keyword that ended it.
function Parser:list()
  local nodes = {}
  self:deeper()
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
