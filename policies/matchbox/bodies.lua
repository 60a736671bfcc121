-- What matchbox answers, byte for byte.

local format = require "moonboot.gotemplate.format"
local values = require "moonboot.gotemplate.values"

local bodies = {}

bodies.home = "matchbox\n"

bodies.not_found = "404 page not found\n"

-- /boot.ipxe: tells matchbox what iPXE knows of the machine.
bodies.ask = "#!ipxe\n"
  .. "chain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&domain=${domain}&hostname=${hostname}&serial=${serial}\n"

local function joined(texts, before, after)
  local parts = {}
  for i, text in ipairs(texts) do
    parts[i] = before .. text .. after
  end
  return table.concat(parts)
end

-- `boot`: a profile's { kernel =, initrd =, args = }.
function bodies.ipxe(boot)
  return "#!ipxe\n"
    .. "kernel " .. boot.kernel .. joined(boot.args, " ", "") .. "\n"
    .. joined(boot.initrd, "initrd ", "\n")
    .. "boot\n"
end

local function menu_entry(title, suffix, boot)
  return 'menuentry "' .. title .. '" {\n'
    .. 'echo "Loading kernel"\n'
    .. "linux" .. suffix .. ' "' .. boot.kernel .. '"' .. joined(boot.args, " ", "") .. "\n"
    .. 'echo "Loading initrd"\n'
    .. "initrd" .. suffix .. " " .. joined(boot.initrd, ' "', '"') .. "\n"
    .. "}\n"
end

function bodies.grub(boot)
  return "default=0\nfallback=1\ntimeout=1\n"
    .. menu_entry("CoreOS (EFI)", "efi", boot)
    .. menu_entry("CoreOS (BIOS)", "", boot)
end

local function add_variables(lines, prefix, map)
  for _, key in ipairs(values.keys(map)) do
    local value = map[key]
    local kind = values.kind(value)
    if kind == "map" then
      add_variables(lines, prefix .. key .. "_", value)
    elseif kind ~= "list" and kind ~= "nil" then
      lines[#lines + 1] = (prefix .. key):upper() .. "=" .. format.show(value) .. "\n"
    end
  end
end

-- /metadata: KEY=value, nested maps by the names that lead to them. Lists and nulls are left
-- out. matchbox has its lines in no order; these are sorted.
function bodies.metadata(data)
  local lines = {}
  add_variables(lines, "", data)
  return table.concat(lines)
end

return bodies
