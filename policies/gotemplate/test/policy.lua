-- What Go's own package says to each template of cases.json, and what this one says.

local gotemplate = require "moonboot.gotemplate"

local cases = {}
for line in read("cases.json"):gmatch "[^\n]+" do
  cases[#cases + 1] = assert(json.decode(line))
end
local data = table.remove(cases, 1)
data.query = gotemplate.texts(data.query)

serve "/case/:number" (function(request)
  local case = cases[tonumber(request.params.number)]
  if not case then
    return nil
  end
  local template = gotemplate.parse("t", case.template)
  local text = template and template:render(data, true)
  local failed = not template and "parse" or not text and "run" or nil
  if text == case.out and failed == case.fails then
    return "agrees\n"
  end
  return ("%s\nGo:   %s\nhere: %s\n"):format(case.template, case.out or case.fails, text or failed)
end)

-- Any template, with that data. What is wrong with it is 422.
serve "/render" (function(request)
  local template, problem = gotemplate.parse("t", request.query.template)
  local text
  if template then
    local own = { a = "text", l = { "a" }, m = {}, none = gotemplate.list {}, q = gotemplate.texts {} }
    text, problem = template:render(own, request.query.strict == "yes")
  end
  return text or { status = 422, body = problem }
end)
