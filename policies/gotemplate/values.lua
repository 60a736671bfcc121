-- The values of a template, as Go would hold them after decoding JSON: text, booleans, lists
-- and maps are Lua's; a Lua number is a float64. What JSON does not have is boxed: the
-- integers that templates write down and count, and maps whose values are all text.

local values = {}

local Integer = {}
local List = {}
local Texts = {}

-- An int; `type` is another type of Go's that prints like one.
function values.int(n, type)
  return setmetatable({ n = n, type = type or "int" }, Integer)
end

-- A list, which needs no marking unless it is empty.
function values.list(items)
  return setmetatable(items, List)
end

-- A map[string]string: a key that it lacks is "", not nil.
function values.texts(map)
  return setmetatable(map, Texts)
end

-- "nil" "bool" "int" "float" "string" "list" "map". JSON's null is a userdata, or nothing.
-- An empty table is taken for a map unless it is marked: JSON's decoder does not tell.
function values.kind(value)
  local kind = type(value)
  if kind == "number" then
    return "float"
  elseif kind == "boolean" then
    return "bool"
  elseif kind == "table" then
    local meta = getmetatable(value)
    if meta == Integer then
      return "int"
    end
    local marked = meta == List or meta == "array" -- json.array
    return (marked or meta ~= Texts and value[1] ~= nil) and "list" or "map"
  elseif kind == "string" then
    return kind
  end
  return "nil"
end

local TYPES = {
  bool = "bool", float = "float64", string = "string", list = "[]interface {}",
  map = "map[string]interface {}", ["nil"] = "<nil>",
}

-- The name of its type in Go.
function values.type(value)
  local kind = values.kind(value)
  if kind == "int" then
    return value.type
  elseif getmetatable(value) == Texts then
    return "map[string]string"
  end
  return TYPES[kind]
end

-- What a map has for a key that it lacks.
function values.zero(map)
  if getmetatable(map) == Texts then
    return ""
  end
  return nil
end

-- What `if`, `and`, `or` and `not` ask.
function values.truth(value)
  local kind = values.kind(value)
  if kind == "int" then
    return value.n ~= 0
  elseif kind == "string" then
    return value ~= ""
  elseif kind == "list" or kind == "map" then
    return next(value) ~= nil
  end
  return kind == "bool" and value or kind == "float" and value ~= 0
end

-- A map's keys in order.
function values.keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- What `range` goes over: { key, value } pairs in order, a list's keys being ints; nil when
-- it cannot.
function values.entries(value)
  local kind = values.kind(value)
  local entries = {}
  if kind == "list" then
    for i, each in ipairs(value) do
      entries[i] = { values.int(i - 1), each }
    end
  elseif kind == "map" then
    for i, key in ipairs(values.keys(value)) do
      entries[i] = { key, value[key] }
    end
  elseif kind ~= "nil" then
    return nil
  end
  return entries
end

return values
