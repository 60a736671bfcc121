-- Serves an existing tree of PXELINUX configurations. See README.md.
--
--   local pxelinux = require "moonboot.pxelinux"
--   rule "as pxelinux.cfg says" { boot = pxelinux "tftp" }

local boot = require "moonboot.pxelinux.boot"
local config = require "moonboot.pxelinux.config"

local option_keys = { bios = true }

local ADDRESS = "^%x%x?%x?%x?%x?%x?%x?%x?$" -- an address in hexadecimal, or its start
local HARDWARE = "^%x%x" .. ("%-%x%x"):rep(6) .. "$"
local UUID = "^%x+%-%x+%-%x+%-%x+%-%x+$"

-- All configurations of the tree by name, in lower case; and whether one is by address.
local function read_tree(root)
  local function find(name)
    local path = root .. "/" .. name:gsub("^.*::", ""):gsub("^/+", "")
    return read(path, nil), path
  end
  local names = list(root .. "/pxelinux.cfg", nil)
  if not names then
    error(("pxelinux: there is no directory %s/pxelinux.cfg for the policy to read"):format(root), 3)
  end
  local found, by_address = {}, false
  for _, name in ipairs(names) do
    local bare = name:lower()
    local address = bare:find(ADDRESS) ~= nil
    if address or name == "default" or bare:find(HARDWARE) or bare:find(UUID) then
      local path = root .. "/pxelinux.cfg/" .. name
      found[bare] = config.read(read(path), path, find)
      by_address = by_address or address
    end
  end
  return found, by_address
end

-- The order of the bytes in which PXELINUX writes a UUID: as they come in option 97.
local function wire(uuid)
  return (uuid:gsub("^(%x%x)(%x%x)(%x%x)(%x%x)%-(%x%x)(%x%x)%-(%x%x)(%x%x)", "%4%3%2%1-%6%5-%8%7"))
end

local function hexadecimal(ip)
  return (ip:gsub("(%d+)%.?", function(part)
    return ("%02x"):format(part)
  end))
end

-- The configuration that its own name leads a machine to.
local function find_own(tree, machine)
  local uuid, mac = machine.uuid, machine.mac
  return uuid and (tree[wire(uuid)] or tree[uuid]) or mac and tree["01-" .. mac:gsub(":", "-")]
end

-- The one that its address leads to.
local function find_by_address(tree, ip)
  local name = ip and hexadecimal(ip) or ""
  for length = #name, 1, -1 do
    local found = tree[name:sub(1, length)]
    if found then
      return found
    end
  end
end

-- For the `boot` of a rule. `root` is TFTP's directory, beside the policy. `options.bios`: what a
-- BIOS is sent, instead of iPXE, to read the tree itself.
return function(root, options)
  options = options or {}
  for key in pairs(options) do
    if not option_keys[key] then
      error(('pxelinux: there is no option "%s"'):format(tostring(key)), 2)
    end
  end
  local tree, by_address = read_tree(root)
  return function(machine)
    local stage = machine.stage
    if stage == "pxelinux" then
      return { dhcp = { file = options.bios or "pxelinux.0" } } -- the file itself, as it stands
    elseif stage == "tftp" then
      return nil
    end
    local found = find_own(tree, machine)
    if options.bios and stage == "dhcp" and machine.arch == "bios" then
      local any = found or by_address or tree.default
      return any and { dhcp = { file = options.bios, ipxe = true } } or nil
    end
    -- The address is not known when DHCP asks: reading it makes the decision wait for iPXE.
    found = found or by_address and find_by_address(tree, machine.ip) or tree.default
    return found and boot.answer(found, machine)
  end
end
