-- From a template's text to tokens: { type =, value =, line = }.
--
-- Types: "text"; "{{", "}}"; "space"; "field" (.name), ".", "variable" ($name, $), "word",
-- "keyword", "bool", "nil", "number", "char", "string" (its meaning); "(", ")", "|", ",", ":=",
-- "="; "end" of the whole text.

local quote = require "moonboot.gotemplate.quote"

local lex = {}

local KEYWORDS = {
  ["block"] = true, ["break"] = true, ["continue"] = true, ["define"] = true, ["else"] = true,
  ["end"] = true, ["if"] = true, ["range"] = true, ["template"] = true, ["with"] = true,
}

-- Letters, digits, the underscore, and what is beyond ASCII.
local NAME = "[%w_\128-\255]*"

local Lexer = {}
Lexer.__index = Lexer

function Lexer:fail(text, ...)
  error({ line = self.line, text = text:format(...) }, 0)
end

function Lexer:add(type, value)
  self.tokens[#self.tokens + 1] = { type = type, value = value, line = self.line }
end

-- Moves to a place and counts the lines on the way.
function Lexer:move(to)
  self.line = self.line + select(2, self.text:sub(self.at, to - 1):gsub("\n", ""))
  self.at = to
end

-- Where a delimiter ends that closes an action here, and whether text after it is trimmed.
function Lexer:closing()
  if self.text:find("^}}", self.at) then
    return self.at + 2, false
  elseif self.text:find("^[ \t\r\n]%-}}", self.at) then
    return self.at + 4, true
  end
end

-- Behind a closing delimiter.
function Lexer:close(after, trims)
  self:move(after)
  if trims then
    self:move(self.text:match("^[ \t\r\n]*()", self.at))
  end
end

-- {{/* … */}}, whole actions with nothing else in them.
function Lexer:comment()
  local stop = self.text:find("*/", self.at + 2, true)
  if not stop then
    self:fail "unclosed comment"
  end
  self:move(stop + 2)
  local after, trims = self:closing()
  if not after then
    self:fail "a comment ends before its }}"
  end
  self:close(after, trims)
end

-- Text up to the next action; false at the end.
function Lexer:text_and_open()
  local open = self.text:find("{{", self.at, true)
  local text = self.text:sub(self.at, (open or 0) - 1)
  local trims = open and self.text:find("^%-[ \t\r\n]", open + 2)
  local kept = trims and text:gsub("[ \t\r\n]+$", "") or text
  if kept ~= "" then
    self:add("text", kept)
  end
  if not open then
    self:move(#self.text + 1)
    return false
  end
  self:move(open + (trims and 3 or 2))
  local comment = self.text:match("^[ \t\r\n]?()/%*", self.at)
  if comment and (trims or comment == self.at) then
    self:move(comment)
    self:comment()
    return true
  end
  self:add "{{"
  self:inside()
  return true
end

-- What must stand behind a name, so that "a%b" is no name followed by something.
function Lexer:check_end_of(name)
  local next = self.text:sub(self.at, self.at)
  if not (next == "" or next:find "[ \t\r\n.,|:()]" or self.text:find("^}}", self.at)) then
    self:fail("unexpected %q after %s", next, name)
  end
end

function Lexer:name(start)
  local after = self.text:match("^" .. NAME .. "()", self.at + #start)
  local name = self.text:sub(self.at, after - 1)
  self:move(after)
  self:check_end_of(name)
  return name
end

function Lexer:quoted(mark)
  local at = self.at + 1
  while true do
    local c, stop = self.text:match("([\\\n" .. mark .. "])()", at)
    if not c or c == "\n" then
      self:fail(mark == "'" and "unterminated character constant" or "unterminated quoted string")
    elseif c == mark then
      local literal = self.text:sub(self.at, stop - 1)
      self:move(stop)
      return literal
    end
    at = stop + 1
  end
end

-- An int has type "int", so that 3 and 3.0 are told apart.
function Lexer:number()
  local literal = self.text:match("^[+-]?[%w_.]+", self.at)
  local body = literal and literal:match "^[+-]?(.*)$"
  if body and body:find "^%d[%d_.]*[eE]$" or body and body:find "^0[xX][%x_.]*[pP]$" then
    literal = literal .. (self.text:match("^[+-]%d+", self.at + #literal) or "")
  end
  literal = literal or self.text:sub(self.at, self.at)
  local value, type = lex.number(literal)
  if not value then
    self:fail("bad number: %q", literal)
  end
  self:add("number", { value = value, type = type })
  self:move(self.at + #literal)
  self:check_end_of(literal)
end

local BASES = { b = 2, o = 8, x = 16 }

-- Go's literal -> number, "int" or "float".
function lex.number(literal)
  local sign, body = literal:match "^([+-]?)(.+)$"
  if not body or body:find "__" or body:find "_$" or body:find "^_" then
    return nil
  end
  body = body:gsub("_", ""):lower()
  local letter, digits = body:match "^0([box])(.+)$"
  local value
  if letter == "x" and digits:find "[.p]" then
    value = digits:find "p" and tonumber(body) or nil
  elseif letter then
    value = not digits:find "%X" and tonumber(digits, BASES[letter]) or nil
  elseif body:find "^0[0-7]+$" then
    value = tonumber(body, 8)
  elseif body:find "^[%d.]+$" or body:find "^[%d.]+e[+-]?%d+$" then
    value = not body:find "^0%d+$" and tonumber(body) or nil
  end
  local is_float = not letter and body:find "[.e]" or letter == "x" and digits:find "[.p]"
  if not value or value == math.huge or not is_float and value > 2 ^ 63 then
    return nil
  end
  return sign == "-" and -value or value, is_float and "float" or "int"
end

function Lexer:word()
  local word = self:name ""
  if word == "true" or word == "false" then
    self:add("bool", word == "true")
  elseif word == "nil" then
    self:add "nil"
  elseif KEYWORDS[word] then
    self:add("keyword", word)
  else
    self:add("word", word)
  end
end

local START = {}

START['"'] = function(self)
  local literal = self:quoted '"'
  local value = quote.read(literal, '"')
  if not value then
    self:fail("bad escape in %s", literal)
  end
  self:add("string", value)
end

START["`"] = function(self)
  local stop = self.text:find("`", self.at + 1, true)
  if not stop then
    self:fail "unterminated raw quoted string"
  end
  self:add("string", (self.text:sub(self.at + 1, stop - 1):gsub("\r", "")))
  self:move(stop + 1)
end

START["'"] = function(self)
  local literal = self:quoted "'"
  local value = quote.read(literal, "'")
  local rune, size
  if value and value ~= "" then
    rune, size = quote.rune_at(value, 1)
    rune = rune or value:byte()
  end
  if not rune or size ~= #value then
    self:fail("malformed character constant: %s", literal)
  end
  self:add("number", { value = rune, type = "int" })
end

START["$"] = function(self)
  self:add("variable", self:name "$")
end

START["."] = function(self)
  if self.text:find("^%.%d", self.at) then
    return self:number()
  end
  local name = self:name "."
  if name == "." then
    self:add "."
  else
    self:add("field", name:sub(2))
  end
end

local function single(c)
  START[c] = function(self)
    self:add(c)
    self:move(self.at + 1)
  end
end

for _, c in ipairs { "|", "=", ",", "(", ")" } do
  single(c)
end

START[":"] = function(self)
  if not self.text:find("^:=", self.at) then
    self:fail "expected :="
  end
  self:add ":="
  self:move(self.at + 2)
end

-- The tokens of one action, its closing delimiter included.
function Lexer:inside()
  local opened = self.line
  while true do
    local after, trims = self:closing()
    local c = self.text:sub(self.at, self.at)
    if after then
      self:add "}}"
      return self:close(after, trims)
    elseif c == "" then
      self.line = opened
      self:fail "unclosed action"
    elseif c:find "[ \t\r\n]" then
      -- one at a time: the last may belong to " -}}"
      if self.tokens[#self.tokens].type ~= "space" then
        self:add "space"
      end
      self:move(self.at + 1)
    elseif START[c] then
      START[c](self)
    elseif c:find "[%d+-]" then
      self:number()
    elseif c:find "[%a_\128-\255]" then
      self:word()
    else
      self:fail("unexpected %q in an action", c)
    end
  end
end

-- text -> tokens. Throws { line =, text = }.
function lex.tokens(text)
  local lexer = setmetatable({ text = text, at = 1, line = 1, tokens = {} }, Lexer)
  repeat until not lexer:text_and_open()
  lexer:add "end"
  return lexer.tokens
end

return lex
