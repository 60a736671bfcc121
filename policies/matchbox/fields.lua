-- Reads JSON into members of known types, as Go does: names in any case of letters, null for
-- what is absent, and any other type an error.

local fields = {}

-- What is wrong; caught by `attempt`.
local function fail(text, ...)
  error({ text = text:format(...) }, 0)
end

-- f(…) -> what it returns | nil, what is wrong.
function fields.attempt(f, ...)
  local ok, result = pcall(f, ...)
  if ok then
    return result
  elseif type(result) == "table" then
    return nil, result.text
  end
  error(result, 0)
end

-- A member of an object by its name, in any case of letters; null is absent.
local function member(object, name)
  local value = object[name]
  if value == nil then
    for key, other in pairs(object) do
      if key:lower() == name then
        value = other
      end
    end
  end
  if value ~= json.null then
    return value
  end
end

-- "" when it is absent.
function fields.text(object, name)
  local value = member(object, name)
  if value ~= nil and type(value) ~= "string" then
    fail("%s: found a %s, expected text", name, type(value))
  end
  return value or ""
end

-- nil when it is absent.
function fields.object(object, name)
  local value = member(object, name)
  if value ~= nil and (type(value) ~= "table" or value[1] ~= nil) then
    fail("%s: found a %s, expected an object", name, type(value) == "table" and "list" or type(value))
  end
  return value
end

function fields.texts(object, name)
  local value = member(object, name) or {}
  if type(value) ~= "table" or next(value) ~= nil and #value == 0 then
    fail("%s: expected a list of texts", name)
  end
  local texts = {}
  for i, item in ipairs(value) do
    if type(item) ~= "string" and item ~= json.null then
      fail("%s[%d]: found a %s, expected text", name, i, type(item))
    end
    texts[i] = item ~= json.null and item or ""
  end
  return texts
end

-- The object that a text is.
function fields.decode(text)
  local value, problem = json.decode(text)
  if value == nil then
    fail("no JSON: %s", problem)
  elseif not text:find "^%s*{" then
    fail "expected an object"
  end
  return value
end

fields.fail = fail

return fields
