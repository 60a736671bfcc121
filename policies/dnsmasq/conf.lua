-- Reads a dnsmasq.conf and the files that it names -> its directives in order:
-- { name = "dhcp-boot", fields = { … }, file =, line = }. What is wrong with one is a problem
-- of the policy.

local conf = {}

local escapes = { t = "\t", n = "\n", b = "\b", r = "\r", e = "\27", ['"'] = '"', ["\\"] = "\\" }

-- Stands for a comma in quotes until the fields are apart.
local COMMA = "\1"

local function unquote(text)
  return (text:gsub('\\(["tnbre\\])', escapes):gsub(",", COMMA))
end

-- A line without its comment and quotes; a "#" is a comment only after white space.
local function bare(text)
  local parts, at = {}, 1
  while at <= #text do
    local from = text:find('"', at, true)
    local outside = text:sub(at, (from or #text + 1) - 1)
    local comment = (" " .. outside):find("%s#")
    if comment and (comment > 1 or at == 1 or outside:find("^%s")) then
      parts[#parts + 1] = outside:sub(1, comment - 1)
      break
    end
    parts[#parts + 1] = outside
    if not from then
      break
    end
    local to = from
    repeat -- a quote that a backslash stands before does not end the text
      to = text:find('"', to + 1, true)
      local slashes = to and text:sub(from + 1, to - 1):match("(\\*)$")
    until not to or #slashes % 2 == 0
    parts[#parts + 1] = unquote(text:sub(from + 1, (to or #text + 1) - 1))
    at = (to or #text) + 1
  end
  return (table.concat(parts):gsub("^%s+", ""):gsub("%s+$", ""))
end

local function split(text)
  local fields = {}
  for field in (text .. ","):gmatch("([^,]*),") do
    fields[#fields + 1] = (field:gsub("^%s+", ""):gsub("%s+$", ""):gsub(COMMA, ","))
  end
  return fields
end

-- An absolute path is that of dnsmasq's own host: the file is looked for beside the policy's
-- main one, by the last part of its name.
local function locate(base, name)
  if name:sub(1, 1) == "/" then
    name = name:match("([^/]+)/*$") or ""
  end
  return (base .. name):gsub("/+$", "")
end

local parse

-- Reads a file that a directive names, unless it was read before.
local function include(reader, directive, found, prefix)
  local text = read(found, false)
  if not text then
    problem(directive.file, directive.line, ("%s: there is no file %s for the policy to read"):format(
      directive.name, found))
  elseif reader.seen[found] then
    problem(directive.file, directive.line, ("%s: %s is read already"):format(directive.name, found))
  else
    reader.seen[found] = true
    parse(reader, found, text, prefix)
  end
end

-- A directive that names a file; `prefix` stands before each of its lines.
local function include_file(prefix)
  return function(reader, directive)
    include(reader, directive, locate(reader.base, directive.fields[1]), prefix)
  end
end

local function ends(name, suffixes)
  for _, suffix in ipairs(suffixes) do
    if name:sub(-#suffix) == suffix then
      return true
    end
  end
  return false
end

-- conf-dir=DIRECTORY[,.suffix to skip][,*.suffix to read alone]…
local function include_directory(reader, directive)
  local directory = locate(reader.base, directive.fields[1])
  local names = list(directory, false)
  if not names then
    problem(directive.file, directive.line, ("conf-dir: there is no directory %s for the policy to read"):format(
      directory))
    return
  end
  local only, skip = {}, {}
  for i = 2, #directive.fields do
    local star, suffix = directive.fields[i]:match("^(%*?)(.+)$")
    if suffix then
      table.insert(star == "*" and only or skip, suffix)
    end
  end
  for _, name in ipairs(names) do
    local plain = not name:find("^%.") and not name:find("[~/]$") and not name:find("^#.*#$")
    if plain and (#only == 0 or ends(name, only)) and not ends(name, skip) then
      include(reader, directive, directory .. "/" .. name)
    end
  end
end

local nested = {
  ["conf-file"] = include_file "",
  ["conf-dir"] = include_directory,
  ["dhcp-hostsfile"] = include_file "dhcp-host=",
  ["dhcp-optsfile"] = include_file "dhcp-option=",
}

-- `prefix` stands before each line.
function parse(reader, file, text, prefix)
  local line = 0
  for raw in (text .. "\n"):gmatch("([^\n]*)\n") do
    line = line + 1
    local plain = bare(raw:gsub("\r$", ""))
    if plain ~= "" then
      local name, value = ((prefix or "") .. plain):match("^([^=]-)%s*=%s*(.*)$")
      local directive = {
        name = name or plain, fields = split(value or ""), file = file, line = line,
      }
      if nested[directive.name] then
        nested[directive.name](reader, directive)
      else
        table.insert(reader.directives, directive)
      end
    end
  end
end

-- The directives of a file that stands beside the policy, or below.
function conf.read(file)
  local text = read(file, false)
  if not text then
    error(("dnsmasq: there is no file %s for the policy to read"):format(file), 3)
  end
  local reader = { directives = {}, seen = { [file] = true }, base = file:match("^(.*/)") or "" }
  parse(reader, file, text)
  return reader.directives
end

return conf
