-- What a Pixiecore API answers for a machine (Pixiecore's README.api.md), read with care.

local gotemplate = require "moonboot.gotemplate"

-- Without "." and "..", as RFC 3986 has it (5.2.4).
local function plain_path(path)
  local parts = {}
  for part in (path .. "/"):gmatch "(.-)/" do
    parts[#parts + 1] = part
  end
  local kept = {}
  for i, part in ipairs(parts) do
    if part == ".." then
      table.remove(kept)
    elseif part ~= "." and (part ~= "" or i == #parts) then
      kept[#kept + 1] = part
    end
    if i == #parts and (part == "." or part == "..") then
      kept[#kept + 1] = ""
    end
  end
  return "/" .. table.concat(kept, "/")
end

-- A URL as the API wrote it, absolute: against the API's own.
local function absolute(text, api)
  if text == "" or text:find "[%c ]" then
    error({ text = ('"%s" is no URL'):format(text) }, 0)
  end
  local scheme = text:match "^(%a[%w+.-]*):"
  if scheme and (scheme:lower() == "http" or scheme:lower() == "https") then
    return text
  elseif scheme then
    error({ text = ("%s: a machine can fetch only what is at http:// or https://"):format(text) }, 0)
  end
  local api_scheme, host, path = api:match "^(https?):(//[^/?#]+)([^?#]*)"
  if text:sub(1, 2) == "//" then
    return api_scheme .. ":" .. text
  end
  local own, rest = text:match "^([^?#]*)(.*)$"
  if own == "" then
    own = path
  elseif own:sub(1, 1) ~= "/" then
    own = (path:match "^.*/" or "/") .. own
  end
  return api_scheme .. ":" .. host .. plain_path(own) .. rest
end

-- A text of the answer; "" and null are as good as nothing.
local function text_of(answer, key)
  local value = answer[key]
  if value == nil or value == json.null or value == "" then
    return nil
  elseif type(value) ~= "string" then
    error({ text = ("%s is no text"):format(key) }, 0)
  end
  return value
end

local function initrds(answer, api)
  local list, value = {}, answer.initrd
  if value == nil or value == json.null then
    return list
  elseif type(value) ~= "table" then
    error({ text = "initrd is no list" }, 0)
  end
  for key, each in pairs(value) do
    if type(key) ~= "number" or type(each) ~= "string" then
      error({ text = "initrd is no list of texts" }, 0)
    end
    list[key] = absolute(each, api)
  end
  return list
end

-- As Linux takes its command line apart: at white space, but not between quotes.
local function split(line)
  local args, word, quoted = {}, {}, false
  local function finish()
    if #word > 0 then
      args[#args + 1] = table.concat(word)
      word = {}
    end
  end
  for char in line:gmatch "." do
    if char == '"' then
      quoted = not quoted
    end
    if char:find "%s" and not quoted then
      finish()
    else
      word[#word + 1] = char
    end
  end
  finish()
  return args
end

local function from_template(line, api)
  local template, problem = gotemplate.parse("cmdline", line, {
    URL = function(text) return absolute(text, api) end,
  })
  local filled
  if template then
    filled, problem = template:render {}
  end
  if not filled then
    error({ text = problem }, 0)
  end
  return split(filled)
end

-- The older way: { name = "value", name = true, name = { url = "…" } }, by name.
local function from_table(map, api)
  local names, args = {}, {}
  for name in pairs(map) do
    if type(name) ~= "string" then
      error({ text = "cmdline is neither a text nor a table by name" }, 0)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = map[name]
    if value == true then
      args[#args + 1] = name
    elseif type(value) == "string" then
      args[#args + 1] = name .. "=" .. value
    elseif type(value) == "table" and type(value.url) == "string" then
      args[#args + 1] = name .. "=" .. absolute(value.url, api)
    elseif value ~= false then
      error({ text = ("cmdline.%s is neither a text, true, nor a URL"):format(name) }, 0)
    end
  end
  return args
end

local function arguments(answer, api)
  local value = answer.cmdline
  if value == nil or value == json.null then
    return {}
  elseif type(value) == "string" then
    return from_template(value, api)
  elseif type(value) == "table" then
    return from_table(value, api)
  end
  error({ text = "cmdline is neither a text nor a table by name" }, 0)
end

local function read(answer, api)
  if type(answer) == "string" then -- servers say anything of its type
    local problem
    answer, problem = json.decode(answer)
    if problem then
      error({ text = problem }, 0)
    end
  end
  if type(answer) ~= "table" or answer == json.null then
    error({ text = "the answer is no object" }, 0)
  end
  local message = text_of(answer, "message")
  local script = text_of(answer, "ipxe-script")
  if script then
    return { script = script, message = message }
  end
  local kernel = text_of(answer, "kernel")
  if not kernel then
    error({ text = "it names no kernel" }, 0)
  end
  return { kernel = absolute(kernel, api), initrd = initrds(answer, api), args = arguments(answer, api),
           message = message }
end

-- An answer, decoded or as text, and the URL of the API -> { script =, message = } or { kernel =,
-- initrd = list, args = list, message = }; nil and what is wrong with it.
return function(answer, api)
  local ok, spec = pcall(read, answer, api)
  if ok then
    return spec
  elseif type(spec) ~= "table" then
    error(spec, 0)
  end
  return nil, api .. ": " .. spec.text
end
