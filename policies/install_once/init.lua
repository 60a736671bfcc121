-- Installs a machine once, and starts its disk ever after. See README.md.
--
--   local install_once = require "moonboot.install_once"
--   rule "workers" { boot = install_once { install = "el9-install" } }

local keys = { install = true, done_on = true, again_on = true, installed = true }

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

-- For the `boot` of a rule. options.install: the profile that installs; options.done_on and
-- again_on: the events, "installed" and "reinstall"; options.installed: a file, beside the policy,
-- of machines that are never to be installed.
return function(options)
  for key, value in pairs(options) do
    if not keys[key] then
      error(('install_once: there is no option "%s"'):format(tostring(key)), 2)
    elseif type(value) ~= "string" then
      error(("install_once: %s is a text"):format(key), 2)
    end
  end
  if not options.install then
    error("install_once: install is needed: a profile's name", 2)
  end
  local install = once { options.install, done_on = options.done_on or "installed",
                         again_on = options.again_on, then_boot = disk }
  if not options.installed then
    return install
  end
  local done = machines(options.installed)
  return function(machine)
    return done[machine.mac or ""] and disk or install
  end
end
