-- Installs a machine once, and starts its disk ever after. See README.md.
--
--   local install_once = require "moonboot.install_once"
--   rule "workers" { boot = install_once { install = "el9-install", installed = "installed.txt" } }

local keys = { install = true, installed = true }

-- "52-54-00-12-34-56", "5254.0012.3456" -> "52:54:00:12:34:56"; nil when it is no address.
local function address(text)
  local digits = text:lower():gsub("[:.-]", "")
  if #digits == 12 and not digits:find("%X") then
    return (digits:gsub("..", "%0:"):sub(1, 17))
  end
end

-- The set of machines that a list names: an address a line, "#" begins a comment.
local function machines(path)
  local set, number = {}, 0
  for line in (read(path, "") .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    local word = line:gsub("#.*$", ""):match("^%s*(.-)%s*$")
    local mac = address(word)
    if mac then
      set[mac] = true
    elseif word ~= "" then
      problem(path, number, ('"%s" is no hardware address'):format(word))
    end
  end
  return set
end

-- For the `boot` of a rule. options.install: the profile that installs; options.installed: the
-- file, beside the policy, of those that are done.
return function(options)
  for key in pairs(options) do
    if not keys[key] then
      error(('install_once: there is no option "%s"'):format(tostring(key)), 2)
    end
  end
  if type(options.install) ~= "string" or type(options.installed) ~= "string" then
    error("install_once: install and installed are needed: a profile's name, and a file's", 2)
  end
  local done = machines(options.installed)
  return function(machine)
    if not machine.mac then
      return nil, "a machine without a hardware address cannot be known again"
    elseif done[machine.mac] then
      return disk
    end
    return options.install
  end
end
