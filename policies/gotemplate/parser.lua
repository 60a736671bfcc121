-- What is inside {{…}}: pipelines. The statements around them are parse.lua's.
--
-- A pipe is { commands =, declares = names, assigns =, line = }, a command { operands =, line = };
-- operands are field, variable, chain, dot, nil, bool, number, string, function, pipe.
--
-- A parser has tokens and at, line, depth, functions, and variables: the names in scope.

local Parser = {}
Parser.__index = Parser

-- Nested deeper than anyone writes.
local DEPTH = 200

function Parser:fail(text, ...)
  error({ line = self.line, text = text:format(...) }, 0)
end

function Parser:deeper()
  self.depth = self.depth + 1
  if self.depth > DEPTH then
    self:fail "nested too deeply"
  end
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

return Parser
