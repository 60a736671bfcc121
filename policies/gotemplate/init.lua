-- Go's text/template, for data that was written for it: see gotemplate/README.md.
--
--   local gotemplate = require "moonboot.gotemplate"
--   local greeting = gotemplate.parse("hello", "Hello, {{.name}}!")
--   greeting:render { name = "world" } --> "Hello, world!"

local functions = require "moonboot.gotemplate.functions"
local parse = require "moonboot.gotemplate.parse"
local run = require "moonboot.gotemplate.run"
local values = require "moonboot.gotemplate.values"

local gotemplate = { texts = values.texts, list = values.list }

local Template = {}
Template.__index = Template

-- What parse and run throw, with its place. Anything else is not theirs, and goes on.
local function message(name, problem)
  if type(problem) ~= "table" then
    error(problem, 0)
  end
  return ("%s:%d: %s"):format(name, problem.line, problem.text)
end

-- The functions of every template, and those of one template besides: of text, to text.
local function with_more(more)
  local all = setmetatable({}, { __index = functions })
  for name, call in pairs(more) do
    all[name] = {
      name = name, least = 1, most = 1, first = "string",
      call = function(arguments) return call(arguments[1]) end,
    }
  end
  return all
end

-- A template from its text -> template | nil, "name:line: message". `more`: functions by name that
-- it has besides, each from text to text; what they throw is the template's failure.
function gotemplate.parse(name, text, more)
  local known = more and with_more(more) or functions
  local ok, templates = pcall(parse.templates, text, known)
  if not ok then
    return nil, message(name, templates)
  end
  return setmetatable({ name = name, templates = templates, functions = known }, Template)
end

-- The text, filled in -> text | nil, "name:line: message". `strict` is Go's option
-- missingkey=error: a key that a map lacks is an error, not "<no value>".
function Template:render(data, strict)
  local ok, text = pcall(run.text, self, data, strict)
  if not ok then
    return nil, message(self.name, text)
  end
  return text
end

return gotemplate
