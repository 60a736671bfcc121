-- Boots Raspberry Pis from their own boot ROM. See README.md.
--
--   local raspberry_pi = require "moonboot.raspberry_pi"
--   rule "Raspberry Pis" { boot = raspberry_pi { root = "tftp", firmware = "firmware" } }

local keys = { root = true, firmware = true }

local NAME = "Raspberry Pi" -- of the profile, and the start of the others
local SERIAL = "^" .. ("%x"):rep(8) .. "$"
local HARDWARE = "^" .. ("%x%x%-"):rep(5) .. "%x%x$"

local makers = { "b8:27:eb", "dc:a6:32", "e4:5f:01", "d8:3a:dd", "28:cd:c1", "2c:cf:67" }

local function is_pi(told)
  for _, start in ipairs(makers) do
    if told.mac and told.mac:sub(1, #start) == start then
      return true
    end
  end
  return told.arch_id == 41
end

-- Adds the files of a directory, those of its subdirectories too, as a set of names.
local function collect(path, prefix, into)
  for _, name in ipairs(list(path)) do
    if name:sub(-1) == "/" then
      collect(path .. "/" .. name:sub(1, -2), prefix .. name, into)
    else
      into[prefix .. name] = true
    end
  end
  return into
end

-- The files of a machine's directory, and of the common firmware those that it lacks: as it
-- asks for them -> where they are.
local function files_of(options, own, asked_as, into)
  local has = collect(options.root .. "/" .. own, "", {})
  for name in pairs(options.common) do
    into[asked_as .. name] = options.firmware .. "/" .. name
  end
  for name in pairs(has) do
    into[asked_as .. name] = own .. "/" .. name
  end
  return into
end

-- A profile, which the ROM itself boots by names of its own; bootcode.bin is the first of them.
local function define(name, files)
  profile(name) { dhcp = { file = "bootcode.bin" }, files = files }
end

-- For the `boot` of a rule. options.root: TFTP's root, beside the policy; options.firmware: the
-- directory in it of the files that all of them share.
return function(options)
  for key in pairs(options) do
    if not keys[key] then
      error(('raspberry_pi: there is no option "%s"'):format(tostring(key)), 2)
    end
  end
  if not options.root or not options.firmware then
    error("raspberry_pi: wants root, TFTP's directory, and firmware, a directory in it", 2)
  end
  local tree = { root = options.root, firmware = options.firmware,
                 common = collect(options.root .. "/" .. options.firmware, "", {}) }
  local anybody = files_of(tree, options.firmware, "", {})
  local of_mac = {} -- profile's name by hardware address
  for _, entry in ipairs(list(options.root)) do
    local own = entry:match("^([%x-]+)/$")
    if own and own:find(SERIAL) then
      files_of(tree, own, own .. "/", anybody)
    elseif own and own:find(HARDWARE) then
      local mac = own:lower():gsub("-", ":")
      of_mac[mac] = NAME .. " " .. mac
      define(of_mac[mac], files_of(tree, own, "", {}))
    end
  end
  define(NAME, anybody)
  return function(machine)
    local told = {} -- to ask for what is not known yet would end the decision
    for name, value in pairs(machine) do
      told[name] = value
    end
    local nobody = told.stage == "tftp" and not told.mac
    return (nobody or is_pi(told)) and (of_mac[told.mac] or NAME) or nil
  end
end
